//! The replay of a file: decides the lines of a stream, in order, on several threads.
//!
//! # The life of a block
//! Each worker thread processes one block of whole lines at a time:
//! 1. **take** the next block from the [source](crate::wire::lines::Source) and, with it, a ticket, which is the block's number
//!    in order;
//! 2. **read** its [lines](line::Line), in parallel with other workers;
//! 3. **decide** its attempts: each customer is assigned to one of the [shards](shards::Shards), each a ledger of its
//!    own, and a worker passes through every shard in its ticket's turn. So every customer's attempts are decided in
//!    the input's order, whichever thread does it, while blocks follow one another through the shards;
//! 4. **settle** it: in its ticket's turn, the block's decisions and rejects are written, and its lines are counted.
//!
//! [`StoreReplay`] works in a similar way with a store instead of the shards, and tasks instead of threads.
//!
//! Steps 3 and 4 wait at [ticket locks](ticket_lock::TicketLock). Nothing is queued or reordered, and at most one
//! block for each thread is in memory.

#[cfg(feature = "cli")]
mod flow;
pub mod generate;
pub mod ledger;
mod line;
#[cfg(feature = "cli")]
mod manifest;
mod output;
mod shards;
#[cfg(feature = "cli")]
mod store;
mod tally;
mod ticket_lock;
#[cfg(feature = "cli")]
mod verify;

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::deciding::UndecidedReason;
use crate::domain::Currency;
use crate::limits::AllLimits;
use crate::replay::ledger::Identifier;
use crate::replay::line::{read_lines, read_pending};
#[cfg(feature = "cli")]
pub use crate::replay::manifest::{Comparison, Entered, Manifest, ManifestCheck, ManifestEntry};
use crate::replay::output::RenderedBlock;
pub use crate::replay::output::{ReplayObserver, ReplayOutput};
use crate::replay::shards::Shards;
#[cfg(feature = "cli")]
pub use crate::replay::store::StoreReplay;
pub use crate::replay::tally::Tally;
use crate::replay::ticket_lock::TicketLock;
use crate::wire::Reasons;
use crate::wire::lines::{Piece, Source};

/// Settings of a replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The limits in force.
    pub limits: AllLimits,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Includes or omits the reasons of each decision.
    pub reasons: Reasons,
    /// Number of threads that read, decide and write. It does not affect the output.
    pub threads: NonZeroUsize,
    /// The secret key of events' identities, random for each run.
    pub identity_key: [u8; 16],
}

/// Result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayReport {
    /// Counts of the attempts in the output.
    pub tally: Tally,
    /// True when the end of the input was reached. Otherwise the reader of the decisions closed the pipe.
    pub is_complete: bool,
}

/// Reason why a replay ended early. The output of everything before it has been written.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The input could not be read further.
    #[error("could not read the input after line {lines}")]
    Read {
        /// Number of lines that were read.
        lines: u64,
        /// The underlying error.
        source: io::Error,
    },
    /// The line could not be decided with the store. Every decision of the blocks before this line's has been
    /// written.
    #[error("line {line} could not be decided; the same command again goes on where this one stopped")]
    Store {
        /// The line's number.
        line: u64,
        /// The reason.
        source: UndecidedReason,
    },
    /// The run began with other lines. None of them has been decided now.
    #[error(
        "{} not as this run began with: the input has changed. Put the lines back as they were and run the same command \
         again; then decide changed and new attempts from a file of their own, with another --run", lines(*first_line, *last_line)
    )]
    InputChanged {
        /// Number of the first of these lines.
        first_line: u64,
        /// Number of the last one.
        last_line: u64,
    },
    /// The decisions could not be written.
    #[error("could not write the decisions")]
    WriteDecisions(#[source] io::Error),
    /// The rejects could not be written.
    #[error("could not write the rejects")]
    WriteRejects(#[source] io::Error),
}

fn lines(first: u64, last: u64) -> String {
    if first == last { format!("line {first} is") } else { format!("lines {first} to {last} are") }
}

impl Replay {
    /// Decides every line of `input`, and writes the results to `output`, in the input's order.
    ///
    /// A closed pipe at the reader of the decisions ends the replay early and is not an error.
    ///
    /// # Errors
    /// [`ReplayError`] when the input cannot be read further, or an output cannot be written.
    pub fn run<R: Read + Send>(&self, input: R, output: ReplayOutput<'_>) -> Result<ReplayReport, ReplayError> {
        let run = MemoryRun::new(self, input, output);
        std::thread::scope(|scope| {
            for _ in 1..self.threads.get() {
                // If the system allows no more threads, fewer threads do the same work.
                if std::thread::Builder::new().spawn_scoped(scope, || run.work()).is_err() {
                    break;
                }
            }
            run.work();
        });
        run.output.into_inner().finish()
    }
}

/// One replay in progress, shared by its workers.
struct MemoryRun<'a, 'o, R> {
    replay: &'a Replay,
    identifier: Identifier,
    source: Mutex<Source<R>>,
    shards: Shards,
    output: TicketLock<ReplayOutput<'o>>,
}

impl<'a, 'o, R: Read> MemoryRun<'a, 'o, R> {
    fn new(replay: &'a Replay, input: R, output: ReplayOutput<'o>) -> MemoryRun<'a, 'o, R> {
        MemoryRun {
            replay,
            identifier: Identifier::new(replay.identity_key),
            source: Mutex::new(Source::new(input)),
            shards: Shards::new(),
            output: TicketLock::new(output),
        }
    }

    /// Processes one block at a time until the input ends or the output is stopped.
    fn work(&self) {
        let _close_on_panic = CloseOnPanic(self);
        let mut block = Vec::new();
        while let Some((ticket, piece)) = self.take(&mut block) {
            if self.pass(ticket, piece, &block).is_none() {
                return;
            }
        }
    }

    fn take(&self, block: &mut Vec<u8>) -> Option<(u64, Piece)> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).take(block)
    }

    /// Processes one block. Returns `None` when the replay has been stopped early.
    fn pass(&self, ticket: u64, piece: Piece, block: &[u8]) -> Option<()> {
        let is_lines = matches!(piece, Piece::Lines);
        let read = |raw, _| read_pending(raw, &self.identifier, self.replay.currency);
        let (mut lines, line_count) = if is_lines { read_lines(block, read) } else { (Vec::new(), 0) };
        self.shards.decide(ticket, &mut lines, &self.replay.limits)?;
        let rendered = RenderedBlock::new(&lines, line_count, self.replay.reasons);
        let mut output = self.output.enter(ticket).filter(|output| !output.is_stopped())?;
        let written = match piece {
            Piece::Lines => output.write_block(&rendered),
            Piece::Overlong { begins, ends } => output.write_overlong(block, begins, ends),
            Piece::Failed(error) => output.fail_to_read(error),
        };
        written.map_err(|failure| output.stop(failure)).ok()
    }
}

/// Closes the ticket locks when a worker panics. Its ticket never comes, and the other workers would wait for it for
/// ever.
struct CloseOnPanic<'r, 'a, 'o, R: Read>(&'r MemoryRun<'a, 'o, R>);

impl<R: Read> Drop for CloseOnPanic<'_, '_, '_, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shards.close();
            self.0.output.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoObserver;

    impl ReplayObserver for NoObserver {
        fn invalid(&mut self, _line: u64, _error: &crate::domain::LoadError) {}
        fn progressed(&mut self, _tally: &Tally) {}
    }

    #[test]
    fn a_worker_that_panics_with_a_ticket_releases_the_others() {
        let threads = NonZeroUsize::MIN;
        let replay = Replay {
            limits: crate::domain::Limits::default().into(),
            currency: Currency::USD,
            reasons: Reasons::Omitted,
            threads,
            identity_key: [0; 16],
        };
        let output = ReplayOutput::new(io::sink(), None, NoObserver);
        let run = MemoryRun::new(&replay, io::empty(), output);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| run.pass(1, Piece::Lines, b""));
            let panicked = scope.spawn(|| {
                let _close_on_panic = CloseOnPanic(&run);
                panic!("with ticket 0");
            });
            assert!(panicked.join().is_err());
            assert_eq!(other.join().unwrap(), None);
        });
    }
}
