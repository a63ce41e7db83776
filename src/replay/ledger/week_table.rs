//! Customers' usage in one week: compact for those who load rarely, and fast for those who load often.
//!
//! A customer with loads on one day takes a row of 18 bytes. From the second day on, one row of 48 bytes holds the
//! whole week. So a lookup reads one memory location, and the week of a hundred thousand customers fits into a
//! processor's cache. These rows are narrow. A day of more than 2^32 - 1 cents or 255 loads moves the customer's week
//! to [`WideWeeks`], and the row holds its place there.

use std::hint::black_box;

use hashbrown::HashTable;

use crate::domain::{Cents, DayAndWeek, LoadTotal, WeekUsage};
use crate::replay::ledger::Key;
use crate::replay::ledger::wide_weeks::WideWeeks;

/// Usage of one week. Customers are identified by their [`Identity`](super::Identity).
#[derive(Debug, Default)]
pub(super) struct WeekTable {
    /// Customers with loads on one day.
    days: HashTable<DayRow>,
    /// Customers with loads on more days, or with more than a day row holds. None of them is in `days`.
    weeks: HashTable<WeekRow>,
}

/// One customer's usage of one day. It is packed, because rows like it dominate the memory when customers load
/// rarely.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct DayRow {
    customer: Key,
    amount: u32,
    count: u8,
    days_since_monday: u8,
}

/// One customer's usage of the whole week, Monday first.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct WeekRow {
    customer: Key,
    /// The days' amounts. For a wide week, the first two are the lower and the upper half of its place.
    amounts: [NarrowAmount; 7],
    counts: [u8; 7],
    /// True when the usage is in [`WideWeeks`] instead of this row.
    is_wide: bool,
}

/// An amount of a narrow row, at any address. So a row is changed in place: a copy that is written in part and read as a whole waits.
#[derive(Clone, Copy, Debug, Default)]
#[repr(Rust, packed)]
struct NarrowAmount(u32);

const _: () = assert!(size_of::<DayRow>() == 18 && size_of::<WeekRow>() == 48, "what the module's text says");

impl WeekTable {
    /// Reads the memory that [`WeekTable::change`] needs, only to load it into the cache.
    pub(super) fn touch(&self, customer: Key) {
        if !black_box(self.weeks.find(customer.hash(), |row| { row.customer } == customer).is_some()) {
            black_box(self.days.find(customer.hash(), |row| { row.customer } == customer).is_some());
        }
    }

    /// Passes the customer's totals of a day and of the week to `change`, and stores the day's total that `change` returns, if
    /// any.
    pub(super) fn change(
        &mut self,
        wide: &mut WideWeeks,
        customer: Key,
        days_since_monday: u8,
        change: impl FnOnce(&DayAndWeek) -> Option<LoadTotal>,
    ) {
        let Some(row) = self.weeks.find_mut(customer.hash(), |row| { row.customer } == customer) else {
            return self.change_first_day(wide, customer, days_since_monday, change);
        };
        if row.is_wide {
            let Some(week) = wide.get_mut(row.place()) else { return };
            if let Some(day) = change(&week.totals(days_since_monday)) {
                week.set_day(days_since_monday, day);
            }
            return;
        }
        if let Some(day) = change(&row.totals(days_since_monday)) {
            row.set_any_day(wide, days_since_monday, day);
        }
    }

    /// Does the same as [`WeekTable::change`] for a customer without a week row.
    fn change_first_day(
        &mut self,
        wide: &mut WideWeeks,
        customer: Key,
        days_since_monday: u8,
        change: impl FnOnce(&DayAndWeek) -> Option<LoadTotal>,
    ) {
        let before = self.days.find_entry(customer.hash(), |row| { row.customer } == customer);
        let totals = before.as_ref().map_or_else(|_| DayAndWeek::default(), |row| row.get().totals(days_since_monday));
        let Some(day) = change(&totals) else { return };
        match (narrow(day), before) {
            (Some((amount, count)), Ok(mut row)) if row.get().days_since_monday == days_since_monday => {
                *row.get_mut() = DayRow { customer, amount, count, days_since_monday };
            }
            (Some((amount, count)), Err(_)) => {
                let row = DayRow { customer, amount, count, days_since_monday };
                self.days.insert_unique(customer.hash(), row, |row| { row.customer }.hash());
            }
            (_, before) => {
                let mut row = WeekRow { customer, amounts: [NarrowAmount(0); 7], counts: [0; 7], is_wide: false };
                if let Ok(before) = before {
                    let DayRow { amount, count, days_since_monday, .. } = before.remove().0;
                    row.set_any_day(wide, days_since_monday, widen(amount, count));
                }
                row.set_any_day(wide, days_since_monday, day);
                self.weeks.insert_unique(customer.hash(), row, |row| { row.customer }.hash());
            }
        }
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.days.allocation_size() + self.weeks.allocation_size()
    }

    /// Returns the numbers of customers with a day row and with a week row.
    #[cfg(test)]
    pub(super) fn rows(&self) -> [usize; 2] {
        [self.days.len(), self.weeks.len()]
    }
}

/// Returns a day's amount and count, if they fit into a narrow row.
fn narrow(LoadTotal { amount, count }: LoadTotal) -> Option<(u32, u8)> {
    Some((u32::try_from(amount.get()).ok()?, u8::try_from(count).ok()?))
}

fn widen(amount: u32, count: u8) -> LoadTotal {
    LoadTotal { amount: Cents::new(u64::from(amount)), count: u32::from(count) }
}

impl DayRow {
    fn totals(&self, days_since_monday: u8) -> DayAndWeek {
        let week = widen(self.amount, self.count);
        DayAndWeek { day: if self.days_since_monday == days_since_monday { week } else { LoadTotal::default() }, week }
    }
}

impl WeekRow {
    /// Records that the usage is at this place of the wide weeks.
    #[allow(clippy::cast_possible_truncation)]
    fn widen(&mut self, place: u64) {
        let [low, high, ..] = &mut self.amounts;
        (*low, *high) = (NarrowAmount(place as u32), NarrowAmount((place >> 32) as u32));
        self.is_wide = true;
    }

    fn place(&self) -> u64 {
        let [low, high, ..] = self.amounts;
        u64::from(low.0) | u64::from(high.0) << 32
    }

    /// Sets a day's usage of a row that is not wide. It becomes wide when that does not fit.
    fn set_any_day(&mut self, wide: &mut WideWeeks, days_since_monday: u8, day: LoadTotal) {
        if self.set_day(days_since_monday, day).is_none() {
            let mut usage = self.usage();
            usage.set_day(days_since_monday, day);
            self.widen(wide.push(&usage));
        }
    }

    /// Sets a day's usage. Returns `None` when it does not fit.
    fn set_day(&mut self, days_since_monday: u8, day: LoadTotal) -> Option<()> {
        let place = usize::from(days_since_monday);
        let (amount, count) = narrow(day)?;
        *self.amounts.get_mut(place)? = NarrowAmount(amount);
        *self.counts.get_mut(place)? = count;
        Some(())
    }

    fn totals(&self, days_since_monday: u8) -> DayAndWeek {
        // Neither sum can overflow: a row is narrow.
        let amount = Cents::new(self.amounts.iter().map(|amount| u64::from(amount.0)).sum());
        let week = LoadTotal { amount, count: self.counts.iter().copied().map(u32::from).sum() };
        let place = usize::from(days_since_monday);
        let day = self.amounts.get(place).zip(self.counts.get(place)).map(|(amount, count)| widen(amount.0, *count));
        DayAndWeek { day: day.unwrap_or_default(), week }
    }

    fn usage(&self) -> WeekUsage {
        let of = |place: usize| Some(widen(self.amounts.get(place)?.0, *self.counts.get(place)?));
        WeekUsage::new(std::array::from_fn(|place| of(place).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Day;

    const CUSTOMER: u128 = 7 << 32;
    const LITTLE: LoadTotal = LoadTotal { amount: Cents::new(7), count: 1 };

    /// Returns the totals of each day of a customer, Monday first, and of the week.
    fn totals(table: &mut WeekTable, wide: &mut WideWeeks, customer: Key) -> [DayAndWeek; 7] {
        let mut totals = [DayAndWeek::default(); 7];
        for (day, totals) in (0..).zip(&mut totals) {
            table.change(wide, customer, day, |seen| {
                *totals = *seen;
                None
            });
        }
        totals
    }

    fn expected_totals(usage: &WeekUsage) -> [DayAndWeek; 7] {
        // Day 4 is the first Monday after 1970-01-01.
        [4, 5, 6, 7, 8, 9, 10].map(|day| usage.totals(Day::from_epoch_days(day)))
    }

    /// Sets days one after another. Checks the usage and the numbers of rows after each.
    fn check(days: &[(u8, LoadTotal, [usize; 3])]) {
        let (mut table, mut wide, mut expected) = (WeekTable::default(), WideWeeks::default(), WeekUsage::default());
        // Other customers with the same tag in the table.
        for (other, day) in [(CUSTOMER + 1, 3), (CUSTOMER + 2, 4)] {
            table.change(&mut wide, Key::of(other), day, |_| Some(LITTLE));
        }
        for (place, day, rows) in days {
            table.change(&mut wide, Key::of(CUSTOMER), *place, |totals| {
                assert_eq!(*totals, expected.totals(Day::from_epoch_days(4 + i32::from(*place))));
                Some(*day)
            });
            expected.set_day(*place, *day);
            assert_eq!(totals(&mut table, &mut wide, Key::of(CUSTOMER)), expected_totals(&expected));
            assert_eq!([table.days.len() - 2, table.weeks.len(), wide.len()], *rows);
        }
        assert_eq!(totals(&mut table, &mut wide, Key::of(CUSTOMER + 1))[3], DayAndWeek { day: LITTLE, week: LITTLE });
        assert_eq!(totals(&mut table, &mut wide, Key::of(CUSTOMER + 2))[4], DayAndWeek { day: LITTLE, week: LITTLE });
    }

    #[test]
    fn a_customer_has_one_row_whatever_the_days() {
        let more = LoadTotal { amount: Cents::new(u64::from(u32::MAX)), count: 255 };
        check(&[(3, LITTLE, [1, 0, 0]), (3, more, [1, 0, 0]), (6, more, [0, 1, 0]), (0, LITTLE, [0, 1, 0])]);
    }

    #[test]
    fn what_is_too_much_for_a_row_goes_to_the_wide_weeks() {
        for too_much in [
            LoadTotal { amount: Cents::new(1 << 32), count: 1 },
            LoadTotal { amount: Cents::new(1), count: 256 },
            LoadTotal { amount: Cents::new(u64::MAX), count: u32::MAX },
        ] {
            check(&[(2, too_much, [0, 1, 1]), (2, LITTLE, [0, 1, 1]), (5, too_much, [0, 1, 1])]);
            check(&[(2, LITTLE, [1, 0, 0]), (2, too_much, [0, 1, 1]), (3, LITTLE, [0, 1, 1])]);
            check(&[(2, LITTLE, [1, 0, 0]), (4, too_much, [0, 1, 1]), (2, too_much, [0, 1, 1])]);
            check(&[(2, LITTLE, [1, 0, 0]), (4, LITTLE, [0, 1, 0]), (2, too_much, [0, 1, 1]), (0, LITTLE, [0, 1, 1])]);
        }
    }

    #[test]
    fn who_does_not_change_anything_leaves_nothing() {
        let (mut table, mut wide) = (WeekTable::default(), WideWeeks::default());
        assert_eq!(totals(&mut table, &mut wide, Key::of(CUSTOMER)), [DayAndWeek::default(); 7]);
        assert_eq!([table.days.len(), table.weeks.len(), wide.len()], [0; 3]);
    }
}
