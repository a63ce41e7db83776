//! Publication of a stored decision. A pending decision is published by whatever message brings its event.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::deciding::backoff::Backoff;
use crate::deciding::{Clock, CorrelationRecord, Publication, PublicationChange, Store, StoreError, Units};
use crate::deciding::{PENDING_TTL, Remedy, expiry, remedy};

/// Most tries to write a publication. The client has its own retries besides.
const TRIES_MAX: u32 = 3;

/// Wait before the second try; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_millis(200);

/// The record, pending: it outlives its message in any dead-letter queue.
pub fn pending(record: &CorrelationRecord, now: DateTime<Utc>) -> CorrelationRecord {
    let expires_at = record.expires_at.max(expiry(now, PENDING_TTL));
    CorrelationRecord { publication: Publication::Pending, expires_at, ..record.clone() }
}

/// Returns true when the record is pending and lives long enough.
pub fn is_pending_long_enough(record: &CorrelationRecord, now: DateTime<Utc>) -> bool {
    // A day is longer than any series of deliveries, and spares most of them a write.
    record.is_pending() && record.expires_at >= expiry(now, PENDING_TTL - TimeDelta::days(1))
}

/// The record, known to be published. It is kept as long as before: its message may still end in a dead-letter queue,
/// when the answer to its batch is lost often enough.
pub fn confirmed(record: &CorrelationRecord) -> CorrelationRecord {
    CorrelationRecord { publication: Publication::Confirmed, ..record.clone() }
}

/// The record, known to be published, for as long as a dead-letter queue may keep a duplicate of it.
pub fn confirmed_and_kept(record: &CorrelationRecord, now: DateTime<Utc>) -> CorrelationRecord {
    confirmed(&pending(record, now))
}

/// Writes a record's publication. Where the record is another message's by now, there is nothing to write.
///
/// # Errors
/// [`StoreError`] when the publication is not known to be written.
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
