//! Durations of the pieces of a batch. They are assumed, not measured: compare them with `read_ms`, `commit_ms` and
//! `publish_ms` on your own dashboard, and change them here.

use fastrand::Rng;

/// A random duration: `least_us`, and an exponentially distributed time whose mean is `more_us`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Piece {
    pub(crate) least_us: u64,
    pub(crate) more_us: u64,
}

impl Piece {
    pub(crate) const fn new(least_us: u64, more_us: u64) -> Piece {
        Piece { least_us, more_us }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Positive, and far below 2^53.
    pub(crate) fn draw(self, rng: &mut Rng) -> u64 {
        let more = if self.more_us == 0 { 0.0 } else { -(1.0 - rng.f64()).ln() * self.more_us as f64 };
        self.least_us + more.round() as u64
    }

    pub(crate) const fn mean_us(self) -> u64 {
        self.least_us + self.more_us
    }

    /// Returns the mean of the longest of `count` pieces that begin together. The k-th piece adds a k-th of
    /// `more_us`.
    pub(crate) fn longest_mean_us(self, count: u64) -> u64 {
        self.least_us + (1..=count).map(|k| self.more_us / k).sum::<u64>()
    }
}

/// The pieces of a batch, one after another.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    /// Receiving, and invoking the function.
    pub(crate) hand_over: Piece,
    /// Processor time of the function itself: JSON, TLS, deciding.
    pub(crate) work: Piece,
    /// `BatchGetItem`, once.
    pub(crate) read: Piece,
    /// `TransactWriteItems`, one for each customer, all at the same time.
    pub(crate) commit: Piece,
    /// `SendMessageBatch`, as many times as the customer with most decisions has decisions.
    pub(crate) publish: Piece,
    /// The response, and `DeleteMessageBatch`. Until then, no other batch has the customers.
    pub(crate) settle: Piece,
}

/// Assumed durations of AWS within one region.
pub(crate) const ASSUMED: Times = Times {
    hand_over: Piece::new(6_000, 4_000),
    work: Piece::new(2_000, 1_000),
    read: Piece::new(3_000, 2_000),
    commit: Piece::new(8_000, 4_000),
    publish: Piece::new(6_000, 4_000),
    settle: Piece::new(5_000, 3_000),
};

impl Times {
    /// Returns the mean time of a batch with this number of customers, and `each` decisions of each customer.
    pub(crate) fn batch_mean_us(&self, customers: u64, each: u64) -> u64 {
        self.hand_over.mean_us() + self.function_mean_us(customers, each) + self.settle.mean_us()
    }

    /// Returns the part of the mean time that Lambda bills.
    pub(crate) fn function_mean_us(&self, customers: u64, each: u64) -> u64 {
        let commit = self.commit.longest_mean_us(customers);
        self.work.mean_us() + self.read.mean_us() + commit + self.publish.mean_us() * each
    }
}
