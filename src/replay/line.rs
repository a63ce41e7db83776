//! Lines of the input.

use std::borrow::Cow;

use crate::domain::{Currency, LoadError};
use crate::replay::ledger::{Dates, Identifier, PendingAttempt};
use crate::wire::lines::{Line, lines};
use crate::wire::{AttemptParser, ParsedAttempt};

/// The lines of a block that are not blank.
#[derive(Debug)]
pub(crate) struct Lines<'b, A = PendingAttempt<'b>> {
    /// The valid load attempts, in order.
    pub(crate) attempts: Vec<A>,
    /// The others, in order.
    pub(crate) invalid: Vec<Invalid<'b>>,
    /// Number of lines, including blank ones.
    pub(crate) count: u64,
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

impl<A> Lines<'_, A> {
    /// No lines, with room for so many attempts.
    pub(crate) fn with_capacity(attempts: usize) -> Self {
        Lines { attempts: Vec::with_capacity(attempts), invalid: Vec::new(), count: 0 }
    }
}

/// Reads each line of a block with `read`, which also receives the line's number in the block.
pub(crate) fn read_lines<'b, A>(
    block: &'b [u8],
    mut read: impl FnMut(Line<'b>, u64) -> Result<A, LoadError>,
) -> Lines<'b, A> {
    let mut found = Lines::with_capacity(block.len() / 64);
    lines(block).for_each(|line| {
        if !line.is_blank() {
            match read(line, found.count) {
                Ok(attempt) => found.attempts.push(attempt),
                Err(error) => {
                    found.invalid.push(Invalid { line_in_block: found.count, error, raw: line.raw().into() });
                }
            }
        }
        found.count += 1;
    });
    found
}

/// Reader of a block's lines for the ledger.
#[derive(Debug)]
pub(crate) struct LineReader<'i> {
    identifier: &'i Identifier,
    parser: AttemptParser,
    dates: Dates,
}

impl LineReader<'_> {
    /// Creates a reader for a deployment with this currency.
    pub(crate) fn new(identifier: &Identifier, currency: Currency) -> LineReader<'_> {
        LineReader { identifier, parser: AttemptParser::new(currency), dates: Dates::default() }
    }

    /// Reads the next line.
    pub(crate) fn read<'b>(&mut self, line: Line<'b>, line_in_block: u64) -> Result<PendingAttempt<'b>, LoadError> {
        let ParsedAttempt { attempt, line_head } = self.parser.parse(line)?;
        Ok(PendingAttempt::new(attempt, line_head, line_in_block, self.identifier, &mut self.dates))
    }
}
