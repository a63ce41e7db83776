//! Changes of a record's publication. A pending decision is published by any message that brings its event.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::deciding::backoff::Backoff;
use crate::deciding::{
    Clock, CorrelationRecord, PENDING_TTL, Publication, PublicationChange, Remedy, Store, StoreError, Units, expiry,
    remedy,
};

/// Maximum number of tries to write a publication. The client also repeats requests by itself.
const TRIES_MAX: u32 = 3;

/// Wait before the second try. Each further wait is twice as long, up to `WAIT_MAX`.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Returns the record with its publication pending. Its expiry outlasts its message in any dead-letter queue.
pub fn pending(record: &CorrelationRecord, now: DateTime<Utc>) -> CorrelationRecord {
    let expires_at = record.expires_at.max(expiry(now, PENDING_TTL));
    CorrelationRecord { publication: Publication::Pending, expires_at, ..record.clone() }
}

/// Returns true when the record is pending already and expires late enough, so that no write is needed.
pub fn is_pending_long_enough(record: &CorrelationRecord, now: DateTime<Utc>) -> bool {
    // A day is longer than any series of deliveries. The tolerance saves most of them a write.
    record.is_pending() && record.expires_at >= expiry(now, PENDING_TTL - TimeDelta::days(1))
}

/// Returns the record with its publication confirmed. Its expiry stays: its message may still reach a dead-letter
/// queue, if the answer to its batch is lost often enough.
pub fn confirmed(record: &CorrelationRecord) -> CorrelationRecord {
    CorrelationRecord { publication: Publication::Confirmed, ..record.clone() }
}

/// Returns the record with its publication confirmed. Its expiry outlasts any duplicate in a dead-letter queue.
pub fn confirmed_and_kept(record: &CorrelationRecord, now: DateTime<Utc>) -> CorrelationRecord {
    confirmed(&pending(record, now))
}

/// Writes a record's publication. If the stored record belongs to another message by now, nothing is written.
///
/// # Errors
/// [`StoreError`] when the write is not known to have succeeded.
pub async fn write_publication(
    store: &impl Store,
    clock: &impl Clock,
    record: &CorrelationRecord,
) -> Result<Units, StoreError> {
    let mut tries = Backoff::new(TRIES_MAX, FIRST_WAIT, WAIT_MAX);
    loop {
        match store.set_publication(record).await {
            Ok(PublicationChange::Written(units)) => return Ok(units),
            Ok(PublicationChange::Superseded) => return Ok(Units::default()),
            Err(error) if remedy(&error) == Remedy::GiveUp => return Err(error),
            Err(error) => {
                if !tries.again(clock).await {
                    return Err(error);
                }
            }
        }
    }
}
