//! Counts of attempts by outcome.

use std::collections::BTreeMap;

use crate::domain::{Limit, Limits, OWN_CODE_PREFIX};

/// Counts of attempts. Every attempt is accepted, declined, ignored or invalid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Decided attempts within every limit.
    pub accepted: u64,
    /// Decided attempts over at least one limit.
    pub declined: u64,
    /// Attempts that were not decided, because their event was seen before.
    pub ignored: u64,
    /// Inputs that were not decided, because they are not valid load attempts.
    pub invalid: u64,
    /// Declined attempts by the code of a limit that they would have broken.
    declined_by_code: BTreeMap<String, u64>,
    /// Decided attempts by the code of a shadow limit that they would have broken.
    shadow_by_code: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a decision with its reasons.
    pub fn count_decided<C: AsRef<str>>(&mut self, is_accepted: bool, reasons: impl IntoIterator<Item = C>) {
        if is_accepted {
            self.accepted += 1;
            return;
        }
        self.declined += 1;
        for code in reasons {
            self.count_code(code.as_ref(), 1);
        }
    }

    /// Counts so many of the declined attempts by the code of a limit that they would have broken.
    pub(super) fn count_code(&mut self, code: &str, count: u64) {
        add(&mut self.declined_by_code, code, count);
    }

    /// Counts a decided attempt that these shadow limits would have declined.
    pub fn count_shadow<'c>(&mut self, codes: impl Iterator<Item = &'c str>) {
        codes.for_each(|code| add(&mut self.shadow_by_code, code, 1));
    }

    /// Counts an invalid attempt.
    pub fn count_invalid(&mut self) {
        self.invalid += 1;
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &Tally) {
        self.accepted += other.accepted;
        self.declined += other.declined;
        self.ignored += other.ignored;
        self.invalid += other.invalid;
        for (code, count) in &other.declined_by_code {
            add(&mut self.declined_by_code, code, *count);
        }
        for (code, count) in &other.shadow_by_code {
            add(&mut self.shadow_by_code, code, *count);
        }
    }

    /// Returns the number of all attempts, valid or not.
    pub fn attempts(&self) -> u64 {
        self.accepted + self.declined + self.ignored + self.invalid
    }

    /// Returns the number of attempts that each shadow limit would have declined, by its code: those of the deployment's, in
    /// their order, then those of plans' that fired.
    pub fn shadow_declined<'l>(&'l self, limits: &'l Limits) -> impl Iterator<Item = (&'l str, u64)> {
        let count = |code: &str| self.shadow_by_code.get(code).copied().unwrap_or_default();
        let deployment = limits.shadow().map(move |Limit { code, .. }| (code.as_str(), count(code)));
        let is_of_deployment = |code: &str| limits.shadow().any(|limit| limit.code == code);
        let of_plans = self.shadow_by_code.iter().filter(move |(code, _)| !is_of_deployment(code));
        deployment.chain(of_plans.map(|(code, count)| (code.as_str(), *count)))
    }

    /// Returns the number of declines by each limit's code: those of the deployment's limits, in their order, then
    /// those of plans' limits and of customers' own that declined. One attempt may break several limits.
    pub fn declined_by_reason<'l>(&'l self, limits: &'l Limits) -> impl Iterator<Item = (&'l str, u64)> {
        let count = |code: &str| self.declined_by_code.get(code).copied().unwrap_or_default();
        let deployment = limits.iter().map(move |Limit { code, .. }| (code.as_str(), count(code)));
        let is_of_deployment = |code: &str| limits.iter().any(|limit| limit.code == code);
        let others = self.declined_by_code.iter().filter(move |(code, _)| !is_of_deployment(code));
        let (own, of_plans): (Vec<_>, Vec<_>) = others.partition(|(code, _)| code.starts_with(OWN_CODE_PREFIX));
        deployment.chain(of_plans.into_iter().chain(own).map(|(code, count)| (code.as_str(), *count)))
    }
}

fn add(counts: &mut BTreeMap<String, u64>, code: &str, more: u64) {
    match counts.get_mut(code) {
        Some(count) => *count += more,
        None => drop(counts.insert(code.to_owned(), more)),
    }
}
