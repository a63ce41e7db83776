//! Limit events, and what can be wrong with them.

use std::fmt;

use super::{ATTEMPT_BYTES_MAX, ID_BYTES_MAX, InputError, Millis, OWN_LIMITS_KEPT_MAX, OWN_LIMITS_MAX, OwnLimit};

/// An event about a customer's own limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitEvent {
    /// Number of the event among those of its customer. Numbers have gaps.
    pub sequence_number: u64,
    /// The instant at which the event was created.
    pub created_at: Millis,
    /// The change. `None` for an event of a type that has no effect.
    pub change: Option<Change>,
}

/// Change of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `USER_LIMIT_CREATED`: stores the limit, or replaces it.
    Created {
        /// The limit.
        limit: Box<OwnLimit>,
        /// The reported progress, if the event has it: hundredths of the currency.
        progress: Option<u64>,
    },
    /// `USER_LIMIT_PROGRESS_CHANGED`, or `USER_LIMIT_RESET`.
    Progressed(Progress),
}

/// A report of a limit's progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The limit's id.
    pub limit_id: String,
    /// The customer.
    pub user_id: String,
    /// The reported progress, in hundredths of the currency: 0 for a reset.
    pub progress: u64,
}

impl Change {
    /// Returns the id of the limit that changes.
    pub fn limit_id(&self) -> &str {
        match self {
            Change::Created { limit, .. } => &limit.limit_id,
            Change::Progressed(progress) => &progress.limit_id,
        }
    }

    /// Returns the customer whose limit changes.
    pub fn user_id(&self) -> &str {
        match self {
            Change::Created { limit, .. } => &limit.user_id,
            Change::Progressed(progress) => &progress.user_id,
        }
    }
}

/// A field of a limit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitEventField(pub &'static str);

impl fmt::Display for LimitEventField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reason why an input is not a valid limit event: one code for machines, one plain sentence for people. No sentence
/// repeats any part of the input.
///
/// The variants are in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitEventError {
    /// The line is longer than [`ATTEMPT_BYTES_MAX`] bytes.
    #[error("the input is longer than {ATTEMPT_BYTES_MAX} bytes, the most that a limit event may have")]
    TooLong,
    /// The bytes are not UTF-8.
    #[error("the input is not UTF-8: byte {at} does not begin or continue a character")]
    NotUtf8 {
        /// The first wrong byte, from 1.
        at: usize,
    },
    /// The text is not one JSON value, or contains a field twice.
    #[error("the input is not one JSON object: {detail} (byte {at})")]
    NotJson {
        /// Position at which the reader stopped, in bytes from 1.
        at: usize,
        /// Reason: one of a few sentences, never a part of the input.
        detail: &'static str,
    },
    /// A field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// The first missing field.
        field: LimitEventField,
    },
    /// A value is of another type.
    #[error("{field} must be {expected}, not {found}")]
    BadType {
        /// The first field of a wrong type, or the input.
        field: LimitEventField,
        /// The type that it must have, in words.
        expected: &'static str,
        /// The type found instead, in words.
        found: &'static str,
    },
    /// An id is empty or too long.
    #[error("{field} must have 1 to {ID_BYTES_MAX} bytes")]
    BadId {
        /// The invalid id.
        field: LimitEventField,
    },
    /// The limit's id belongs to another customer.
    #[error("userLimitId is the id of another customer's limit")]
    OtherCustomer,
    /// An amount is not written as one.
    #[error("{field} is not an amount: 1 to 14 digits, and at most two after a point")]
    BadAmount {
        /// The invalid amount.
        field: LimitEventField,
    },
    /// An instant lies outside the years 0 to 9999.
    #[error("{field} is not in the years 0 to 9999")]
    BadTime {
        /// The invalid instant.
        field: LimitEventField,
    },
    /// A word is none of those that the field may have.
    #[error("{field} is none of the values that loadgate knows")]
    BadValue {
        /// The field.
        field: LimitEventField,
    },
    /// The customer has [`OWN_LIMITS_MAX`] open limits already, or [`OWN_LIMITS_KEPT_MAX`] in all.
    #[error(
        "the customer has the most limits allowed: {OWN_LIMITS_MAX} that are neither canceled nor ended, or \
         {OWN_LIMITS_KEPT_MAX} in all"
    )]
    TooManyLimits,
}

impl LimitEventError {
    /// Returns the code, the same in rejects and message attributes.
    pub const fn code(&self) -> &'static str {
        match self {
            LimitEventError::TooLong => "TOO_LONG",
            LimitEventError::NotUtf8 { .. } => "NOT_UTF8",
            LimitEventError::NotJson { .. } => "NOT_JSON",
            LimitEventError::MissingField { .. } => "MISSING_FIELD",
            LimitEventError::BadType { .. } => "BAD_TYPE",
            LimitEventError::BadId { .. } | LimitEventError::OtherCustomer => "BAD_ID",
            LimitEventError::BadAmount { .. } => "BAD_AMOUNT",
            LimitEventError::BadTime { .. } => "BAD_TIME",
            LimitEventError::BadValue { .. } => "BAD_VALUE",
            LimitEventError::TooManyLimits => "TOO_MANY_LIMITS",
        }
    }
}

impl InputError for LimitEventError {
    fn code(&self) -> &'static str {
        LimitEventError::code(self)
    }
}
