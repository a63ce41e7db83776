//! A hash table of rows in one list, by linear probing: a row is at its home, or behind it before the first vacant row.
//!
//! Every attempt needs rows in places of memory that no cache is likely to hold. A table with its marks apart from its rows, such
//! as `hashbrown`'s, takes two of them for each look-up, and its home cannot be loaded ahead without a branch that waits for
//! memory. Here one place is enough, and [`RowTable::touch`] has no such branch.

use std::hint::black_box;

use crate::replay::ledger::Key;

/// A row of a table.
pub(super) trait Row: Copy {
    /// A row that is vacant: its key is [`Key::VACANT`].
    const VACANT: Self;

    /// The key.
    fn key(&self) -> Key;
}

/// A table grows by half when more than 3/4 of its rows are in use. So from its first growth on, at least half of them are.
const USED_QUARTERS_MAX: usize = 3;

/// The number of rows of the smallest table.
const ROWS_MIN: usize = 4;

/// Rows by their keys. No row is ever removed.
#[derive(Debug)]
pub(super) struct RowTable<R> {
    rows: Vec<R>,
    used: usize,
}

/// The place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The row with the key.
    Used(usize),
    /// The vacant row in which the key belongs. It is valid until a row is inserted.
    Vacant(usize),
}

impl Place {
    /// Returns true if no row has the key.
    pub(super) const fn is_vacant(self) -> bool {
        matches!(self, Place::Vacant(_))
    }
}

impl<R> Default for RowTable<R> {
    fn default() -> RowTable<R> {
        RowTable { rows: Vec::new(), used: 0 }
    }
}

impl<R: Row> RowTable<R> {
    /// Reads the memory that [`RowTable::place`] needs, only to load it into the cache.
    pub(super) fn touch(&self, key: Key) {
        black_box(self.rows.get(self.home(key)).map_or(0, |row| row.key().hash()));
    }

    /// Returns the place of a key in a table that has room for it.
    pub(super) fn place(&self, key: Key) -> Place {
        let mut place = self.home(key);
        loop {
            match self.rows.get(place).map(R::key) {
                Some(Key::VACANT) => return Place::Vacant(place),
                Some(used) if used == key => return Place::Used(place),
                Some(_) => place += 1,
                None if self.rows.is_empty() => return Place::Vacant(0),
                None => place = 0,
            }
        }
    }

    /// Returns the row with a key.
    pub(super) fn get(&self, key: Key) -> Option<&R> {
        match self.place(key) {
            Place::Used(place) => self.rows.get(place),
            Place::Vacant(_) => None,
        }
    }

    /// Returns the row with a key, to change it.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut R> {
        match self.place(key) {
            Place::Used(place) => self.rows.get_mut(place),
            Place::Vacant(_) => None,
        }
    }

    /// Inserts a row, unless there is one with its key. Returns true if it was inserted.
    pub(super) fn insert(&mut self, row: R) -> bool {
        if (self.used + 1) * 4 > self.rows.len() * USED_QUARTERS_MAX {
            self.grow();
        }
        let Place::Vacant(place) = self.place(row.key()) else { return false };
        if let Some(vacant) = self.rows.get_mut(place) {
            *vacant = row;
            self.used += 1;
        }
        true
    }

    /// Moves all rows to a larger list. Homes have the order of the keys in both, so that memory is read and written in order.
    fn grow(&mut self) {
        let rows = (self.rows.len() + self.rows.len().div_ceil(2)).max(ROWS_MIN);
        let before = std::mem::replace(&mut self.rows, vec![R::VACANT; rows]);
        for row in before.into_iter().filter(|row| row.key() != Key::VACANT) {
            if let Place::Vacant(place) = self.place(row.key())
                && let Some(vacant) = self.rows.get_mut(place)
            {
                *vacant = row;
            }
        }
    }

    /// Returns the first place at which a key may be: its hash as a fraction, of the number of rows.
    fn home(&self, key: Key) -> usize {
        let home = (u128::from(key.hash()) * self.rows.len() as u128) >> 64;
        usize::try_from(home).unwrap_or_default()
    }

    /// Returns the number of rows in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<R>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    impl Row for Key {
        const VACANT: Key = Key::VACANT;

        fn key(&self) -> Key {
            *self
        }
    }

    #[test]
    fn a_key_is_found_once_it_is_inserted_wherever_its_home_is() {
        // The last home, so that rows go on at the beginning; many of one home; and all over the table.
        let shapes: [fn(u128) -> u128; 3] =
            [|n| u128::MAX - n, |n| n + 1, |n| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)];
        for hash in shapes {
            let (mut table, mut known) = (RowTable::default(), HashSet::new());
            for n in (0..3_000).chain(1_500..4_500) {
                let key = Key::of(hash(n));
                assert_eq!(matches!(table.place(key), Place::Used(_)), known.contains(&n), "{n}");
                assert_eq!(table.insert(key), known.insert(n), "{n}");
                assert_eq!(table.get_mut(key).copied(), Some(key));
                table.touch(key);
            }
            assert_eq!(table.used(), known.len());
            assert!(known.into_iter().all(|n| matches!(table.place(Key::of(hash(n))), Place::Used(_))));
        }
    }

    #[test]
    fn at_least_half_of_a_grown_table_is_in_use() {
        let mut table = RowTable::<Key>::default();
        for n in 1..10_000_u128 {
            table.insert(Key::of(n << 80));
            let rows = table.allocated_bytes() / size_of::<Key>();
            assert!(rows == ROWS_MIN || table.used() * 2 >= rows, "{} of {rows}", table.used());
            assert!(table.used() * 4 <= rows * USED_QUARTERS_MAX);
        }
    }
}
