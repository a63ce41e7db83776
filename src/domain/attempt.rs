//! A load attempt: an event that asks to load an amount into a customer's account at a given time.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{Cents, Currency, Field, IdError, LoadError, TimeReader};

/// Maximum length, in bytes, of a line or message body with an attempt: the size limit of an SQS message.
pub const ATTEMPT_BYTES_MAX: usize = 256 * 1024;

/// Maximum length of an event id or customer id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 128;

/// An event's id: 1 to [`ID_BYTES_MAX`] bytes, unique for its customer only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId<'a>(Cow<'a, str>);

/// A customer's id: 1 to [`ID_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId<'a>(Cow<'a, str>);

/// A valid load attempt. It borrows its ids from the input where possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadAttempt<'a> {
    /// The event's id.
    pub id: EventId<'a>,
    /// The customer whose account the load goes to.
    pub customer_id: CustomerId<'a>,
    /// The amount to load.
    pub amount: Cents,
    /// The instant of the attempt. It alone determines the day and the week in which the attempt counts.
    pub time: DateTime<Utc>,
}

/// The four texts of an attempt as received, unchecked.
#[derive(Clone, Debug)]
pub struct AttemptText<'a> {
    /// The event's id.
    pub id: Cow<'a, str>,
    /// The customer's id.
    pub customer_id: Cow<'a, str>,
    /// The amount, as [`Cents::parse`] reads it.
    pub load_amount: Cow<'a, str>,
    /// The time, as [`parse_time`](super::parse_time) reads it.
    pub time: Cow<'a, str>,
}

impl<'a> LoadAttempt<'a> {
    /// Checks the texts of an attempt of US dollars.
    ///
    /// # Errors
    /// See [`LoadAttempt::check_in`].
    pub fn check(text: AttemptText<'a>) -> Result<LoadAttempt<'a>, LoadError> {
        LoadAttempt::check_in(text, Currency::USD)
    }

    /// Checks the texts of an attempt, in the order of the codes: ids, amount, time.
    ///
    /// # Errors
    /// The first [`LoadError`] found: `BAD_ID`, `BAD_AMOUNT` or `BAD_TIME`.
    pub fn check_in(text: AttemptText<'a>, currency: Currency) -> Result<LoadAttempt<'a>, LoadError> {
        LoadAttempt::check_next(text, currency, &mut TimeReader::default())
    }

    /// Checks the texts of one of many attempts that follow one another.
    ///
    /// # Errors
    /// See [`LoadAttempt::check_in`].
    pub fn check_next(
        text: AttemptText<'a>,
        currency: Currency,
        times: &mut TimeReader,
    ) -> Result<LoadAttempt<'a>, LoadError> {
        let AttemptText { id, customer_id, load_amount, time } = text;
        LoadAttempt::check_parts(id, customer_id, &load_amount, &time, currency, times)
    }

    /// The same for the texts one by one.
    ///
    /// # Errors
    /// See [`LoadAttempt::check_in`].
    // Inlined, so that an attempt is built where it stays: copying it takes as long as reading its texts.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(crate) fn check_parts(
        id: Cow<'a, str>,
        customer_id: Cow<'a, str>,
        load_amount: &str,
        time: &str,
        currency: Currency,
        times: &mut TimeReader,
    ) -> Result<LoadAttempt<'a>, LoadError> {
        Ok(LoadAttempt {
            id: EventId(checked_id(id, Field::Id)?),
            customer_id: CustomerId(checked_id(customer_id, Field::CustomerId)?),
            amount: Cents::parse_in(load_amount, currency).map_err(LoadError::BadAmount)?,
            time: times.read(time).map_err(LoadError::BadTime)?,
        })
    }

    /// Checks the texts of an attempt from a message. The message's group must be the attempt's customer.
    ///
    /// # Errors
    /// The first [`LoadError`] found: `BAD_ID`, also for a customer id that cannot be a message group; `BAD_AMOUNT`,
    /// `BAD_TIME` or `GROUP_MISMATCH`.
    pub fn check_grouped(
        text: AttemptText<'a>,
        group_id: &str,
        currency: Currency,
    ) -> Result<LoadAttempt<'a>, LoadError> {
        let can_be_group = can_be_group(&text.customer_id);
        match LoadAttempt::check_in(text, currency) {
            Err(error @ LoadError::BadId { .. }) => Err(error),
            _ if !can_be_group => Err(LoadError::BadId { field: Field::CustomerId, reason: IdError::Character }),
            Ok(attempt) if attempt.customer_id.as_str() != group_id => Err(LoadError::GroupMismatch),
            checked => checked,
        }
    }

    /// Returns the same attempt with owned ids.
    #[must_use]
    pub fn into_owned(self) -> LoadAttempt<'static> {
        LoadAttempt {
            id: EventId(self.id.0.into_owned().into()),
            customer_id: CustomerId(self.customer_id.0.into_owned().into()),
            amount: self.amount,
            time: self.time,
        }
    }
}

/// Returns true when SQS accepts the text as a message group: 1 to 128 ASCII letters, digits and punctuation
/// characters (the SQS API reference, `SendMessage`, `MessageGroupId`).
pub fn can_be_group(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn checked_id(id: Cow<'_, str>, field: Field) -> Result<Cow<'_, str>, LoadError> {
    match id.len() {
        0 => Err(LoadError::BadId { field, reason: IdError::Empty }),
        1..=ID_BYTES_MAX => Ok(id),
        bytes => Err(LoadError::BadId { field, reason: IdError::TooLong { bytes } }),
    }
}

impl EventId<'_> {
    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CustomerId<'_> {
    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
