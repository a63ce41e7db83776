//! Events that were decided.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::replay::ledger::{Key, LineOutcome, PendingAttempt};

/// Events of some customers that were decided. Which attempts are ignored does not depend on limits.
#[derive(Debug, Default)]
pub(crate) struct Events(HashTable<Key>);

impl Events {
    /// Remembers the events of these attempts, in this order. The outcome of an attempt whose event has been seen is that it is
    /// ignored.
    pub(crate) fn remember(&mut self, attempts: &mut [&mut PendingAttempt<'_>]) {
        for pending in &*attempts {
            // Only to load the memory into the cache: see `Usage::touch`.
            std::hint::black_box(self.0.find(pending.identity.event.hash(), |_| false).is_some());
        }
        for pending in attempts {
            if !self.insert(pending.identity.event) {
                pending.outcome = Some(LineOutcome::Ignored);
            }
        }
    }

    /// Stores an event. Returns true when it has not been seen before.
    fn insert(&mut self, event: Key) -> bool {
        match self.0.entry(event.hash(), |seen| *seen == event, |seen| seen.hash()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(event);
                true
            }
        }
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.0.allocation_size()
    }
}
