//! Customers with flipped attempts under one candidate, with the figures of each.
//!
//! A customer with one flip of a small amount takes a row of 16 bytes; any other, one of 36. Both tables are between 7/16 and
//! 7/8 full once they have grown. So the first row of a customer takes no more memory than the event that was flipped.

use hashbrown::HashTable;

use crate::backtest::figures::{Flip, PerFlip};
use crate::backtest::most_affected::{CustomerFlips, FlipTotal, MostAffected};
use crate::domain::Cents;
use crate::replay::ledger::Key;

/// Flipped attempts of some customers.
#[derive(Debug, Default)]
pub(super) struct FlippedCustomers {
    /// Customers with one flip of a small amount.
    once: HashTable<OneFlip>,
    /// All other customers with a flip.
    often: HashTable<ManyFlips>,
    /// Number of customers with each flip.
    customers: PerFlip<u64>,
    most_affected: MostAffected,
}

/// A customer's only flip.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct OneFlip {
    customer: Key,
    /// The amount in cents, and [`OneFlip::TO_DECLINED`] for that flip.
    flip: u32,
}

/// All flips of a customer.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct ManyFlips {
    customer: Key,
    counts: [u32; 2],
    cents: [u64; 2],
}

const _: () = assert!(size_of::<OneFlip>() == 16 && size_of::<ManyFlips>() == 36, "what the module's text says");

impl FlippedCustomers {
    /// Counts a flipped attempt of a customer.
    pub(super) fn add(&mut self, customer: Key, id: &str, flip: Flip, amount: Cents) {
        let flips = self.add_to_row(customer, flip, amount);
        if flips.get(flip).count == 1 {
            *self.customers.get_mut(flip) += 1;
        }
        self.most_affected.offer(id, flips);
    }

    /// Returns the customer's flips with this one.
    fn add_to_row(&mut self, key: Key, flip: Flip, amount: Cents) -> CustomerFlips {
        if let Some(row) = self.often.find_mut(key.hash(), |row| { row.customer } == key) {
            *row = ManyFlips::new(key, row.flips().plus(flip, amount));
            return row.flips();
        }
        let before = self.once.find_entry(key.hash(), |row| { row.customer } == key);
        let flips = before.as_ref().map_or_else(|_| CustomerFlips::default(), |row| row.get().flips());
        let flips = flips.plus(flip, amount);
        match (OneFlip::new(key, flip, amount), before) {
            (Some(row), Err(_)) => drop(self.once.insert_unique(key.hash(), row, |row| { row.customer }.hash())),
            (_, before) => {
                if let Ok(row) = before {
                    row.remove();
                }
                self.often.insert_unique(key.hash(), ManyFlips::new(key, flips), |row| { row.customer }.hash());
            }
        }
        flips
    }

    /// Returns the number of customers with each flip.
    pub(super) const fn customers(&self) -> PerFlip<u64> {
        self.customers
    }

    /// Returns the number of customers with any flip.
    pub(super) fn any(&self) -> u64 {
        (self.once.len() + self.often.len()) as u64
    }

    /// Returns the customers that are affected most.
    pub(super) fn into_most_affected(self) -> MostAffected {
        self.most_affected
    }
}

impl OneFlip {
    const TO_DECLINED: u32 = 1 << 31;

    /// Returns the row, if the amount fits.
    fn new(customer: Key, flip: Flip, amount: Cents) -> Option<OneFlip> {
        let cents = u32::try_from(amount.get()).ok().filter(|cents| *cents < OneFlip::TO_DECLINED)?;
        let flip = match flip {
            Flip::ToAccepted => cents,
            Flip::ToDeclined => cents | OneFlip::TO_DECLINED,
        };
        Some(OneFlip { customer, flip })
    }

    fn flips(&self) -> CustomerFlips {
        let amount = Cents::new(u64::from(self.flip & !OneFlip::TO_DECLINED));
        let flip = if self.flip & OneFlip::TO_DECLINED == 0 { Flip::ToAccepted } else { Flip::ToDeclined };
        CustomerFlips::default().plus(flip, amount)
    }
}

impl ManyFlips {
    fn new(customer: Key, CustomerFlips { to_accepted, to_declined }: CustomerFlips) -> ManyFlips {
        ManyFlips {
            customer,
            counts: [to_accepted.count, to_declined.count],
            cents: [to_accepted.amount.get(), to_declined.amount.get()],
        }
    }

    fn flips(&self) -> CustomerFlips {
        let ([accepted, declined], [accepted_cents, declined_cents]) = (self.counts, self.cents);
        let flips = |count, cents| FlipTotal { count, amount: Cents::new(cents) };
        CustomerFlips { to_accepted: flips(accepted, accepted_cents), to_declined: flips(declined, declined_cents) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_customer_has_one_row_with_all_its_flips() {
        let much = Cents::new(1 << 31);
        let little = Cents::new((1 << 31) - 1);
        for amounts in [vec![little], vec![much], vec![little, little], vec![little, much, little], vec![much, little]]
        {
            for first in Flip::ALL {
                let mut flipped = FlippedCustomers::default();
                let mut expected = CustomerFlips::default();
                // Other customers, one of which has the same place in a table.
                for other in [(7 << 32) + 1, 9 << 64] {
                    flipped.add(Key::of(other), "other", Flip::ToAccepted, Cents::new(1));
                }
                for (place, amount) in amounts.iter().enumerate() {
                    let flip = if place % 2 == 0 { first } else { Flip::ToAccepted };
                    expected = expected.plus(flip, *amount);
                    assert_eq!(flipped.add_to_row(Key::of(7 << 32), flip, *amount), expected);
                }
                assert_eq!(flipped.any(), 3);
            }
        }
    }

    #[test]
    fn customers_are_counted_once_for_each_flip() {
        let mut flipped = FlippedCustomers::default();
        let flips = [(1, Flip::ToAccepted), (1, Flip::ToAccepted), (2, Flip::ToDeclined), (1, Flip::ToDeclined)];
        for (customer, flip) in flips {
            flipped.add(Key::of(customer << 80), &customer.to_string(), flip, Cents::new(5));
        }
        assert_eq!(flipped.customers(), PerFlip { to_accepted: 1, to_declined: 2 });
        assert_eq!(flipped.any(), 2);
        let most: Vec<_> =
            flipped.into_most_affected().into_customers().into_iter().map(|most| most.customer_id).collect();
        assert_eq!(most, ["1", "2"]);
    }
}
