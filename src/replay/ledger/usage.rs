//! Customers' usage of one table of limits.

use std::collections::BTreeMap;

use crate::domain::{Limits, Week, decide_by_totals, judge_shadow};
use crate::limits::AllLimits;
use crate::replay::ledger::load_table::LoadTable;
use crate::replay::ledger::week_table::WeekTable;
use crate::replay::ledger::wide_weeks::WideWeeks;
use crate::replay::ledger::{Key, LineOutcome, PendingAttempt};

/// Some customers' usage of the limits under which their attempts are decided.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// A table for each week. Attempts arrive in the order of their times, so recent lookups are close together in
    /// memory.
    pub(super) weeks: BTreeMap<Week, WeekTable>,
    pub(super) wide: WideWeeks,
    /// The accepted loads, instead of the weeks, for limits that need them.
    loads: LoadTable,
}

impl Usage {
    /// Reads the memory that deciding needs, only to load it into the cache.
    ///
    /// Every attempt needs several places in memory that no cache is likely to hold. This pass needs them in short
    /// rounds that do not wait for one another, so that the processor fetches many places at once; the next pass finds
    /// them there.
    pub(crate) fn touch(&self, limits: &AllLimits, customers: &[(Week, Key)]) {
        if limits.need_loads() {
            self.loads.touch(customers.iter().map(|(_, customer)| *customer));
            return;
        }
        for run in customers.chunk_by(|(one, _), (next, _)| one == next) {
            if let Some(table) = run.first().and_then(|(week, _)| self.weeks.get(week)) {
                for (_, customer) in run {
                    table.touch(*customer);
                }
            }
        }
    }

    /// Decides each attempt without an outcome, in this order, and remembers its effect on usage.
    pub(crate) fn decide<'a>(&mut self, limits: &'a AllLimits, attempts: &mut [&mut PendingAttempt<'a>]) {
        if limits.need_loads() {
            for pending in attempts.iter_mut().filter(|pending| pending.outcome.is_none()) {
                let limits = limits.of(pending.attempt.customer_id.as_str());
                pending.shadow = self.loads.judge_shadow(limits.base, pending.identity.customer, &pending.attempt);
                let decision = self.loads.decide(limits, pending.identity.customer, &pending.attempt);
                pending.outcome = Some(LineOutcome::Decided(decision));
            }
            return;
        }
        for run in attempts.chunk_by_mut(|one, next| one.week == next.week) {
            let Some(first) = run.first() else { continue };
            let table = self.weeks.entry(first.week).or_default();
            for pending in run.iter_mut().filter(|pending| pending.outcome.is_none()) {
                decide_in_table(&limits.deployment, table, &mut self.wide, pending);
            }
        }
    }
}

/// Returns the week and the customer of each attempt, close together for [`Usage::touch`].
pub(crate) fn customers(attempts: &[&mut PendingAttempt<'_>]) -> Vec<(Week, Key)> {
    attempts.iter().map(|pending| (pending.week, pending.identity.customer)).collect()
}

fn decide_in_table<'l>(
    limits: &'l Limits,
    table: &mut WeekTable,
    wide: &mut WideWeeks,
    pending: &mut PendingAttempt<'l>,
) {
    let PendingAttempt { attempt, days_since_monday, identity, outcome, shadow, .. } = pending;
    table.change(wide, identity.customer, *days_since_monday, |used| {
        *shadow = limits.has_shadow().then(|| judge_shadow(limits, attempt, |limit| Some(used.used(limit))));
        let decision = decide_by_totals(limits, used, attempt);
        *outcome = Some(LineOutcome::Decided(decision));
        decision.is_accepted().then(|| used.day.with_load(attempt.amount))
    });
}
