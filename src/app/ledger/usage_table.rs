//! The usage of customers by week, in memory that grows with the weeks in which customers have accepted loads, and with nothing
//! else.
//!
//! Each week of each customer has one row of 32 bytes in a hash table. The row holds the usage while all of it is of one day.
//! From the second day on, the usage takes 88 bytes in a list beside the table, and the row holds its place there. Both take any
//! amount and any count.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::hash;
use crate::domain::{Cents, Day, DayUsage, Week, WeekUsage};

/// How many weeks the list grows by. It never moves, so it takes no more than it holds and one chunk.
const CHUNK_WEEKS: usize = 128;

/// Spreads the weeks of one customer over the table: the golden ratio's bits, as in Fibonacci hashing.
const WEEK_STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The usage. Customers are known by their [`Identity`](super::Identity).
#[derive(Debug, Default)]
pub(super) struct UsageTable {
    rows: HashTable<Row>,
    weeks: WeekList,
}

/// One customer's usage of one week.
#[derive(Clone, Copy, Debug)]
struct Row {
    customer: u128,
    /// The amount of the only day; of several days, the week's place in the list.
    amount_or_place: u64,
    /// The count of the only day; 0 if there are several, because a day in use has at least one load.
    count: u32,
    /// The first day in use. It says which week this is.
    day: Day,
}

/// Usage of several days, without the padding of [`WeekUsage`].
#[derive(Clone, Copy, Debug)]
struct DenseWeek {
    amounts: [Cents; 7],
    counts: [u32; 7],
}

/// Weeks that keep their places.
#[derive(Debug, Default)]
struct WeekList {
    chunks: Vec<Vec<DenseWeek>>,
}

const _: () = assert!(size_of::<Row>() == 32 && size_of::<DenseWeek>() == 88, "sizes in the module's text");

impl UsageTable {
    /// Reads what [`UsageTable::change`] will read, only to have it in the cache.
    pub(super) fn touch(&self, customer: u128, week: Week) {
        if let Some(row) = self.rows.find(spread(customer, week), |row| row.is_of(customer, week))
            && row.count == 0
        {
            std::hint::black_box(self.weeks.get(row.amount_or_place).is_some_and(|week| week.counts != [0; 7]));
        }
    }

    /// Shows to `change` the customer's usage of the day's week, and stores the usage of the day that it returns, if any.
    pub(super) fn change(&mut self, customer: u128, day: Day, change: impl FnOnce(&WeekUsage) -> Option<DayUsage>) {
        let (week, place) = (day.week(), day.days_since_monday());
        match self.rows.entry(spread(customer, week), |row| row.is_of(customer, week), Row::spread) {
            Entry::Vacant(vacant) => {
                if let Some(changed) = change(&WeekUsage::default()) {
                    vacant.insert(Row::new(customer, day, changed));
                }
            }
            Entry::Occupied(mut row) => {
                let row = row.get_mut();
                if row.count == 0 {
                    let Some(week) = self.weeks.get_mut(row.amount_or_place) else { return };
                    if let Some(changed) = change(&week.usage()) {
                        week.set_day(place, changed);
                    }
                    return;
                }
                let mut usage = row.usage();
                let Some(changed) = change(&usage) else { return };
                if row.day == day {
                    *row = Row::new(customer, day, changed);
                } else {
                    usage.set_day(place, changed);
                    (row.amount_or_place, row.count) = (self.weeks.push(DenseWeek::new(&usage)), 0);
                }
            }
        }
    }

    /// The memory that it has allocated, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        let chunks = &self.weeks.chunks;
        let weeks: usize = chunks.iter().map(|chunk| chunk.capacity() * size_of::<DenseWeek>()).sum();
        self.rows.allocation_size() + weeks + chunks.capacity() * size_of::<Vec<DenseWeek>>()
    }
}

impl Row {
    fn new(customer: u128, day: Day, usage: DayUsage) -> Row {
        Row { customer, amount_or_place: usage.amount.get(), count: usage.count.max(1), day }
    }

    fn is_of(&self, customer: u128, week: Week) -> bool {
        self.customer == customer && self.day.week() == week
    }

    fn spread(&self) -> u64 {
        spread(self.customer, self.day.week())
    }

    /// The usage, if it is of one day.
    fn usage(&self) -> WeekUsage {
        let mut usage = WeekUsage::default();
        let day = DayUsage { amount: Cents::new(self.amount_or_place), count: self.count };
        usage.set_day(self.day.days_since_monday(), day);
        usage
    }
}

impl DenseWeek {
    fn new(usage: &WeekUsage) -> DenseWeek {
        DenseWeek { amounts: usage.days().map(|day| day.amount), counts: usage.days().map(|day| day.count) }
    }

    fn usage(&self) -> WeekUsage {
        let mut days = [DayUsage::default(); 7];
        for (day, (amount, count)) in days.iter_mut().zip(self.amounts.into_iter().zip(self.counts)) {
            *day = DayUsage { amount, count };
        }
        WeekUsage::new(days)
    }

    fn set_day(&mut self, days_since_monday: u8, usage: DayUsage) {
        let place = usize::from(days_since_monday);
        if let (Some(amount), Some(count)) = (self.amounts.get_mut(place), self.counts.get_mut(place)) {
            (*amount, *count) = (usage.amount, usage.count);
        }
    }
}

impl WeekList {
    /// Adds a week. Returns its place.
    fn push(&mut self, week: DenseWeek) -> u64 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_WEEKS) {
            self.chunks.push(Vec::with_capacity(CHUNK_WEEKS));
        }
        let full = self.chunks.len().saturating_sub(1) * CHUNK_WEEKS;
        let in_chunk = self.chunks.last_mut().map_or(0, |chunk| {
            chunk.push(week);
            chunk.len() - 1
        });
        (full + in_chunk) as u64
    }

    fn get(&self, place: u64) -> Option<&DenseWeek> {
        let place = usize::try_from(place).ok()?;
        self.chunks.get(place / CHUNK_WEEKS)?.get(place % CHUNK_WEEKS)
    }

    fn get_mut(&mut self, place: u64) -> Option<&mut DenseWeek> {
        let place = usize::try_from(place).ok()?;
        self.chunks.get_mut(place / CHUNK_WEEKS)?.get_mut(place % CHUNK_WEEKS)
    }
}

/// What the table needs of a key: the customer's identity is itself a hash, and every week moves it elsewhere.
fn spread(customer: u128, week: Week) -> u64 {
    let days = i64::from(week.monday().since_epoch_days()).cast_unsigned();
    hash(customer).wrapping_add(days.wrapping_mul(WEEK_STRIDE))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Days};

    use super::*;

    const CUSTOMER: u128 = 7 << 64;
    const LITTLE: DayUsage = DayUsage { amount: Cents::new(7), count: 1 };

    /// So many days after a Monday.
    fn day(days: u64) -> Day {
        let monday: DateTime<chrono::Utc> = "2018-12-31T12:00:00Z".parse().unwrap();
        Day::of(monday + Days::new(days))
    }

    fn usage(table: &mut UsageTable, customer: u128, day: Day) -> WeekUsage {
        let mut seen = WeekUsage::default();
        table.change(customer, day, |usage| {
            seen = *usage;
            None
        });
        seen
    }

    #[test]
    fn every_customer_has_its_usage_in_every_week_whatever_the_days_and_amounts() {
        let much = DayUsage { amount: Cents::new(u64::MAX), count: u32::MAX };
        let (mut table, mut expected) = (UsageTable::default(), std::collections::BTreeMap::new());
        let mut random = fastrand::Rng::with_seed(1);
        // Customers with the same tag in the table, over more weeks than days.
        for _ in 0..20_000 {
            let (customer, days) = (CUSTOMER + u128::from(random.u8(..5)), random.u64(..2_000));
            let changed = if random.bool() { much } else { DayUsage { count: random.u32(1..9), ..LITTLE } };
            let week: &mut WeekUsage = expected.entry((customer, days / 7)).or_default();
            table.change(customer, day(days), |usage| {
                assert_eq!(usage, week);
                Some(changed)
            });
            week.set_day(u8::try_from(days % 7).unwrap(), changed);
            assert_eq!(usage(&mut table, customer, day(days)), *week);
        }
        for ((customer, week), expected) in &expected {
            assert_eq!(usage(&mut table, *customer, day(week * 7)), *expected);
        }
        assert_eq!(table.rows.len(), expected.len());
    }

    #[test]
    fn one_day_takes_a_row_and_several_take_a_place_in_the_list() {
        let mut table = UsageTable::default();
        let weeks = |table: &UsageTable| table.weeks.chunks.iter().map(Vec::len).sum::<usize>();
        for (days, rows, listed) in [(3, 1, 0), (3, 1, 0), (4, 1, 1), (0, 1, 1), (3, 1, 1), (7, 2, 1)] {
            table.change(CUSTOMER, day(days), |_| Some(LITTLE));
            assert_eq!((table.rows.len(), weeks(&table)), (rows, listed), "day {days}");
        }
    }

    #[test]
    fn a_customer_without_a_change_leaves_nothing() {
        let mut table = UsageTable::default();
        assert_eq!(usage(&mut table, CUSTOMER, day(0)), WeekUsage::default());
        assert_eq!((table.rows.len(), table.weeks.chunks.len()), (0, 0));
    }
}
