//! Application of limit events to a store: read, judge, write conditionally, until the event has its effect.

use super::{Applied, CustomerWrite, Judgement, LimitStore, LimitWrite, PointerWrite, TRIES, judge};
use crate::deciding::{Clock, Remedy, StoreError, remedy};
use crate::domain::{ChangeKind, ChangeRecord, LimitEvent, LimitEventError, Millis, OwnLimit};

/// Applies limit events to a store. Any number of appliers may share one.
#[derive(Clone, Debug)]
pub struct LimitApplier<S, C> {
    /// The store.
    pub store: S,
    /// The clock. It determines which limits have been closed for long.
    pub clock: C,
}

/// Reason why an event was not applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// The event is refused. A retry does not help.
    #[error(transparent)]
    Event(#[from] LimitEventError),
    /// The store failed, and retries did not help or cannot help.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: LimitStore, C: Clock> LimitApplier<S, C> {
    /// Applies an event. The result is the same if the answer to a write was lost: the event's own number at a mark shows
    /// that the write was made.
    ///
    /// # Errors
    /// [`ApplyError`]. After an error of the store, the event may have been applied; it can be applied again.
    pub async fn apply(&self, event: &LimitEvent) -> Result<Applied, ApplyError> {
        let (mut tries, mut has_written) = (TRIES, false);
        loop {
            match self.attempt(event, &mut has_written).await {
                Err(ApplyError::Store(error)) => {
                    if remedy(&error) == Remedy::GiveUp || !tries.again(&self.clock).await {
                        return Err(error.into());
                    }
                }
                applied => return applied,
            }
        }
    }

    /// Reads, judges and writes once. `has_written` is true from the first write on.
    async fn attempt(&self, event: &LimitEvent, has_written: &mut bool) -> Result<Applied, ApplyError> {
        let Some(change) = &event.change else { return Ok(Applied::Ignored) };
        let (limit_id, user_id) = (change.limit_id(), change.user_id());
        let stored = self.store.read(limit_id, user_id).await?;
        let change = match judge(event, stored.pointer.as_ref(), &stored.customer)? {
            Judgement::Change(change) => change,
            Judgement::Outdated => {
                let marks = stored.pointer.into_iter().flat_map(|it| [it.definition_mark, it.progress_mark]);
                let is_own = *has_written && marks.flatten().any(|mark| mark == event.sequence_number);
                return Ok(if is_own { Applied::Changed } else { Applied::Outdated });
            }
            Judgement::Ignored => return Ok(Applied::Ignored),
        };
        let customer = change.definition.map(|definition| {
            let mut after = stored.customer.clone();
            after.define(definition.clone(), self.as_of(event));
            let now = Millis::of(self.clock.now());
            let before = stored.customer.get(limit_id).map(|limit| limit.settled(now));
            let change = record(event, before, definition, stored.customer.version);
            CustomerWrite { read_version: stored.customer.version, after, change, answer: None }
        });
        let pointer = Some(PointerWrite { before: stored.pointer, after: change.pointer });
        let write = LimitWrite { limit_id: limit_id.to_owned(), user_id: user_id.to_owned(), pointer, customer };
        *has_written = true;
        self.store.write(&write).await?;
        Ok(Applied::Changed)
    }

    /// Returns the instant as of which closed limits are removed: that of the event, but none after the present. So a
    /// replay of old events keeps what its loads need.
    fn as_of(&self, event: &LimitEvent) -> Millis {
        Millis::of(self.clock.now()).min(event.created_at)
    }
}

/// Returns the record of a definition by an event, in the change that follows this version of the customer.
fn record(event: &LimitEvent, before: Option<OwnLimit>, after: OwnLimit, version: u64) -> ChangeRecord {
    ChangeRecord {
        version: version.saturating_add(1),
        kind: ChangeKind::Defined,
        changed_at: event.created_at,
        changed_by: format!("limit-event/{}", event.sequence_number),
        before,
        after,
    }
}
