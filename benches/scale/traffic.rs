//! Arrivals of attempts: their times and customers.

use fastrand::Rng;

use crate::sim::{Arrival, HOT};

/// Number of customers besides the hot one.
pub(crate) const CUSTOMERS: u32 = 1_000_000;

/// A Poisson process whose rate changes with time.
pub(crate) struct Poisson<R: Fn(u64) -> f64> {
    rng: Rng,
    at_us: f64,
    until_us: u64,
    rate_max_per_s: f64,
    /// Attempts a second at a given microsecond, at most `rate_max_per_s`.
    rate_per_s: R,
    customer: fn(&mut Rng) -> u32,
}

impl<R: Fn(u64) -> f64> Poisson<R> {
    pub(crate) fn new(
        seed: u64,
        until_us: u64,
        rate_max_per_s: f64,
        rate_per_s: R,
        customer: fn(&mut Rng) -> u32,
    ) -> Poisson<R> {
        Poisson { rng: Rng::with_seed(seed), at_us: 0.0, until_us, rate_max_per_s, rate_per_s, customer }
    }
}

impl<R: Fn(u64) -> f64> Iterator for Poisson<R> {
    type Item = Arrival;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Positive, and far below 2^53.
    fn next(&mut self) -> Option<Arrival> {
        loop {
            self.at_us += -(1.0 - self.rng.f64()).ln() * 1e6 / self.rate_max_per_s;
            let at_us = self.at_us as u64;
            if at_us >= self.until_us {
                return None;
            }
            // Thinning: arrivals are drawn at the maximum rate, and a share of them is kept.
            if self.rng.f64() * self.rate_max_per_s < (self.rate_per_s)(at_us) {
                return Some(Arrival { at_us, customer: (self.customer)(&mut self.rng) });
            }
        }
    }
}

/// Draws a customer by popularity. The frequency of the n-th is proportional to 1 / sqrt(n), a Zipf law with the
/// exponent 1/2. The first has a thousandth of all attempts, and the first hundredth of customers a tenth.
pub(crate) fn one_of_many(rng: &mut Rng) -> u32 {
    let u = u64::from(rng.u32(..));
    let squared = u128::from(u * u) * u128::from(CUSTOMERS);
    1 + u32::try_from(squared >> 64).unwrap_or(0)
}

/// Draws a customer, each with the same frequency.
pub(crate) fn any(rng: &mut Rng) -> u32 {
    rng.u32(1..=CUSTOMERS)
}

pub(crate) fn hot(_: &mut Rng) -> u32 {
    HOT
}

/// Returns the rate as a multiple of the day's mean: 4 at noon, a quarter at night. `share` is the part of the day
/// that has passed, from 0 to 1.
pub(crate) fn day(share: f64) -> f64 {
    // The mean of cos^16 over a period is 12,870 / 65,536. The two parts are chosen so that mean and peak are 1 and
    // 4.
    const MEAN: f64 = 12_870.0 / 65_536.0;
    let hill = (1.0 - MEAN).recip() * 3.0;
    let bell = (std::f64::consts::PI * (share - 0.5)).cos().powi(16);
    4.0 - hill + hill * bell
}

/// Merges two processes in the order of time.
pub(crate) fn merge(
    left: impl Iterator<Item = Arrival>,
    right: impl Iterator<Item = Arrival>,
) -> impl Iterator<Item = Arrival> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some(one), Some(other)) if other.at_us < one.at_us => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    })
}
