//! One line of the input, and what becomes of it.

use std::borrow::Cow;

use memchr::memchr_iter;

use crate::app::ledger::{Identifier, PendingAttempt};
use crate::domain::{ATTEMPT_BYTES_MAX, LoadError};
use crate::wire::parse_attempt;

/// A line that is not blank.
#[derive(Debug)]
pub(in crate::entry) enum Line<'b, A = PendingAttempt<'b>> {
    /// A valid load attempt.
    Valid(A),
    /// Anything else.
    Invalid(Invalid<'b>),
}

/// A line that is no valid load attempt.
#[derive(Debug)]
pub(in crate::entry) struct Invalid<'b> {
    /// Which line of its block it is, blank ones counted, from 0.
    pub(in crate::entry) line_in_block: u64,
    pub(in crate::entry) error: LoadError,
    /// The line without its end.
    pub(in crate::entry) raw: Cow<'b, [u8]>,
}

/// Reads the lines of a block, each on its own, with `read`, which is told which line of its block it reads. Says also how
/// many there are with the blank ones.
pub(in crate::entry) fn read_lines<'b, A>(
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
pub(in crate::entry) fn read_pending<'b>(
    raw: &'b [u8],
    identifier: &Identifier,
) -> Result<PendingAttempt<'b>, LoadError> {
    let attempt = parse_attempt(raw)?;
    Ok(PendingAttempt::new(attempt, identifier))
}

/// Whether a line is nothing but white space. One that is too long is too long all the same: those that do not fit into a
/// block are never looked at.
pub(in crate::entry) fn is_blank(raw: &[u8]) -> bool {
    raw.len() <= ATTEMPT_BYTES_MAX && raw.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The block's lines, without their line feeds.
pub(in crate::entry) fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let last_without_end = (!block.is_empty() && !block.ends_with(b"\n")).then_some(block.len());
    let ends = memchr_iter(b'\n', block).chain(last_without_end);
    let mut begin = 0;
    ends.map(move |end| block.get(std::mem::replace(&mut begin, end + 1)..end).unwrap_or_default())
}
