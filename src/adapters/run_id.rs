//! Ids of runs: UUIDs of version 7 (RFC 9562), whose order is that of their instants.

use chrono::{DateTime, Utc};
use uuid::Builder;

use super::new_request_id;

/// Returns a new id for a run that begins now.
pub fn new_run_id(now: DateTime<Utc>) -> String {
    let random = u128::from_str_radix(&new_request_id(), 16).unwrap_or_default().to_be_bytes();
    let (bytes, _) = random.split_first_chunk::<10>().unwrap_or((&[0; 10], &[]));
    let instant_ms = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(instant_ms, bytes).into_uuid().to_string()
}
