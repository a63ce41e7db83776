//! The report of a backtest.

use crate::backtest::block::{Sum, TableSum};
use crate::backtest::engine::BacktestLedger;
use crate::backtest::figures::{ByDay, Example, PerFlip, Total};
use crate::backtest::flipped::FlippedCustomers;
use crate::backtest::most_affected::{AffectedCustomer, MostAffected};
use crate::backtest::{BASE_NAME, Backtest};
use crate::domain::{Currency, Limits, OWN_CODE_PREFIX};
use crate::replay::Tally;

/// Result of a backtest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacktestReport {
    /// The currency of all amounts.
    pub currency: Currency,
    /// Number of decided attempts. It is the same under all limits.
    pub decided: u64,
    /// Number of attempts that were not decided, because their event was seen before.
    pub ignored: u64,
    /// Number of lines that are not valid load attempts.
    pub invalid: u64,
    /// Decisions under the base.
    pub base: LimitsReport,
    /// Decisions under each candidate, in the order of the candidates.
    pub candidates: Vec<CandidateReport>,
}

/// Decisions under one table of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsReport {
    /// The candidate's name, or that of the base.
    pub name: String,
    /// The limits, without customers' own.
    pub limits: Limits,
    /// Accepted attempts.
    pub accepted: Total,
    /// Declined attempts.
    pub declined: Total,
    /// Declined attempts by the code of a limit that they would have broken: first all limits of the table in their order, then
    /// customers' own that declined. An attempt that would break several limits counts for each.
    pub declined_by_reason: Vec<(String, Total)>,
    /// Figures by UTC day.
    pub by_day: ByDay,
}

/// Decisions under a candidate, and their difference from the base's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateReport {
    /// The decisions.
    pub decisions: LimitsReport,
    /// The flips.
    pub flips: PerFlip<FlipReport>,
    /// Number of customers with a flipped attempt.
    pub flipped_customers: u64,
    /// The customers with the largest sums of flipped amounts, the largest first.
    pub most_affected: Vec<AffectedCustomer>,
}

/// Flips of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlipReport {
    /// The flipped attempts.
    pub total: Total,
    /// Number of customers with such an attempt.
    pub customers: u64,
    /// The first such attempts, in the order of their lines.
    pub examples: Vec<Example>,
}

/// Flipped customers of all ledgers under one candidate.
#[derive(Debug, Default)]
struct FlippedSum {
    customers: PerFlip<u64>,
    any: u64,
    most_affected: MostAffected,
}

impl BacktestReport {
    pub(super) fn new(
        backtest: &Backtest,
        tally: &Tally,
        mut sum: Sum,
        ledgers: Vec<BacktestLedger>,
    ) -> BacktestReport {
        let candidates = &backtest.candidates;
        sum.candidates.resize_with(candidates.iter().len(), TableSum::default);
        let mut flipped: Vec<FlippedSum> = candidates.iter().map(|_| FlippedSum::default()).collect();
        for ledger in ledgers {
            for (sum, candidate) in flipped.iter_mut().zip(ledger.candidates) {
                sum.add(candidate.flipped);
            }
        }
        let of_candidates = candidates.iter().zip(sum.candidates).zip(flipped);
        let report = |((candidate, sum), flipped): ((&super::Candidate, TableSum), FlippedSum)| {
            CandidateReport::new(&candidate.name, &candidate.limits, sum, flipped)
        };
        BacktestReport {
            currency: backtest.currency,
            decided: tally.accepted + tally.declined,
            ignored: tally.ignored,
            invalid: tally.invalid,
            base: LimitsReport::new(BASE_NAME, &backtest.base.deployment, sum.base).0,
            candidates: of_candidates.map(report).collect(),
        }
    }
}

impl LimitsReport {
    /// Returns the report, and the parts of the sum that are a candidate's alone.
    fn new(name: &str, limits: &Limits, sum: TableSum) -> (LimitsReport, PerFlip<Total>, PerFlip<Vec<Example>>) {
        let TableSum { by_day, mut by_reason, examples } = sum;
        let of_table = limits.iter().map(|limit| limit.code.clone());
        let mut declined_by_reason: Vec<(String, Total)> =
            of_table.map(|code| (code.clone(), by_reason.remove(&code).unwrap_or_default())).collect();
        debug_assert!(by_reason.keys().all(|code| code.starts_with(OWN_CODE_PREFIX)));
        declined_by_reason.extend(by_reason);
        let all_days = by_day.sum();
        let report = LimitsReport {
            name: name.to_owned(),
            limits: limits.clone(),
            accepted: all_days.accepted,
            declined: all_days.declined,
            declined_by_reason,
            by_day,
        };
        (report, all_days.flips, examples)
    }
}

impl CandidateReport {
    fn new(name: &str, limits: &Limits, sum: TableSum, flipped: FlippedSum) -> CandidateReport {
        let (decisions, flips, examples) = LimitsReport::new(name, limits, sum);
        let report = |total, customers, examples| FlipReport { total, customers, examples };
        CandidateReport {
            decisions,
            flips: PerFlip {
                to_accepted: report(flips.to_accepted, flipped.customers.to_accepted, examples.to_accepted),
                to_declined: report(flips.to_declined, flipped.customers.to_declined, examples.to_declined),
            },
            flipped_customers: flipped.any,
            most_affected: flipped.most_affected.into_customers(),
        }
    }
}

impl FlippedSum {
    fn add(&mut self, ledger: FlippedCustomers) {
        let customers = ledger.customers();
        self.customers.to_accepted += customers.to_accepted;
        self.customers.to_declined += customers.to_declined;
        self.any += ledger.any();
        self.most_affected.merge(ledger.into_most_affected());
    }
}
