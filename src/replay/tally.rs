//! How many attempts came to what.

use crate::domain::{Decision, LIMITS_MAX, LimitSet, Limits};
use crate::replay::ledger::LineOutcome;

/// Counts of attempts by outcome. Every attempt is accepted, declined, ignored or invalid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Decided: within every limit.
    pub accepted: u64,
    /// Decided: over at least one limit.
    pub declined: u64,
    /// Not decided: the event had been seen before.
    pub ignored: u64,
    /// Not decided: no valid load attempt.
    pub invalid: u64,
    declined_by_limit: [u64; LIMITS_MAX],
}

impl Tally {
    /// Counts a valid attempt.
    pub fn count(&mut self, outcome: LineOutcome) {
        match outcome {
            LineOutcome::Decided(Decision::Accepted) => self.accepted += 1,
            LineOutcome::Decided(Decision::Declined(broken)) => self.count_declined(broken),
            LineOutcome::Ignored => self.ignored += 1,
        }
    }

    /// Counts an invalid one.
    pub fn count_invalid(&mut self) {
        self.invalid += 1;
    }

    fn count_declined(&mut self, broken: LimitSet) {
        self.declined += 1;
        for (place, count) in self.declined_by_limit.iter_mut().enumerate() {
            *count += u64::from(broken.contains(place));
        }
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &Tally) {
        self.accepted += other.accepted;
        self.declined += other.declined;
        self.ignored += other.ignored;
        self.invalid += other.invalid;
        for (sum, count) in self.declined_by_limit.iter_mut().zip(other.declined_by_limit) {
            *sum += count;
        }
    }

    /// All attempts, valid or not.
    pub fn attempts(&self) -> u64 {
        self.accepted + self.declined + self.ignored + self.invalid
    }

    /// How often each limit declined an attempt, in the order of the limits. One attempt may break several.
    pub fn declined_by_reason<'l>(&self, limits: &'l Limits) -> impl Iterator<Item = (&'l str, u64)> {
        limits.iter().map(|limit| limit.code.as_str()).zip(self.declined_by_limit)
    }
}
