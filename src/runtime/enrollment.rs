//! Enrolment of customers in a programme, one id a line.

use std::collections::BTreeSet;
use std::io::{self, Read};

use futures_util::{StreamExt, stream};

use crate::deciding::Clock;
use crate::domain::ID_BYTES_MAX;
use crate::limits::{PlanError, PlanStore, Plans, ProgramStore};
use crate::wire::lines::{Piece, Source, is_blank, split};

/// Maximum number of customers that are enrolled at the same time.
const IN_PARALLEL_MAX: usize = 16;

/// Number of customers after which the progress is reported.
const REPORTED_MAX: usize = 500;

/// Size of one read of the input, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Numbers of lines by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnrollmentCounts {
    /// Customers that were in no programme before.
    pub enrolled: u64,
    /// Customers that were in another programme before.
    pub moved: u64,
    /// Customers that were in the programme before, and lines that repeat one.
    pub unchanged: u64,
    /// Lines that are not an id.
    pub invalid: u64,
}

impl EnrollmentCounts {
    /// Returns the number of lines that are not blank.
    pub const fn lines(&self) -> u64 {
        self.enrolled + self.moved + self.unchanged + self.invalid
    }
}

/// Reason why a line is not an id. No sentence repeats the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdLineError {
    /// The bytes are not UTF-8.
    #[error("NOT_UTF8: the line is not UTF-8")]
    NotUtf8,
    /// The line begins with a quotation mark, but is not a JSON string.
    #[error("NOT_JSON: the line begins like a JSON string, and is none")]
    NotJson,
    /// The id is empty or too long.
    #[error("BAD_ID: an id has 1 to {ID_BYTES_MAX} bytes")]
    BadId,
}

/// Reason why not all customers were enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollmentError {
    /// The input could not be read further.
    #[error("could not read the ids after line {lines}")]
    Read {
        /// Number of lines that were read.
        lines: u64,
        /// The underlying error.
        source: io::Error,
    },
    /// A customer could not be enrolled.
    #[error("could not enrol the customer of line {line}; the same command again goes on where this one stopped")]
    Enroll {
        /// The line, from 1.
        line: u64,
        /// The underlying error.
        source: PlanError,
    },
}

/// Receiver of the progress.
pub trait EnrollmentObserver {
    /// Receives an invalid line, with its number from 1.
    fn invalid(&mut self, line: u64, error: IdLineError);

    /// Receives the counts so far.
    fn progressed(&mut self, counts: &EnrollmentCounts);
}

/// Enrols the customers of an input in a programme, some at a time, in no order. Customers that are in it already cost one
/// read each, so the same input can be repeated.
///
/// # Errors
/// [`EnrollmentError`] when the input cannot be read further, or a customer cannot be enrolled.
pub async fn enroll_lines<S: PlanStore + ProgramStore, C: Clock>(
    input: impl Read,
    plans: &Plans<S, C>,
    program_id: &str,
    mut observer: impl EnrollmentObserver,
) -> Result<EnrollmentCounts, EnrollmentError> {
    let (mut source, mut block) = (Source::reading(input, READ_BYTES), Vec::new());
    let (mut lines, mut counts) = (0_u64, EnrollmentCounts::default());
    while let Some((_, piece)) = source.take(&mut block) {
        let mut ids = Vec::new();
        match piece {
            Piece::Failed(source) => return Err(EnrollmentError::Read { lines, source }),
            Piece::Overlong { begins: false, .. } => continue,
            Piece::Overlong { begins: true, .. } => {
                lines += 1;
                counts.invalid += 1;
                observer.invalid(lines, IdLineError::BadId);
            }
            Piece::Lines => {
                for raw in split(&block) {
                    lines += 1;
                    match id(raw) {
                        Ok(None) => {}
                        Ok(Some(id)) => ids.push((lines, id)),
                        Err(error) => {
                            counts.invalid += 1;
                            observer.invalid(lines, error);
                        }
                    }
                }
            }
        }
        for ids in ids.chunks(REPORTED_MAX) {
            enroll_some(ids, plans, program_id, &mut counts).await?;
            observer.progressed(&counts);
        }
    }
    Ok(counts)
}

/// Enrols some customers. The error is that of the first line that failed.
async fn enroll_some<S: PlanStore + ProgramStore, C: Clock>(
    ids: &[(u64, String)],
    plans: &Plans<S, C>,
    program_id: &str,
    counts: &mut EnrollmentCounts,
) -> Result<(), EnrollmentError> {
    let mut seen = BTreeSet::new();
    // Two requests about one customer would get in each other's way.
    let (first, repeated): (Vec<_>, Vec<_>) = ids.iter().partition(|(_, id)| seen.insert(id));
    counts.unchanged = counts.unchanged.saturating_add(u64::try_from(repeated.len()).unwrap_or(u64::MAX));
    let enrolled = stream::iter(first).map(async |(line, id)| (*line, plans.enroll(program_id, id).await));
    let mut results: Vec<_> = enrolled.buffer_unordered(IN_PARALLEL_MAX).collect().await;
    results.sort_unstable_by_key(|(line, _)| *line);
    let mut failed = None;
    for (line, result) in results {
        match result {
            Ok(None) => counts.enrolled += 1,
            Ok(Some(before)) if before == program_id => counts.unchanged += 1,
            Ok(Some(_)) => counts.moved += 1,
            Err(source) => failed = failed.or(Some(EnrollmentError::Enroll { line, source })),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Reads a line: an id, or a JSON string of one. `None` for a blank line.
fn id(raw: &[u8]) -> Result<Option<String>, IdLineError> {
    if is_blank(raw) {
        return Ok(None);
    }
    let line = str::from_utf8(raw).map_err(|_| IdLineError::NotUtf8)?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let id = if line.starts_with('"') {
        serde_json::from_str(line).map_err(|_| IdLineError::NotJson)?
    } else {
        line.to_owned()
    };
    if (1..=ID_BYTES_MAX).contains(&id.len()) { Ok(Some(id)) } else { Err(IdLineError::BadId) }
}
