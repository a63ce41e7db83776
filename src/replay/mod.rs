//! The replay of a file: decides the lines of a stream, in order, on several threads.
//!
//! # The life of a block
//! Each worker thread processes one block of whole lines at a time:
//! 1. **take** the next block from the [source](crate::wire::lines::Source) and, with it, a ticket, which is the block's number
//!    in order;
//! 2. **read** its [lines](line::Lines), in parallel with other workers;
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
mod run;
mod shards;
#[cfg(feature = "cli")]
mod store;
mod tally;
mod ticket_lock;
#[cfg(feature = "cli")]
mod verify;

use std::io::{self, Read};
use std::num::NonZeroUsize;

use crate::deciding::UndecidedReason;
use crate::domain::Currency;
use crate::limits::AllLimits;
use crate::replay::ledger::{Ledger, PendingAttempt};
#[cfg(feature = "cli")]
pub use crate::replay::manifest::{Comparison, Entered, Manifest, ManifestCheck, ManifestEntry};
pub use crate::replay::output::{ReplayObserver, ReplayOutput};
pub(crate) use crate::replay::run::{Engine, RunSettings, run};
#[cfg(feature = "cli")]
pub use crate::replay::store::StoreReplay;
pub use crate::replay::tally::Tally;
use crate::wire::Reasons;

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
    /// The run under which new decisions are logged; `None` if they are not.
    pub run_id: Option<String>,
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
        let settings = RunSettings {
            currency: self.currency,
            reasons: Some(self.reasons),
            threads: self.threads,
            identity_key: self.identity_key,
        };
        let (output, (), _) = run(self, settings, input, output);
        output.finish()
    }
}

impl Engine for Replay {
    type Ledger = Ledger;
    type Block<'b> = ();
    type Sum = ();

    fn new_ledger(&self) -> Ledger {
        Ledger::default()
    }

    fn new_block(&self) {}

    fn decide<'b>(&'b self, ledger: &mut Ledger, attempts: &mut [&mut PendingAttempt<'b>], (): &mut ()) {
        ledger.decide(&self.limits, attempts);
    }

    fn add((): &mut (), (): (), _lines_before: u64) {}
}
