//! Reads that a commit may get in the way of.

use std::time::Duration;

use super::backoff::Backoff;
use super::{Clock, StoreError};

/// Tries of a read, with the waits between them. A commit is applied within milliseconds, and somebody waits.
const TRIES: Backoff = Backoff::new(6, Duration::from_millis(20), Duration::from_millis(200));

/// Reads, and reads again while a commit of the same customer is being applied, or while the store lacks capacity. The store
/// itself has repeated a read that had no answer.
///
/// # Errors
/// The error of the last read.
pub async fn read_settled<T, F>(clock: &impl Clock, read: impl Fn() -> F + Send) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    let mut tries = TRIES;
    loop {
        match read().await {
            Err(StoreError::Conflict(_) | StoreError::Throttled(_)) if tries.again(clock).await => {}
            answer => return answer,
        }
    }
}
