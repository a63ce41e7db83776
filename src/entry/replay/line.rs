//! One line of the input, and what becomes of it.

use memchr::memchr_iter;

use crate::app::ledger::{Identifier, PendingAttempt};
use crate::domain::{ATTEMPT_BYTES_MAX, LoadError};
use crate::wire::parse_attempt;

/// A line that is not blank.
#[derive(Debug)]
pub(super) enum Line<'b> {
    /// A valid load attempt.
    Valid(PendingAttempt<'b>),
    /// Anything else.
    Invalid(Invalid<'b>),
}

/// A line that is no valid load attempt.
#[derive(Debug)]
pub(super) struct Invalid<'b> {
    /// Which line of its block it is, blank ones counted, from 0.
    pub(super) line_in_block: u64,
    pub(super) error: LoadError,
    /// The line without its end.
    pub(super) raw: &'b [u8],
}

/// Reads the lines of a block, each on its own. Says also how many there are with the blank ones.
pub(super) fn read_lines<'b>(block: &'b [u8], identifier: &Identifier) -> (Vec<Line<'b>>, u64) {
    let mut lines = Vec::with_capacity(block.len() / 64);
    let mut line_count = 0;
    for raw in split(block) {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if !is_blank(raw) {
            lines.push(read_line(raw, line_count, identifier));
        }
        line_count += 1;
    }
    (lines, line_count)
}

/// Whether a line is nothing but white space. One that is too long is too long all the same: those that do not fit into a
/// block are never looked at.
fn is_blank(raw: &[u8]) -> bool {
    raw.len() <= ATTEMPT_BYTES_MAX && raw.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The block's lines, without their line feeds.
fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let last_without_end = (!block.is_empty() && !block.ends_with(b"\n")).then_some(block.len());
    let ends = memchr_iter(b'\n', block).chain(last_without_end);
    let mut begin = 0;
    ends.map(move |end| block.get(std::mem::replace(&mut begin, end + 1)..end).unwrap_or_default())
}

fn read_line<'b>(raw: &'b [u8], line_in_block: u64, identifier: &Identifier) -> Line<'b> {
    match parse_attempt(raw) {
        Ok(attempt) => Line::Valid(PendingAttempt { identity: identifier.identify(&attempt), attempt, outcome: None }),
        Err(error) => Line::Invalid(Invalid { line_in_block, error, raw }),
    }
}
