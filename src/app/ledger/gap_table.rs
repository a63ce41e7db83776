//! A table of hashed keys that is nearly full and still grows in small steps.
//!
//! A usual hash table doubles: right after that it is less than half full, and while it doubles it stands there twice.
//! This one is a sorted array with gaps. A key's *home* is its share of the key space times the number of homes, so
//! homes rise with the keys, and a key stands at its home or, where that is taken, a few places later, in order.
//! Looking up walks from the home to the first key that is not smaller. Growing by an eighth is one pass over the array.
//!
//! # Invariants
//! 1. The keys that stand in `slots` rise strictly.
//! 2. No key stands before its home, and no slot between a key's home and the key is vacant.
//!
//! Keys must be spread evenly, as hashes under a secret key are; then a look-up touches one or two cache lines.

use std::ops::RangeInclusive;

/// What stands in a table: something small with a key.
pub(super) trait Slot: Copy {
    /// What stands where nothing stands. Its key is 0, which no other slot has.
    const VACANT: Self;

    /// The key.
    fn key(&self) -> u128;
}

/// The table. See the module's text.
#[derive(Debug)]
pub(super) struct GapTable<S> {
    /// At least `homes` slots; more where the last homes have run over.
    slots: Vec<S>,
    homes: usize,
    occupied: usize,
}

impl<S> Default for GapTable<S> {
    fn default() -> GapTable<S> {
        GapTable { slots: Vec::new(), homes: 0, occupied: 0 }
    }
}

impl<S: Slot> GapTable<S> {
    /// Puts in a slot whose key is new. Returns false, and changes nothing, where the key is there.
    pub(super) fn insert(&mut self, slot: S) -> bool {
        let at = self.seek(slot.key());
        let is_new = self.slots.get(at).is_none_or(|found| found.key() != slot.key());
        if is_new {
            self.put_new(at, slot);
        }
        is_new
    }

    /// Puts in a slot, in the place of the one with its key if there is one.
    pub(super) fn put(&mut self, slot: S) {
        let at = self.seek(slot.key());
        match self.slots.get_mut(at) {
            Some(found) if found.key() == slot.key() => *found = slot,
            _ => self.put_new(at, slot),
        }
    }

    /// The slots with these keys, in order. The keys must share one home: their upper halves are equal.
    pub(super) fn range(&self, keys: RangeInclusive<u128>) -> impl Iterator<Item = &S> {
        let found = self.slots.get(self.seek(*keys.start())..).unwrap_or_default();
        found.iter().take_while(move |slot| keys.contains(&slot.key()))
    }

    /// What stands at the key's home, if only to have it in the cache: see [`Ledger::warm`](super::Ledger::warm).
    pub(super) fn touch(&self, key: u128) -> u128 {
        self.slots.get(home(key, self.homes)).map_or(0, Slot::key)
    }

    /// Where the key stands, or else where it would have to be put in.
    fn seek(&self, key: u128) -> usize {
        let home = home(key, self.homes);
        let after = self.slots.get(home..).unwrap_or_default();
        let smaller = after.iter().take_while(|slot| slot.key() != 0 && slot.key() < key).count();
        home + smaller
    }

    fn put_new(&mut self, at: usize, slot: S) {
        self.open(at);
        if let Some(opened) = self.slots.get_mut(at) {
            *opened = slot;
        }
        self.occupied += 1;
        if self.occupied > self.homes / 4 * 3 {
            self.grow();
        }
    }

    /// Makes a place vacant, by moving what stands there and right after it one place on, up to the next gap.
    fn open(&mut self, at: usize) {
        let after = self.slots.get(at..).unwrap_or_default();
        let gap = at + after.iter().take_while(|slot| slot.key() != 0).count();
        if gap >= self.slots.len() {
            self.slots.resize(gap + 1, S::VACANT);
        }
        self.slots.copy_within(at..gap, at + 1);
    }

    /// An eighth more homes, and each slot to its new home, or behind the one before it.
    fn grow(&mut self) {
        self.homes += self.homes / 8 + 16;
        let mut grown = Vec::with_capacity(self.homes + self.homes / 64 + 16);
        for slot in self.slots.iter().filter(|slot| slot.key() != 0) {
            let home = home(slot.key(), self.homes);
            grown.resize(home.max(grown.len()), S::VACANT);
            grown.push(*slot);
        }
        grown.resize(self.homes.max(grown.len()), S::VACANT);
        self.slots = grown;
    }
}

/// The key's share of the key space, taken of the homes.
fn home(key: u128, homes: usize) -> usize {
    let share = (key >> 64) * homes as u128;
    usize::try_from(share >> 64).unwrap_or(usize::MAX)
}
