//! The program for operators that lists or empties a dead-letter queue.

mod held;
mod letters;
mod pass;
mod perform;
mod redriver;
mod report;

use std::time::Duration;

use crate::deciding::{Clock, Publisher, QueueError, Received, Receiver, Sender, Store, StoreError};
use crate::domain::LoadError;
use crate::redrive::pass::Pass;
pub use crate::redrive::redriver::{Action, Actions, PerformError, Redriver};
pub use crate::redrive::report::{Cause, Letters, RedriveReport};

/// Wait for a further dead letter, after which the queue counts as empty.
const WAIT: Duration = Duration::from_secs(2);

/// Time for which a received dead letter is invisible to other consumers. If this program dies, the message becomes
/// visible after it.
const VISIBILITY: Duration = Duration::from_mins(5);

/// Maximum number of tries to receive from the queue.
const RECEIVE_TRIES_MAX: u32 = 3;

/// Storage for invalid dead letters that leave the queue.
pub trait Archive: Send {
    /// Stores dead letters durably, so that they survive a crash right after.
    ///
    /// # Errors
    /// Those of the medium. Then the dead letters stay in the queue.
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> std::io::Result<()>;
}

/// Mode of a redrive.
#[allow(missing_debug_implementations)]
pub enum Mode<'a> {
    /// Only reports the action that each dead letter needs.
    List,
    /// Performs the actions. Invalid dead letters go to the archive. Without an archive they stay, each in a group of
    /// its own.
    Go(Option<&'a mut dyn Archive>),
}

/// Lists or empties a dead-letter queue.
#[derive(Clone, Debug)]
pub struct Redrive<S, Q, C, O, I> {
    /// Settles dead letters.
    pub redriver: Redriver<S, Q, C, O>,
    /// The dead-letter queue.
    pub letters: I,
    /// Maximum number of dead letters to process.
    pub letters_max: u64,
}

/// Reason why a redrive ended early. Its completed work is in the report.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// Dead letters cannot be received.
    #[error("could not receive dead letters")]
    Receive(#[source] QueueError),
    /// The store cannot be read.
    #[error("could not read the store")]
    Read(#[source] StoreError),
    /// Invalid dead letters cannot be stored.
    #[error("could not keep invalid dead letters; they stay in the queue")]
    Archive(#[source] std::io::Error),
}

impl<S: Store, Q: Publisher, C: Clock, O: Sender, I: Receiver> Redrive<S, Q, C, O, I> {
    /// Processes the queue until it shows nothing new, or the maximum number of dead letters is reached. Calls
    /// `may_go_on` with the report so far before each request for more, and ends when it returns false.
    ///
    /// # Errors
    /// [`RedriveError`], beside the report of the work done until then.
    pub async fn run(
        &self,
        mode: Mode<'_>,
        may_go_on: impl Fn(&RedriveReport) -> bool,
    ) -> (RedriveReport, Result<(), RedriveError>) {
        Pass::new(self, mode, may_go_on).run().await
    }
}
