//! One pass over an input in memory: the threads, their blocks, and the order in which blocks pass.

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::domain::Currency;
use crate::replay::ReplayOutput;
use crate::replay::ledger::{Identifier, PendingAttempt};
use crate::replay::line::{LineReader, Lines, read_lines};
use crate::replay::output::RenderedBlock;
use crate::replay::shards::Shards;
use crate::replay::ticket_lock::TicketLock;
use crate::wire::Reasons;
use crate::wire::lines::{Piece, Source};

/// Decides the attempts of an input. The replay decides them once, a backtest once for each table of limits.
pub(crate) trait Engine: Sync {
    /// Memory about the customers of one shard.
    type Ledger: Send;
    /// Figures of one block.
    type Block<'b>
    where
        Self: 'b;
    /// Figures of all blocks.
    type Sum: Default + Send;

    /// Creates the ledger of a shard that no customer has come to.
    fn new_ledger(&self) -> Self::Ledger;

    /// Creates the figures of a block without attempts.
    fn new_block(&self) -> Self::Block<'_>;

    /// Gives each attempt its outcome, in this order. They are those attempts of a block that belong to one shard.
    fn decide<'b>(
        &'b self,
        ledger: &mut Self::Ledger,
        attempts: &mut [&mut PendingAttempt<'b>],
        block: &mut Self::Block<'b>,
    );

    /// Adds the figures of a block, in its turn. `lines_before` is the number of lines before it.
    fn add(sum: &mut Self::Sum, block: Self::Block<'_>, lines_before: u64);
}

/// Settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunSettings {
    /// The currency of all amounts.
    pub(crate) currency: Currency,
    /// Includes or omits the reasons of each decision. Without it, no decisions are written.
    pub(crate) reasons: Option<Reasons>,
    /// Number of threads. It does not affect the output.
    pub(crate) threads: NonZeroUsize,
    /// The secret key of events' identities.
    pub(crate) identity_key: [u8; 16],
}

/// Decides every line of `input`, and writes the results to `output`, in the input's order. Returns the output, the sum of all
/// blocks' figures, and the ledgers.
pub(crate) fn run<'o, E: Engine, R: Read + Send>(
    engine: &E,
    settings: RunSettings,
    input: R,
    output: ReplayOutput<'o>,
) -> (ReplayOutput<'o>, E::Sum, Vec<E::Ledger>) {
    let run = Run::new(engine, settings, input, output);
    std::thread::scope(|scope| {
        for _ in 1..settings.threads.get() {
            // If the system allows no more threads, fewer threads do the same work.
            if std::thread::Builder::new().spawn_scoped(scope, || run.work()).is_err() {
                break;
            }
        }
        run.work();
    });
    let Settled { output, sum } = run.settled.into_inner();
    (output, sum, run.shards.into_ledgers().collect())
}

/// One run in progress, shared by its workers.
struct Run<'e, 'o, E: Engine, R> {
    engine: &'e E,
    settings: RunSettings,
    identifier: Identifier,
    source: Mutex<Source<R>>,
    shards: Shards<E::Ledger>,
    settled: TicketLock<Settled<'o, E::Sum>>,
}

/// Results of the blocks up to one.
struct Settled<'o, S> {
    output: ReplayOutput<'o>,
    sum: S,
}

impl<'e, 'o, E: Engine, R: Read> Run<'e, 'o, E, R> {
    fn new(engine: &'e E, settings: RunSettings, input: R, output: ReplayOutput<'o>) -> Run<'e, 'o, E, R> {
        Run {
            engine,
            settings,
            identifier: Identifier::new(settings.identity_key),
            source: Mutex::new(Source::new(input)),
            shards: Shards::new(settings.threads, || engine.new_ledger()),
            settled: TicketLock::new(Settled { output, sum: E::Sum::default() }),
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

    /// Processes one block. Returns `None` when the run has been stopped early.
    fn pass(&self, ticket: u64, piece: Piece, block: &[u8]) -> Option<()> {
        let mut lines = match piece {
            Piece::Lines => {
                let mut reader = LineReader::new(&self.identifier, self.settings.currency);
                read_lines(block, |line, line_in_block| reader.read(line, line_in_block))
            }
            Piece::Overlong { .. } | Piece::Failed(_) => Lines::with_capacity(0),
        };
        let engine = self.engine;
        let mut figures = engine.new_block();
        self.shards
            .pass(ticket, &mut lines.attempts, |ledger, attempts| engine.decide(ledger, attempts, &mut figures))?;
        let rendered = RenderedBlock::new(&lines, block.len(), self.settings.reasons);
        let mut settled = self.settled.enter(ticket).filter(|settled| !settled.output.is_stopped())?;
        let Settled { output, sum } = &mut *settled;
        let lines_before = output.lines();
        let written = match piece {
            Piece::Lines => output.write_block(&rendered),
            Piece::Overlong { begins, ends } => output.write_overlong(block, begins, ends),
            Piece::Failed(error) => output.fail_to_read(error),
        };
        written.map_err(|failure| output.stop(failure)).ok()?;
        E::add(sum, figures, lines_before);
        Some(())
    }
}

/// Closes the ticket locks when a worker panics. Its ticket never comes, and the other workers would wait for it for
/// ever.
struct CloseOnPanic<'r, 'e, 'o, E: Engine, R: Read>(&'r Run<'e, 'o, E, R>);

impl<E: Engine, R: Read> Drop for CloseOnPanic<'_, '_, '_, E, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shards.close();
            self.0.settled.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::replay::{Replay, ReplayObserver, Tally};

    struct NoObserver;

    impl ReplayObserver for NoObserver {
        fn invalid(&mut self, _line: u64, _error: &crate::domain::LoadError) {}
        fn progressed(&mut self, _tally: &Tally) {}
    }

    #[test]
    fn a_worker_that_panics_with_a_ticket_releases_the_others() {
        let (currency, reasons, threads, identity_key) = (Currency::USD, Reasons::Omitted, NonZeroUsize::MIN, [0; 16]);
        let limits = crate::domain::Limits::default().into();
        let replay = Replay { limits, currency, reasons, threads, identity_key };
        let settings = RunSettings { currency, reasons: Some(reasons), threads, identity_key };
        let run = Run::new(&replay, settings, io::empty(), ReplayOutput::new(io::sink(), None, NoObserver));
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
