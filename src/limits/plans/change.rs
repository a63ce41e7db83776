//! Conditional changes: their errors, and how a write is settled whose result is not known.

use crate::deciding::{Clock, Remedy, StoreError, remedy};
use crate::limits::CALLER_TRIES;

/// Reason why a plan, a programme or a link was not changed or not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlanError {
    /// What was to be changed is not as the change requires, or has been changed meanwhile. Nothing of the change is in force.
    #[error(
        "it has been changed, or is not as the request requires: read it again, and repeat the change on top of that"
    )]
    Changed,
    /// There is no such plan, or no such version of it.
    #[error("there is no such plan version: put the plan first, or choose one of its versions")]
    UnknownPlan,
    /// There is no such programme.
    #[error("there is no such programme: enrol a customer in it, or give it a default plan, first")]
    UnknownProgram,
    /// No plan is linked to the customer.
    #[error("no plan is linked to the customer")]
    UnknownLink,
    /// The store failed, and retries did not help or cannot help.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// State after a write whose result is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The write was made.
    Made,
    /// Everything is as it was read before the write.
    Unchanged,
    /// Somebody else has made a change.
    Changed,
}

/// Writes until the write is made, or somebody else has changed what it was based on. A conflict may be that of two
/// requests that meet, and an answer may be lost: only a read shows which. The write stays based on the first read, so that
/// it never overwrites a change that its author has not seen.
///
/// # Errors
/// [`PlanError::Changed`], or the store's error when retries do not help. After a lost answer, what somebody else has
/// changed may be what this write has left: then the result stays unknown, and is the store's error.
pub(super) async fn settle<W, R>(
    clock: &impl Clock,
    write: impl Fn() -> W + Send,
    seen: impl Fn() -> R + Send,
) -> Result<(), PlanError>
where
    W: Future<Output = Result<(), StoreError>> + Send,
    R: Future<Output = Result<Seen, StoreError>> + Send,
{
    let (mut tries, mut unknown) = (CALLER_TRIES, None);
    loop {
        let Err(mut error) = write().await else { return Ok(()) };
        if let StoreError::Unavailable(_) = error {
            unknown = Some(error.clone());
        }
        // What is there is read until it is known, and written only where nothing has changed.
        loop {
            if remedy(&error) == Remedy::GiveUp {
                return Err(error.into());
            }
            match seen().await {
                Ok(Seen::Made) => return Ok(()),
                Ok(Seen::Changed) => return Err(unknown.map_or(PlanError::Changed, PlanError::Store)),
                Ok(Seen::Unchanged) if tries.again(clock).await => break,
                Ok(Seen::Unchanged) => return Err(error.into()),
                Err(read) if tries.again(clock).await => error = read,
                Err(read) => return Err(read.into()),
            }
        }
    }
}
