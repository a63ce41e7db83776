//! Targets of the requests that customers share.

use crate::deciding::consumer::batch::Batch;
use crate::deciding::consumer::requests::{Answers, Target};
use crate::deciding::log::not_taken;
use crate::deciding::{Cause, Clock, LOG_ENTRIES_MAX, Publisher, QueueError, SEND_MAX, Store, StoreError};
use crate::domain::{LogEntry, StoredDecision};

/// The decisions queue.
pub struct DecisionsQueue<'q, Q>(pub &'q Q);

/// The decision log, with the batch that pays for its writes.
pub struct Log<'b, 'c, S, Q, C>(pub &'b Batch<'c, S, Q, C>);

impl<Q: Publisher> Target for DecisionsQueue<'_, Q> {
    type Item = StoredDecision;
    type Error = QueueError;
    const ITEMS_MAX: usize = SEND_MAX;

    async fn send(&self, decisions: &[&StoredDecision]) -> Answers<Self> {
        self.0.publish(decisions).await
    }

    fn no_answer() -> QueueError {
        QueueError::no_answer()
    }
}

impl<S: Store, Q: Publisher, C: Clock> Target for Log<'_, '_, S, Q, C> {
    type Item = LogEntry;
    type Error = StoreError;
    const ITEMS_MAX: usize = LOG_ENTRIES_MAX;

    async fn send(&self, entries: &[&LogEntry]) -> Answers<Self> {
        let written = match self.0.store().write_log(entries).await {
            Ok(written) => written,
            Err(error) => return vec![Err(error); entries.len()],
        };
        self.0.note(|report| report.units += written.units);
        let answer = |place: usize| if written.value.contains(&place) { Err(not_taken()) } else { Ok(()) };
        (0..entries.len()).map(answer).collect()
    }

    fn no_answer() -> StoreError {
        StoreError::Unavailable(Cause::new("the decision log has given no answer"))
    }
}
