//! Application of a stream of limit events, one a line, to a book.

use std::io::{self, Read, Write};

use crate::domain::LimitEventError;
use crate::limits::{Applied, LimitBook};
use crate::wire::lines::{Piece, Source, is_blank, split};
use crate::wire::{RejectWriter, parse_limit_event};

/// Name of the input in rejects.
pub const SOURCE: &str = "customer-limits";

/// Numbers of events by their effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitEventCounts {
    /// Events that changed a limit.
    pub changed: u64,
    /// Events that changed nothing, because one with the same or a higher sequence number came before.
    pub outdated: u64,
    /// Events of types without an effect.
    pub ignored: u64,
    /// Lines that are not valid events.
    pub invalid: u64,
}

/// Reason why not all events were applied.
#[derive(Debug, thiserror::Error)]
pub enum LimitEventsError {
    /// The input could not be read further.
    #[error("could not read the limit events after line {lines}")]
    Read {
        /// Number of lines that were read.
        lines: u64,
        /// The underlying error.
        source: io::Error,
    },
    /// The rejects could not be written.
    #[error("could not write the rejects")]
    WriteRejects(#[from] io::Error),
}

/// Application of a stream of events in progress.
struct Events<'e, W> {
    book: &'e mut LimitBook,
    rejects: Option<&'e mut RejectWriter<W>>,
    report: &'e mut dyn FnMut(u64, &LimitEventError),
    lines: u64,
    counts: LimitEventCounts,
}

/// Applies all events of an input. Reports each invalid line, with its number from 1, and writes it to `rejects`.
///
/// # Errors
/// [`LimitEventsError`] when the input cannot be read further, or a reject cannot be written.
pub fn apply_limit_events<W: Write>(
    input: impl Read,
    book: &mut LimitBook,
    rejects: Option<&mut RejectWriter<W>>,
    mut report: impl FnMut(u64, &LimitEventError),
) -> Result<LimitEventCounts, LimitEventsError> {
    let mut events = Events { book, rejects, report: &mut report, lines: 0, counts: LimitEventCounts::default() };
    let (mut source, mut block) = (Source::new(input), Vec::new());
    while let Some((_, piece)) = source.take(&mut block) {
        match piece {
            Piece::Lines => split(&block).try_for_each(|raw| events.line(raw))?,
            Piece::Overlong { begins, ends } => events.overlong(&block, begins, ends)?,
            Piece::Failed(source) => {
                let lines = events.lines;
                events.end()?;
                return Err(LimitEventsError::Read { lines, source });
            }
        }
    }
    events.end()
}

impl<W: Write> Events<'_, W> {
    fn line(&mut self, raw: &[u8]) -> io::Result<()> {
        self.lines += 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if is_blank(raw) {
            return Ok(());
        }
        match parse_limit_event(raw).and_then(|event| self.book.apply(event)) {
            Ok(Applied::Changed) => self.counts.changed += 1,
            Ok(Applied::Outdated) => self.counts.outdated += 1,
            Ok(Applied::Ignored) => self.counts.ignored += 1,
            Err(error) => {
                self.count_invalid(self.lines, &error);
                self.reject(|rejects, line| rejects.write(line, &error, raw))?;
            }
        }
        Ok(())
    }

    /// Takes a part of a line that is too long to be an event.
    fn overlong(&mut self, part: &[u8], begins: bool, ends: bool) -> io::Result<()> {
        let error = LimitEventError::TooLong;
        if begins {
            self.lines += 1;
            self.count_invalid(self.lines, &error);
            self.reject(|rejects, line| rejects.begin(line, &error))?;
        }
        self.reject(|rejects, _| rejects.push(part))?;
        if ends { self.reject(|rejects, _| rejects.end_if_begun()) } else { Ok(()) }
    }

    fn count_invalid(&mut self, line: u64, error: &LimitEventError) {
        self.counts.invalid += 1;
        (self.report)(line, error);
    }

    fn reject(&mut self, write: impl FnOnce(&mut RejectWriter<W>, u64) -> io::Result<()>) -> io::Result<()> {
        let line = self.lines;
        self.rejects.as_mut().map_or(Ok(()), |rejects| write(rejects, line))
    }

    fn end(mut self) -> Result<LimitEventCounts, LimitEventsError> {
        self.reject(|rejects, _| rejects.end_if_begun())?;
        Ok(self.counts)
    }
}
