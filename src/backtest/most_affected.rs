//! The customers that are affected most by a candidate: those with the largest sum of flipped amounts.

use std::cmp::Reverse;

use crate::backtest::figures::{Flip, PerFlip};
use crate::domain::Cents;

/// Maximum number of customers in a candidate's list of those affected most.
pub const AFFECTED_CUSTOMERS_MAX: usize = 20;

/// Flips of one customer. Counts and amounts saturate.
pub(super) type CustomerFlips = PerFlip<FlipTotal>;

/// Number of a customer's flips, and the sum of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlipTotal {
    /// The number of attempts.
    pub count: u32,
    /// The sum of their amounts.
    pub amount: Cents,
}

/// A customer with flipped attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedCustomer {
    /// The customer's id.
    pub customer_id: String,
    /// The customer's flips.
    pub flips: PerFlip<FlipTotal>,
}

/// Customers with the largest sums of flipped amounts, the largest first.
///
/// A customer's sum and number of flips only grow. So a customer that is among the first at the end was so at its last flip,
/// and has not been pushed out since: those before it only grow as well.
#[derive(Debug, Default)]
pub(super) struct MostAffected(Vec<AffectedCustomer>);

impl CustomerFlips {
    /// Returns the flips with one more.
    pub(super) fn plus(mut self, flip: Flip, amount: Cents) -> CustomerFlips {
        let total = self.get_mut(flip);
        total.count = total.count.saturating_add(1);
        total.amount = total.amount.saturating_add(amount);
        self
    }

    /// Returns the rank of a customer with these flips. Of two customers, the one with the larger amount comes first, then the one
    /// with more flips, then the one whose id is less.
    fn rank<'c>(&self, customer_id: &'c str) -> (Reverse<Cents>, Reverse<u32>, &'c str) {
        let PerFlip { to_accepted, to_declined } = self;
        let amount = to_accepted.amount.saturating_add(to_declined.amount);
        (Reverse(amount), Reverse(to_accepted.count.saturating_add(to_declined.count)), customer_id)
    }
}

impl AffectedCustomer {
    fn rank(&self) -> (Reverse<Cents>, Reverse<u32>, &str) {
        self.flips.rank(&self.customer_id)
    }
}

impl MostAffected {
    /// Takes the customer in if it is one of those affected most. `flips` are all of its flips up to now.
    pub(super) fn offer(&mut self, customer_id: &str, flips: CustomerFlips) {
        let rank = flips.rank(customer_id);
        if self.0.len() == AFFECTED_CUSTOMERS_MAX && self.0.last().is_some_and(|last| last.rank() < rank) {
            return;
        }
        self.0.retain(|known| known.customer_id != customer_id);
        let place = self.0.partition_point(|known| known.rank() < rank);
        self.0.insert(place, AffectedCustomer { customer_id: customer_id.to_owned(), flips });
        self.0.truncate(AFFECTED_CUSTOMERS_MAX);
    }

    /// Takes in the customers of another list. No customer may be in both.
    pub(super) fn merge(&mut self, other: MostAffected) {
        self.0.extend(other.0);
        self.0.sort_by(|one, other| one.rank().cmp(&other.rank()));
        self.0.truncate(AFFECTED_CUSTOMERS_MAX);
    }

    /// Returns the customers, the one affected most first.
    pub(super) fn into_customers(self) -> Vec<AffectedCustomer> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_list_is_that_of_a_sort_of_all_customers_at_the_end() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut all, mut merged, mut other) = (BTreeMap::new(), MostAffected::default(), MostAffected::default());
            for _ in 0..random.usize(..2_000) {
                let customer = random.u64(..100);
                let flip = if random.bool() { Flip::ToAccepted } else { Flip::ToDeclined };
                let flips: &mut CustomerFlips = all.entry(customer.to_string()).or_default();
                *flips = flips.plus(flip, Cents::new(random.u64(..4) * 100));
                let list = if customer.is_multiple_of(2) { &mut merged } else { &mut other };
                list.offer(&customer.to_string(), *flips);
            }
            let mut expected: Vec<_> =
                all.into_iter().map(|(customer_id, flips)| AffectedCustomer { customer_id, flips }).collect();
            expected.sort_by(|one, other| one.rank().cmp(&other.rank()));
            expected.truncate(20);
            merged.merge(other);
            assert_eq!(merged.into_customers(), expected);
        }
    }
}
