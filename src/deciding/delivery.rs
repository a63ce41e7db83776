//! A load attempt, with the message that brought it.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use crate::deciding::{UsageKey, WRITTEN_BYTES_MAX, digest_hex};
use crate::domain::{AttemptText, Currency, Day, EventKey, LoadAttempt};

/// Origin of an attempt: a message, and its delivery history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSource {
    /// The message's id. In a replay, it consists of the run's name and the line.
    pub message_id: String,
    /// The id that the message had before it was moved to a dead-letter queue and back.
    ///
    /// A redrive gives a message a new id. But when a message is moved to a FIFO dead-letter queue, its old message
    /// id becomes its deduplication id (the SQS developer guide, "Learn how to configure a dead-letter queue
    /// redrive"). So the deduplication id may be an earlier message id.
    pub moved_from: Option<String>,
    /// True when the message was received before. Then its decision may be stored but unpublished.
    pub is_redelivery: bool,
}

/// A delivered, valid load attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the batch or file, by which the caller identifies it.
    pub index: u64,
    /// The message that brought it.
    pub source: MessageSource,
    /// The attempt.
    pub attempt: LoadAttempt<'static>,
    /// The amount as the attempt wrote it.
    pub load_amount: String,
    /// The time as the attempt wrote it.
    pub time: String,
}

impl Delivery {
    /// Combines an attempt with the texts that it was read from.
    pub fn new(
        index: u64,
        source: MessageSource,
        written: &AttemptText<'_>,
        attempt: LoadAttempt<'_>,
        currency: Currency,
    ) -> Delivery {
        let load_amount = bounded(&written.load_amount, || currency.format(attempt.amount));
        let time = bounded(&written.time, || shortest_time(&written.time, attempt.time));
        Delivery { index, source, load_amount, time, attempt: attempt.into_owned() }
    }

    /// Returns the attempt's event.
    pub fn event(&self) -> EventKey {
        EventKey { customer_id: self.customer_id().to_owned(), event_id: self.attempt.id.as_str().to_owned() }
    }

    /// Returns the week in which the attempt counts.
    pub fn week(&self) -> UsageKey {
        UsageKey { customer_id: self.customer_id().to_owned(), week: Day::of(self.attempt.time).week() }
    }

    /// Returns the customer's id.
    pub fn customer_id(&self) -> &str {
        self.attempt.customer_id.as_str()
    }

    /// Returns a digest of the customer, the event, the amount and the instant, independent of notation.
    pub fn digest(&self) -> String {
        let parts = [self.customer_id(), self.attempt.id.as_str(), &self.fingerprint()];
        digest_hex(&parts.map(str::as_bytes))
    }

    /// Returns a digest of the attempt's amount and instant, independent of notation.
    pub fn fingerprint(&self) -> String {
        let LoadAttempt { amount, time, .. } = &self.attempt;
        let parts = [amount.get().to_be_bytes().to_vec(), time.to_rfc3339().into_bytes()];
        let mut fingerprint = digest_hex(&parts.each_ref().map(Vec::as_slice));
        fingerprint.truncate(32);
        fingerprint
    }
}

fn bounded(written: &str, shortest: impl FnOnce() -> String) -> String {
    if written.len() <= WRITTEN_BYTES_MAX { written.to_owned() } else { shortest() }
}

/// Returns the time in UTC. Keeps the time's own offset where the UTC year would need a sign or a fifth digit, which
/// RFC 3339 does not allow.
fn shortest_time(written: &str, instant: DateTime<Utc>) -> String {
    match DateTime::parse_from_rfc3339(written) {
        Ok(local) if !(0..=9999).contains(&instant.year()) => local.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        _ => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    }
}
