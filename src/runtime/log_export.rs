//! Export of the decision log: logged decisions as the load attempts that they decided.

use std::num::NonZeroU32;
use std::ops::Range;

use chrono::{DateTime, Utc};

use crate::deciding::backoff::retried;
use crate::deciding::{Clock, LogReader, StoreError, scan_pause};
use crate::domain::LogEntry;
use crate::limits::TRIES;
use crate::wire::attempt_line;

/// Maximum number of entries of one request. Entries have at most 1 KB by the default limits, and a page of DynamoDB at most
/// 1 MB.
const PAGE_MAX: u16 = 1000;

/// A load attempt that was decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedAttempt {
    decided_at: DateTime<Utc>,
    run_id: String,
    seq: u64,
    /// The attempt as a line of a file, with its line feed.
    pub line: String,
}

/// Scans the decision log for decisions that were made in a span of time, and returns their attempts in the order of their
/// decisions. Takes at most `read_units` of the table's capacity a second, on average.
///
/// # Errors
/// [`StoreError`] when the log cannot be read, or cannot be understood.
pub async fn scan_attempts(
    store: &impl LogReader,
    clock: &impl Clock,
    decided: Range<DateTime<Utc>>,
    read_units: NonZeroU32,
) -> Result<Vec<LoggedAttempt>, StoreError> {
    let (mut attempts, mut start) = (Vec::new(), None);
    loop {
        let scan = retried(TRIES, clock, || store.scan_log(start.clone(), PAGE_MAX)).await?;
        let now = clock.now();
        let wanted = |entry: &&LogEntry| decided.contains(&entry.decision.decided_at) && !entry.is_expired(now);
        attempts.extend(scan.entries.iter().filter(wanted).map(|entry| LoggedAttempt {
            decided_at: entry.decision.decided_at,
            run_id: entry.position.run_id.clone(),
            seq: entry.position.seq,
            line: attempt_line(&entry.decision),
        }));
        start = scan.next;
        if start.is_none() {
            break;
        }
        clock.sleep(scan_pause(scan.units, read_units)).await;
    }
    attempts.sort_unstable();
    Ok(attempts)
}
