//! How long the pieces of a batch take. They are assumed, not measured: compare `read_ms`, `commit_ms` and `publish_ms`
//! of your own dashboard, and change them here.

use fastrand::Rng;

/// A time that is never shorter than `least_us`, and on average `more_us` longer, exponentially distributed.
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

    /// The mean of the longest of `count` that begin together: the k-th further one adds a k-th of `more_us`.
    pub(crate) fn longest_mean_us(self, count: u64) -> u64 {
        self.least_us + (1..=count).map(|k| self.more_us / k).sum::<u64>()
    }
}

/// The pieces of a batch, one after another.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    /// Receiving, and invoking the function.
    pub(crate) hand_over: Piece,
    /// What the function itself takes of a processor: JSON, TLS, deciding.
    pub(crate) work: Piece,
    /// `BatchGetItem`, once.
    pub(crate) read: Piece,
    /// `TransactWriteItems`, for each customer, at the same time.
    pub(crate) commit: Piece,
    /// `SendMessageBatch`: as often as the customer with most decisions has some.
    pub(crate) publish: Piece,
    /// The answer, and `DeleteMessageBatch`: until then the customers are held.
    pub(crate) settle: Piece,
}

/// What is assumed of AWS within one region.
pub(crate) const ASSUMED: Times = Times {
    hand_over: Piece::new(6_000, 4_000),
    work: Piece::new(2_000, 1_000),
    read: Piece::new(3_000, 2_000),
    commit: Piece::new(8_000, 4_000),
    publish: Piece::new(6_000, 4_000),
    settle: Piece::new(5_000, 3_000),
};

impl Times {
    /// The mean time of a batch of so many customers, with so many decisions each.
    pub(crate) fn batch_mean_us(&self, customers: u64, each: u64) -> u64 {
        self.hand_over.mean_us() + self.function_mean_us(customers, each) + self.settle.mean_us()
    }

    /// The part of it that Lambda bills.
    pub(crate) fn function_mean_us(&self, customers: u64, each: u64) -> u64 {
        let commit = self.commit.longest_mean_us(customers);
        self.work.mean_us() + self.read.mean_us() + commit + self.publish.mean_us() * each
    }
}
