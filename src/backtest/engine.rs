//! The engine of a backtest: each attempt is decided under the base and under each candidate.

use crate::backtest::Candidates;
use crate::backtest::block::{BlockFigures, Sum};
use crate::backtest::flipped::FlippedCustomers;
use crate::limits::AllLimits;
use crate::replay::Engine;
use crate::replay::ledger::{Events, LineOutcome, PendingAttempt, Usage, customers};

/// The base and the candidates, with the limits in force under each.
#[derive(Debug)]
pub(super) struct BacktestEngine {
    base: AllLimits,
    candidates: Vec<AllLimits>,
}

/// Memory about some customers: their events, once, and for the base and each candidate their usage.
#[derive(Debug)]
pub(super) struct BacktestLedger {
    events: Events,
    base: Usage,
    pub(super) candidates: Vec<CandidateLedger>,
}

/// Memory about some customers under one candidate.
#[derive(Debug, Default)]
pub(super) struct CandidateLedger {
    usage: Usage,
    pub(super) flipped: FlippedCustomers,
}

impl BacktestEngine {
    pub(super) fn new(base: &AllLimits, candidates: &Candidates) -> BacktestEngine {
        let candidates = candidates.iter().map(|candidate| base.with_deployment(candidate.limits.clone()));
        BacktestEngine { base: base.clone(), candidates: candidates.collect() }
    }
}

impl Engine for BacktestEngine {
    type Ledger = BacktestLedger;
    type Block<'b> = BlockFigures<'b>;
    type Sum = Sum;

    fn new_ledger(&self) -> BacktestLedger {
        let candidates = self.candidates.iter().map(|_| CandidateLedger::default()).collect();
        BacktestLedger { events: Events::default(), base: Usage::default(), candidates }
    }

    fn new_block(&self) -> BlockFigures<'_> {
        BlockFigures::new(self.candidates.len())
    }

    /// The outcomes that the attempts have in the end are the base's.
    fn decide<'b>(
        &'b self,
        ledger: &mut BacktestLedger,
        attempts: &mut [&mut PendingAttempt<'b>],
        block: &mut BlockFigures<'b>,
    ) {
        let customers = customers(attempts);
        ledger.base.touch(&self.base, &customers);
        ledger.events.remember(attempts);
        ledger.base.decide(&self.base, attempts);
        for pending in &*attempts {
            block.base.count_base(pending);
        }
        let base: Vec<Option<LineOutcome<'b>>> = attempts.iter().map(|pending| pending.outcome).collect();
        let tables = self.candidates.iter().zip(&mut ledger.candidates).zip(&mut block.candidates);
        for ((limits, CandidateLedger { usage, flipped }), figures) in tables {
            usage.touch(limits, &customers);
            forget_decisions(attempts);
            usage.decide(limits, attempts);
            for (pending, base) in attempts.iter().zip(&base) {
                if let Some(flip) = figures.count_candidate(pending, *base) {
                    let (customer, id) = (pending.identity.customer(), pending.attempt.customer_id.as_str());
                    flipped.add(customer, id, flip, pending.attempt.amount);
                }
            }
        }
        for (pending, base) in attempts.iter_mut().zip(base) {
            pending.outcome = base;
        }
    }

    fn add(sum: &mut Sum, block: BlockFigures<'_>, lines_before: u64) {
        sum.add(&block, lines_before);
    }
}

/// Takes their decisions from the attempts. An ignored attempt stays ignored.
fn forget_decisions(attempts: &mut [&mut PendingAttempt<'_>]) {
    for pending in attempts {
        if let Some(LineOutcome::Decided(_)) = pending.outcome {
            pending.outcome = None;
        }
    }
}
