//! Application of a stream of limit events, one a line, to a book or to a store.

use std::io::{self, Read, Write};
use std::mem::take;

use crate::deciding::{Clock, StoreError};
use crate::domain::{LimitEvent, LimitEventError};
use crate::limits::{Applied, ApplyError, LimitApplier, LimitBook, LimitStore};
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

impl LimitEventCounts {
    /// Returns the number of lines that are not blank.
    pub const fn events(&self) -> u64 {
        self.changed + self.outdated + self.ignored + self.invalid
    }
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
    /// The store failed.
    #[error("could not apply the limit event of line {line}; the same command again goes on where this one stopped")]
    Store {
        /// The line, from 1.
        line: u64,
        /// The underlying error.
        source: StoreError,
    },
}

/// Receiver of a stream's progress. A closure receives the invalid lines only.
pub trait LimitEventObserver {
    /// Receives an invalid line, with its number from 1.
    fn invalid(&mut self, line: u64, error: &LimitEventError);

    /// Receives the counts so far.
    fn progressed(&mut self, _counts: &LimitEventCounts) {}
}

impl<F: FnMut(u64, &LimitEventError)> LimitEventObserver for F {
    fn invalid(&mut self, line: u64, error: &LimitEventError) {
        self(line, error);
    }
}

/// Applies all events of an input to a book. Reports each invalid line, with its number from 1, and writes it to `rejects`.
///
/// # Errors
/// [`LimitEventsError`] when the input cannot be read further, or a reject cannot be written.
pub fn apply_limit_events<W: Write>(
    input: impl Read,
    book: &mut LimitBook,
    rejects: Option<&mut RejectWriter<W>>,
    report: impl FnMut(u64, &LimitEventError),
) -> Result<LimitEventCounts, LimitEventsError> {
    let mut stream = Stream::new(input, rejects, report);
    while let Some(events) = stream.next()? {
        let applied = events.into_iter().map(|event| Ok(book.apply(&event)?));
        stream.settle(applied)?;
    }
    Ok(stream.counts)
}

/// Applies all events of an input to a store: each customer's in order, customers in parallel. Reports each invalid line,
/// and writes it to `rejects`.
///
/// # Errors
/// [`LimitEventsError`] when the input cannot be read further, a reject cannot be written, or the store fails.
pub async fn store_limit_events<W: Write, S: LimitStore, C: Clock>(
    input: impl Read,
    applier: &LimitApplier<S, C>,
    rejects: Option<&mut RejectWriter<W>>,
    observer: impl LimitEventObserver,
) -> Result<LimitEventCounts, LimitEventsError> {
    let mut stream = Stream::new(input, rejects, observer);
    while let Some(events) = stream.next()? {
        stream.settle(applier.apply_all(events).await)?;
    }
    Ok(stream.counts)
}

/// Lines of an input, block by block.
struct Stream<'r, R, W, O> {
    source: Source<R>,
    block: Vec<u8>,
    /// Each line of the block: `None` for a blank one, else the result of parsing it.
    parsed: Vec<Option<Result<(), LimitEventError>>>,
    rejects: Option<&'r mut RejectWriter<W>>,
    observer: O,
    lines: u64,
    counts: LimitEventCounts,
}

impl<'r, R: Read, W: Write, O: LimitEventObserver> Stream<'r, R, W, O> {
    fn new(input: R, rejects: Option<&'r mut RejectWriter<W>>, observer: O) -> Stream<'r, R, W, O> {
        let (source, counts) = (Source::new(input), LimitEventCounts::default());
        Stream { source, block: Vec::new(), parsed: Vec::new(), rejects, observer, lines: 0, counts }
    }

    /// Returns the valid events of the next block, which [`Stream::settle`] must settle. `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<LimitEvent>>, LimitEventsError> {
        while let Some((_, piece)) = self.source.take(&mut self.block) {
            match piece {
                Piece::Lines => return Ok(Some(self.parse())),
                Piece::Overlong { begins, ends } => self.overlong(begins, ends)?,
                Piece::Failed(source) => {
                    self.reject(|rejects, _| rejects.end_if_begun())?;
                    return Err(LimitEventsError::Read { lines: self.lines, source });
                }
            }
        }
        self.reject(|rejects, _| rejects.end_if_begun())?;
        Ok(None)
    }

    fn parse(&mut self) -> Vec<LimitEvent> {
        let mut events = Vec::new();
        let parsed = split(&self.block).map(without_return).map(|raw| {
            let event = (!is_blank(raw)).then(|| parse_limit_event(raw))?;
            Some(event.map(|event| events.push(event)))
        });
        self.parsed = parsed.collect();
        events
    }

    /// Counts and reports the lines of the block. `applied` has the results of its valid events, in order.
    fn settle(
        &mut self,
        applied: impl IntoIterator<Item = Result<Applied, ApplyError>>,
    ) -> Result<(), LimitEventsError> {
        let (block, parsed, mut applied) = (take(&mut self.block), take(&mut self.parsed), applied.into_iter());
        for (raw, parsed) in split(&block).map(without_return).zip(parsed) {
            self.lines += 1;
            let result = match parsed {
                None => continue,
                Some(Err(error)) => Err(error.into()),
                Some(Ok(())) => applied.next().unwrap_or(Ok(Applied::Ignored)),
            };
            match result {
                Ok(Applied::Changed) => self.counts.changed += 1,
                Ok(Applied::Outdated) => self.counts.outdated += 1,
                Ok(Applied::Ignored) => self.counts.ignored += 1,
                Err(ApplyError::Event(error)) => {
                    self.count_invalid(&error);
                    self.reject(|rejects, line| rejects.write(line, &error, raw))?;
                }
                Err(ApplyError::Store(source)) => {
                    self.reject(|rejects, _| rejects.flush())?;
                    return Err(LimitEventsError::Store { line: self.lines, source });
                }
            }
        }
        (self.block, self.parsed) = (block, Vec::new());
        self.observer.progressed(&self.counts);
        Ok(())
    }

    /// Takes a part of a line that is too long to be an event.
    fn overlong(&mut self, begins: bool, ends: bool) -> io::Result<()> {
        let error = LimitEventError::TooLong;
        if begins {
            self.lines += 1;
            self.count_invalid(&error);
            self.reject(|rejects, line| rejects.begin(line, &error))?;
        }
        let part = take(&mut self.block);
        self.reject(|rejects, _| rejects.push(&part))?;
        self.block = part;
        if ends { self.reject(|rejects, _| rejects.end_if_begun()) } else { Ok(()) }
    }

    fn count_invalid(&mut self, error: &LimitEventError) {
        self.counts.invalid += 1;
        self.observer.invalid(self.lines, error);
    }

    fn reject(&mut self, write: impl FnOnce(&mut RejectWriter<W>, u64) -> io::Result<()>) -> io::Result<()> {
        let line = self.lines;
        self.rejects.as_mut().map_or(Ok(()), |rejects| write(rejects, line))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
