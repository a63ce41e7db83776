//! Manifest of a replay through a store: digests of the run's lines, stored beside the records of their decisions.
//!
//! Lines are entered before any of them is decided. So a repeated run with changed input detects the change before it
//! commits anything after it, while the old lines can still be restored. That matters because the old lines'
//! decisions are stored under this run, and no other run writes them to its output.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::deciding::backoff::{Backoff, retried};
use crate::deciding::{Clock, StoreError, digest_hex};

/// Time by which an entry outlives records of its lines that are decided at once. Lines are decided within minutes of
/// being entered.
const MARGIN: TimeDelta = TimeDelta::days(1);

/// Maximum number of tries of a request. The client also repeats requests by itself.
const TRIES_MAX: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Successive lines of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The run's name.
    pub run: String,
    /// Number of the first line, from 1.
    pub first_line: u64,
    /// Number of lines, at least 1.
    pub line_count: u64,
    /// Digest of the lines' digests.
    pub digest: String,
}

impl ManifestEntry {
    fn of(run: &str, first_line: u64, lines: &[String]) -> ManifestEntry {
        let parts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        ManifestEntry { run: run.to_owned(), first_line, line_count: lines.len() as u64, digest: digest_hex(&parts) }
    }
}

/// Storage of runs' entries.
pub trait Manifest: Send + Sync {
    /// Stores an entry until `expires_at`, unless another entry in force at `now` begins at the same line. Repeating
    /// it extends the entry's life.
    fn enter(
        &self,
        entry: &ManifestEntry,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> impl Future<Output = Result<Entered, StoreError>> + Send;

    /// Returns the entry in force at `now` that begins at this line of a run.
    fn find(
        &self,
        run: &str,
        first_line: u64,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ManifestEntry>, StoreError>> + Send;
}

/// Result of entering lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// The manifest has this entry.
    Kept,
    /// The manifest has another entry that begins at the same line.
    Other(ManifestEntry),
}

/// Result of comparing lines with the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The lines are those of the manifest, or new to it and entered now.
    Same,
    /// An entry ends after these lines. It can be compared only together with the lines up to its last one.
    Partial {
        /// Number of the entry's last line.
        last_line: u64,
    },
    /// The run began with other lines.
    Changed {
        /// Number of the first line of the entry that differs.
        first_line: u64,
        /// Number of its last line.
        last_line: u64,
    },
}

/// Compares a run's lines with its manifest.
#[derive(Debug)]
pub struct ManifestCheck<'r, S, C> {
    /// Stores the manifest.
    pub store: &'r S,
    /// Dates entries.
    pub clock: &'r C,
    /// The run's name.
    pub run: &'r str,
    /// Time for which decided events are remembered.
    pub correlation_ttl: TimeDelta,
}

impl<S: Manifest, C: Clock> ManifestCheck<'_, S, C> {
    /// Compares successive lines, given as their digests, and enters those that are new to the manifest.
    ///
    /// # Errors
    /// [`StoreError`] when the manifest could not be read or written.
    pub async fn compare(&self, first_line: u64, lines: &[String]) -> Result<Comparison, StoreError> {
        let (mut first_line, mut rest, mut count) = (first_line, lines, lines.len());
        while let (Some(lines), Some(behind)) = (rest.get(..count), rest.get(count..)) {
            if lines.is_empty() {
                break;
            }
            match self.enter(&ManifestEntry::of(self.run, first_line, lines)).await? {
                Entered::Kept => (first_line, rest, count) = (first_line + count as u64, behind, behind.len()),
                Entered::Other(other) => {
                    let last_line = first_line.saturating_add(other.line_count - 1);
                    match usize::try_from(other.line_count) {
                        Ok(same) if same == count => return Ok(Comparison::Changed { first_line, last_line }),
                        Ok(shorter) if shorter <= rest.len() => count = shorter,
                        _ => return Ok(Comparison::Partial { last_line }),
                    }
                }
            }
        }
        Ok(Comparison::Same)
    }

    /// Compares the end of the input. The run must have no line from this one on.
    ///
    /// # Errors
    /// See [`ManifestCheck::compare`].
    pub async fn compare_end(&self, first_line: u64) -> Result<Comparison, StoreError> {
        let find = || self.store.find(self.run, first_line, self.clock.now());
        Ok(match self.persist(find).await? {
            None => Comparison::Same,
            Some(entry) => {
                Comparison::Changed { first_line, last_line: first_line.saturating_add(entry.line_count - 1) }
            }
        })
    }

    async fn enter(&self, entry: &ManifestEntry) -> Result<Entered, StoreError> {
        let enter = || {
            let now = self.clock.now();
            let kept_for = self.correlation_ttl.checked_add(&MARGIN).unwrap_or(TimeDelta::MAX);
            let expires_at = now.checked_add_signed(kept_for).unwrap_or(DateTime::<Utc>::MAX_UTC);
            self.store.enter(entry, now, expires_at)
        };
        self.persist(enter).await
    }

    async fn persist<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        retried(Backoff::new(TRIES_MAX, FIRST_WAIT, WAIT_MAX), self.clock, request).await
    }
}
