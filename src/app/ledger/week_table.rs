//! The usage of customers in one week, small for those who load seldom and quick for those who load often.
//!
//! A customer's day takes a row of 29 bytes. From the fourth day on the whole week takes one row of 128 bytes: that is
//! hardly larger than its days, and it is one place in memory instead of many.

use hashbrown::HashTable;

use super::hash;
use crate::domain::{Cents, DayUsage, WeekUsage};

/// From how many days with accepted loads a customer's week has a row of its own.
const WEEK_ROW_DAYS_MIN: usize = 4;

/// The usage. Customers are known by their [`Identity`](super::Identity).
#[derive(Debug, Default)]
pub(super) struct WeekTable {
    /// The days of customers who have no row in `weeks`. A customer's days are found together.
    days: HashTable<DayRow>,
    weeks: HashTable<WeekRow>,
}

/// One customer's usage of one day. It is packed, because where customers come seldom most of the memory goes here.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct DayRow {
    customer: u128,
    amount: Cents,
    count: u32,
    days_since_monday: u8,
}

/// One customer's usage of the whole week.
#[derive(Clone, Copy, Debug)]
struct WeekRow {
    customer: u128,
    usage: WeekUsage,
}

const _: () = assert!(size_of::<DayRow>() == 29 && size_of::<WeekRow>() == 128, "what the module's text says");

impl WeekTable {
    /// What the customer has used.
    pub(super) fn usage(&self, customer: u128) -> WeekUsage {
        self.week_row(customer).map_or_else(|| self.days_together(customer), |row| row.usage)
    }

    /// Says what the customer has used after a load on that day was accepted.
    pub(super) fn set(&mut self, customer: u128, days_since_monday: u8, day: DayUsage) {
        if let Some(row) = self.weeks.find_mut(hash(customer), |row| row.customer == customer) {
            row.usage.set_day(days_since_monday, day);
            return;
        }
        let DayUsage { amount, count } = day;
        let new = DayRow { customer, amount, count, days_since_monday };
        let is_same_day = |row: &DayRow| row.customer == customer && row.days_since_monday == days_since_monday;
        if let Some(row) = self.days.find_mut(hash(customer), is_same_day) {
            *row = new;
        } else {
            self.days.insert_unique(hash(customer), new, |row| hash(row.customer));
            self.put_days_together(customer);
        }
    }

    /// Reads what [`WeekTable::usage`] will read, only to have it in the cache.
    pub(super) fn touch(&self, customer: u128) {
        if let Some(row) = self.week_row(customer) {
            std::hint::black_box(row.usage);
        } else {
            let rows = self.days.iter_hash(hash(customer));
            std::hint::black_box(rows.fold(0, |sum, row| sum ^ row.customer));
        }
    }

    fn week_row(&self, customer: u128) -> Option<&WeekRow> {
        self.weeks.find(hash(customer), |row| row.customer == customer)
    }

    fn days_of(&self, customer: u128) -> impl Iterator<Item = &DayRow> {
        self.days.iter_hash(hash(customer)).filter(move |row| row.customer == customer)
    }

    fn days_together(&self, customer: u128) -> WeekUsage {
        let mut usage = WeekUsage::default();
        for row in self.days_of(customer) {
            usage.set_day(row.days_since_monday, DayUsage { amount: row.amount, count: row.count });
        }
        usage
    }

    /// Gives the customer's week a row of its own, once there are enough days.
    fn put_days_together(&mut self, customer: u128) {
        if self.days_of(customer).count() < WEEK_ROW_DAYS_MIN {
            return;
        }
        let row = WeekRow { customer, usage: self.days_together(customer) };
        self.weeks.insert_unique(hash(customer), row, |row| hash(row.customer));
        while let Ok(day) = self.days.find_entry(hash(customer), |row| row.customer == customer) {
            day.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_that_has_its_own_row_has_no_days_beside_it() {
        let mut table = WeekTable::default();
        let day = DayUsage { amount: Cents::new(7), count: 1 };
        let mut expected = WeekUsage::default();
        for (days_since_monday, rows) in [(0, (1, 0)), (3, (2, 0)), (3, (2, 0)), (6, (3, 0)), (1, (0, 1)), (2, (0, 1))]
        {
            table.set(1 << 64, days_since_monday, day);
            expected.set_day(days_since_monday, day);
            assert_eq!(table.usage(1 << 64), expected);
            assert_eq!((table.days.len(), table.weeks.len()), rows);
        }
    }
}
