//! A load attempt and what brought it.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use crate::deciding::{UsageKey, WRITTEN_BYTES_MAX, digest_hex};
use crate::domain::{AttemptText, Day, EventKey, LoadAttempt};

/// Which message brings an attempt, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSource {
    /// The message's id. In a replay, the run's name and the line.
    pub message_id: String,
    /// The id that the message had before it was moved to a dead-letter queue and back.
    ///
    /// A redrive gives a message a new id; but on its way into a FIFO dead-letter queue its deduplication id becomes
    /// its old message id (the SQS developer guide, "Learn how to configure a dead-letter queue redrive"), so the
    /// deduplication id is where an earlier message id would be.
    pub moved_from: Option<String>,
    /// True when the message has been received before: then a decision of it may have been left unpublished.
    pub is_redelivery: bool,
}

/// A valid load attempt, once delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the batch or file: whoever made the delivery knows it by that.
    pub index: u64,
    /// The message that brought it.
    pub source: MessageSource,
    /// The attempt.
    pub attempt: LoadAttempt<'static>,
    /// The amount as it was written.
    pub load_amount: String,
    /// The time as it was written.
    pub time: String,
}

impl Delivery {
    /// A delivery of an attempt that has been read from these texts.
    pub fn new(index: u64, source: MessageSource, written: &AttemptText<'_>, attempt: LoadAttempt<'_>) -> Delivery {
        let load_amount = bounded(&written.load_amount, || attempt.amount.to_string());
        let time = bounded(&written.time, || shortest_time(&written.time, attempt.time));
        Delivery { index, source, load_amount, time, attempt: attempt.into_owned() }
    }

    /// The attempt's event.
    pub fn event(&self) -> EventKey {
        EventKey { customer_id: self.customer_id().to_owned(), event_id: self.attempt.id.as_str().to_owned() }
    }

    /// The week that the attempt counts in.
    pub fn week(&self) -> UsageKey {
        UsageKey { customer_id: self.customer_id().to_owned(), week: Day::of(self.attempt.time).week() }
    }

    /// The customer.
    pub fn customer_id(&self) -> &str {
        self.attempt.customer_id.as_str()
    }

    /// A digest of the attempt: customer, event, and what it asks for, however it is written.
    pub fn digest(&self) -> String {
        let parts = [self.customer_id(), self.attempt.id.as_str(), &self.fingerprint()];
        digest_hex(&parts.map(str::as_bytes))
    }

    /// A digest of what the attempt asks for, however it is written.
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

/// In UTC; with its own offset where UTC would need a sign or a fifth digit for the year, which RFC 3339 has not.
fn shortest_time(written: &str, instant: DateTime<Utc>) -> String {
    match DateTime::parse_from_rfc3339(written) {
        Ok(local) if !(0..=9999).contains(&instant.year()) => local.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        _ => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    }
}
