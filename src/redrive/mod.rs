//! Redrive: lists a dead-letter queue, or empties it, one dead letter after another.

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

/// Wait for a further dead letter before the queue counts as empty.
const WAIT: Duration = Duration::from_secs(2);

/// Time that a dead letter is invisible to others. Should this program die, it comes back after that.
const VISIBILITY: Duration = Duration::from_mins(5);

/// Number of times that an answer of the queue is waited for that does not come.
const RECEIVE_TRIES_MAX: u32 = 3;

/// Archive of invalid dead letters that leave the queue.
pub trait Archive: Send {
    /// Keeps dead letters, so that they are there even when the machine stops right after.
    ///
    /// # Errors
    /// Those of the medium. Then the dead letters stay in the queue.
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> std::io::Result<()>;
}

/// Mode of a redrive.
#[allow(missing_debug_implementations)]
pub enum Mode<'a> {
    /// Nothing: only say what would be done.
    List,
    /// Performs each dead letter's action. Invalid ones go into the archive; without one they stay, each in a group of
    /// its own.
    Go(Option<&'a mut dyn Archive>),
}

/// Looks through a dead-letter queue, or empties it.
#[derive(Clone, Debug)]
pub struct Redrive<S, Q, C, O, I> {
    /// Performs the actions.
    pub redriver: Redriver<S, Q, C, O>,
    /// The dead-letter queue.
    pub letters: I,
    /// The most dead letters that are looked at.
    pub letters_max: u64,
}

/// Reason why looking through a dead-letter queue has ended early. What has been done until then is done, and in the
/// report.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// Letters cannot be received.
    #[error("could not receive letters")]
    Receive(#[source] QueueError),
    /// The store cannot be read.
    #[error("could not read the store")]
    Read(#[source] StoreError),
    /// Invalid dead letters cannot be kept.
    #[error("could not keep invalid letters, which stay in the queue")]
    Archive(#[source] std::io::Error),
}

impl<S: Store, Q: Publisher, C: Clock, O: Sender, I: Receiver> Redrive<S, Q, C, O, I> {
    /// Goes through the queue until it shows nothing new, or as many dead letters were seen as may be. `may_go_on` is
    /// asked before more are received, with what was done so far.
    ///
    /// # Errors
    /// [`RedriveError`], with what was done until then.
    pub async fn run(
        &self,
        mode: Mode<'_>,
        may_go_on: impl Fn(&RedriveReport) -> bool,
    ) -> (RedriveReport, Result<(), RedriveError>) {
        Pass::new(self, mode, may_go_on).run().await
    }
}
