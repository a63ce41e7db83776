//! One line of the input, with its result.

use std::borrow::Cow;

use crate::domain::{Currency, LoadError};
use crate::replay::ledger::{Identifier, PendingAttempt};
use crate::wire::lines::{is_blank, split};
use crate::wire::parse_attempt;

/// A line that is not blank.
#[derive(Debug)]
pub(crate) enum Line<'b, A = PendingAttempt<'b>> {
    /// A valid load attempt.
    Valid(A),
    /// Anything else.
    Invalid(Invalid<'b>),
}

/// A line that is not a valid load attempt.
#[derive(Debug)]
pub(crate) struct Invalid<'b> {
    /// Its number in its block, from 0, counting blank lines.
    pub(crate) line_in_block: u64,
    pub(crate) error: LoadError,
    /// The line without its line ending.
    pub(crate) raw: Cow<'b, [u8]>,
}

/// Reads each line of a block with `read`, which also receives the line's number in the block. Returns the lines, and
/// their number with blank ones.
pub(crate) fn read_lines<'b, A>(
    block: &'b [u8],
    read: impl Fn(&'b [u8], u64) -> Result<A, LoadError>,
) -> (Vec<Line<'b, A>>, u64) {
    let mut lines = Vec::with_capacity(block.len() / 64);
    let mut line_count = 0;
    for raw in split(block) {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if !is_blank(raw) {
            lines.push(match read(raw, line_count) {
                Ok(attempt) => Line::Valid(attempt),
                Err(error) => Line::Invalid(Invalid { line_in_block: line_count, error, raw: raw.into() }),
            });
        }
        line_count += 1;
    }
    (lines, line_count)
}

/// Reads a line for the ledger.
pub(crate) fn read_pending<'b>(
    raw: &'b [u8],
    line_in_block: u64,
    identifier: &Identifier,
    currency: Currency,
) -> Result<PendingAttempt<'b>, LoadError> {
    let attempt = parse_attempt(raw, currency)?;
    Ok(PendingAttempt::new(attempt, line_in_block, identifier))
}
