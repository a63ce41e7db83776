//! Events that were decided.

use crate::replay::ledger::row_table::{Row, RowTable};
use crate::replay::ledger::{Key, LineOutcome, PendingAttempt};

/// Events of some customers that were decided. Which attempts are ignored does not depend on limits.
#[derive(Debug, Default)]
pub(crate) struct Events(RowTable<Event>);

/// An event, by its [`Identity`](super::Identity).
#[derive(Clone, Copy, Debug)]
struct Event(Key);

impl Row for Event {
    const VACANT: Event = Event(Key::VACANT);

    fn key(&self) -> Key {
        self.0
    }
}

impl Events {
    /// Remembers the events of these attempts, in this order. The outcome of an attempt whose event has been seen is that it is
    /// ignored.
    pub(crate) fn remember(&mut self, attempts: &mut [&mut PendingAttempt<'_>]) {
        for pending in &*attempts {
            self.0.touch(pending.identity.event);
        }
        for pending in attempts {
            if !self.0.insert(Event(pending.identity.event)) {
                pending.outcome = Some(LineOutcome::Ignored);
            }
        }
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.0.allocated_bytes()
    }
}
