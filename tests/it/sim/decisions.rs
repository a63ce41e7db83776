//! Checks of decisions and usage: the oracle computes every decision again, in the order of the commits, and every span
//! at the end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use loadgate::deciding::{CorrelationRecord, UsageKey, UsageRow};
use loadgate::domain::{Cents, LoadTotal, Millis, OwnLimit, StoredDecision};

use super::check::SKEW_MAX;
use super::consumers::REPLAY;
use super::limits::{Basis, Settings, own_rule};
use super::oracle::{Counting, DAY_MS, Load, Rule, Window, milliseconds};
use super::simulation::{State, beginning};
use super::store::Stored;
use crate::support::oracle;

/// A customer's accepted loads.
#[derive(Default)]
struct Ledger {
    loads: Vec<Accepted>,
    /// Number of the last commit, and the Mondays of the rows that it has changed.
    last_commit: (u64, BTreeSet<i64>),
}

#[derive(Clone, Copy)]
struct Accepted {
    load: Load,
    /// The read before its commit; `None` for a load from before.
    committed: Option<Basis>,
}

/// A decision with what it relies on.
struct Decided<'s> {
    decision: &'s StoredDecision,
    at: i64,
    cents: u64,
    basis: Basis,
    /// True if it may rely on usage that another writer has changed meanwhile. A decline may, because usage only grows.
    may_lag: bool,
}

/// Lowest and highest total that a limit's window may have shown.
type Bounds = (u64, u64);

/// Number of decisions that exercise what only some runs have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exercised {
    /// Declines for long limits alone.
    pub long_declines: u64,
    /// Decisions that overlap a commit of a writer that does not know the fence.
    pub overlaps: u64,
}

/// Checks every span, every decision and every total of every customer.
pub fn check(state: &State) -> Result<Exercised, String> {
    let (mut ledgers, decided) = (ledgers_before(state), decided(state));
    for (customer, decided) in &decided {
        let ledger = ledgers.entry(customer).or_default();
        for decided in decided {
            ledger.add(decided);
        }
        spans_are_within_the_limits(state, customer, ledger)?;
    }
    let (mut ledgers, mut exercised) = (ledgers_before(state), Exercised::default());
    for (customer, decided) in &decided {
        let ledger = ledgers.entry(customer).or_default();
        for decided in decided {
            ledger.begin(decided.basis.commit, state.setting.kept_max);
            check_decision(state, ledger, decided)?;
            exercised.note(state, ledger, decided);
            ledger.add(decided);
        }
        ledger.begin(u64::MAX, state.setting.kept_max);
    }
    for (customer, ledger) in &ledgers {
        rows_are_the_sums_of_accepted_loads(state, customer, ledger)?;
        fence_agrees(state, customer, ledger)?;
    }
    Ok(exercised)
}

/// Returns the ledgers with the loads from before the run.
fn ledgers_before(state: &State) -> BTreeMap<&str, Ledger> {
    let accepted = |load: &Load| Accepted { load: *load, committed: None };
    let ledger = |loads: &Vec<Load>| Ledger { loads: loads.iter().map(accepted).collect(), ..Ledger::default() };
    state.own_limits.loads_before.iter().map(|(customer, loads)| (customer.as_str(), ledger(loads))).collect()
}

/// Returns each customer's decisions, in the order of their commits.
fn decided(state: &State) -> BTreeMap<&str, Vec<Decided<'_>>> {
    let is_replayed = |record: &CorrelationRecord| record.message_id.starts_with(REPLAY);
    let replayed = state.tables.committed().filter(|record| is_replayed(record));
    let replayed: BTreeSet<&str> = replayed.map(|record| record.decision.key.customer_id.as_str()).collect();
    let has_expired = state.counted("expired_receipts") > 0;
    let mut customers = BTreeMap::<&str, Vec<_>>::new();
    for (place, (_, record)) in state.tables.history.iter().enumerate() {
        let decision = &record.decision;
        let customer = decision.key.customer_id.as_str();
        let is_contended = replayed.contains(customer) || has_expired && state.disordered.contains(customer);
        let basis = state.tables.bases.get(&place).copied().unwrap_or_default();
        customers.entry(customer).or_default().push(Decided {
            decision,
            at: milliseconds(&decision.time),
            cents: oracle::cents(&decision.load_amount).unwrap(),
            basis,
            may_lag: is_contended || is_read_half_applied(state, decision),
        });
    }
    customers
}

impl Exercised {
    fn note(&mut self, state: &State, ledger: &Ledger, decided: &Decided<'_>) {
        let reasons = decided.decision.verdict.reasons();
        let is_long = |code: &String| {
            let all = state.setting.plans.iter().flat_map(|plan| &plan.rules).chain(&state.setting.rules);
            let rule = all.into_iter().find(|rule| rule.code == *code);
            rule.map_or_else(|| !code.contains("CALENDAR") && !code.contains("INSTANCE"), Rule::is_long)
        };
        self.long_declines += u64::from(!reasons.is_empty() && reasons.iter().all(is_long));
        self.overlaps += u64::from(ledger.loads.iter().any(|accepted| accepted.may_be_missed_by(decided)));
    }
}

/// Returns true if a read close to the decision returned usage from before a transaction that was still being applied
/// for another consumer.
fn is_read_half_applied(state: &State, decision: &StoredDecision) -> bool {
    let reads = state.half_applied.get(&decision.key.customer_id);
    let is_near = |read: &DateTime<Utc>| read.signed_duration_since(decision.decided_at).abs() <= SKEW_MAX;
    reads.is_some_and(|reads| reads.iter().any(is_near))
}

/// Checks a decision against each version of the customer's limits that its read may have shown.
fn check_decision(state: &State, ledger: &Ledger, decided: &Decided<'_>) -> Result<(), String> {
    let (decision, basis) = (decided.decision, decided.basis);
    let versions = state.own_limits.between(&decision.key.customer_id, basis.begun_at, basis.read_at);
    let origin = decision.origin.plan().map(|plan| plan.version);
    let of_origin = versions.iter().filter(|settings| settings.plan == origin);
    let rules = of_origin.map(|settings| rules_at(state, settings, decided.at));
    let is_used = |rules: &Vec<Rule>| {
        let stated = decision.usage.iter().map(|usage| (&usage.code, &usage.limit_id, usage.limit, usage.resets_at));
        stated.eq(rules.iter().map(|rule| (&rule.code, &rule.limit_id, rule.max, rule.resets_at(decided.at))))
    };
    let used: Vec<Vec<Rule>> = rules.filter(is_used).collect();
    if used.is_empty() {
        let stored: Vec<_> = versions.iter().map(|settings| rules_at(state, settings, decided.at)).collect();
        return Err(format!(
            "decided by limits that were not stored when it was read: {stored:?}, {basis:?}, {decision:?}"
        ));
    }
    let mut problems = used.iter().map(|rules| decide_again(state, ledger, decided, rules));
    let problem = problems.clone().find_map(Result::err);
    if problems.any(|judged| judged.is_ok()) { Ok(()) } else { Err(problem.unwrap_or_default()) }
}

/// Returns the rules that apply to a load at this instant, in order.
fn rules_at(state: &State, settings: &Settings, at: i64) -> Vec<Rule> {
    let mut own: Vec<Rule> = settings.own.iter().filter_map(own_rule).filter(|rule| rule.applies_to(at)).collect();
    own.sort_by(|one, other| one.limit_id.cmp(&other.limit_id));
    state.setting.base(settings.plan).iter().cloned().chain(own).collect()
}

fn decide_again(state: &State, ledger: &Ledger, decided: &Decided<'_>, rules: &[Rule]) -> Result<(), String> {
    let decision = decided.decision;
    let (is_accepted, reasons) = (decision.verdict.is_accepted(), decision.verdict.reasons());
    let bounds: Vec<Bounds> = rules.iter().map(|rule| ledger.bounds(state, rule, decided)).collect();
    let codes = |bound: fn(&Bounds) -> u64| {
        let is_broken = |(rule, bounds): &(&Rule, &Bounds)| bound(bounds) + rule.value(decided.cents) > rule.max;
        let mut codes: Vec<&String> = vec![];
        for (rule, _) in rules.iter().zip(&bounds).filter(is_broken) {
            if !codes.contains(&&rule.code) {
                codes.push(&rule.code);
            }
        }
        codes
    };
    let (surely, perhaps) = (codes(|bounds| bounds.0), codes(|bounds| bounds.1));
    let may_lag = decided.may_lag && !is_accepted;
    let is_named = |code: &&String| reasons.contains(code);
    let is_used = |(usage, (rule, (low, high))): (u64, (&Rule, &Bounds))| {
        let this = if is_accepted { rule.value(decided.cents) } else { 0 };
        usage <= high + this && (may_lag || low + this <= usage)
    };
    let used = decision.usage.iter().map(|usage| usage.used);
    let is_right = is_accepted == reasons.is_empty()
        && perhaps.iter().copied().filter(is_named).eq(reasons)
        && (!is_accepted || surely.is_empty())
        && (may_lag || surely.iter().all(is_named))
        && used.zip(rules.iter().zip(&bounds)).all(is_used);
    if is_right {
        return Ok(());
    }
    let loads: Vec<Load> = ledger.loads.iter().map(|accepted| accepted.load).collect();
    Err(format!(
        "the oracle says {surely:?}, {bounds:?} of {rules:?} with {loads:?} of {:?}, {decision:?}",
        decided.basis
    ))
}

impl Accepted {
    /// Returns true if the commit of a writer that did not know the fence was not yet wholly applied when a decision
    /// began. Then the decision may have missed the load.
    fn may_be_missed_by(&self, decided: &Decided<'_>) -> bool {
        let overlaps = |basis: Basis| basis.is_unaware && basis.applied_at > decided.basis.begun_at;
        !decided.basis.is_unaware && self.committed.is_some_and(overlaps)
    }

    /// Returns true if the load's commit took effect between the read of a decline and its commit. A request may hang for
    /// longer than its message is invisible, and a decline may rest on older usage, because usage only grows.
    fn has_overtaken(&self, decided: &Decided<'_>) -> bool {
        let is_later = |basis: Basis| basis.commit != decided.basis.commit && basis.applied_at > decided.basis.read_at;
        !decided.decision.verdict.is_accepted() && self.committed.is_some_and(is_later)
    }
}

impl Ledger {
    /// Adds the load of a decision, if it is accepted.
    fn add(&mut self, decided: &Decided<'_>) {
        if decided.decision.verdict.is_accepted() {
            let load = Load { ms: decided.at, cents: decided.cents, is_kept: decided.basis.is_fenced };
            self.last_commit.1.insert(load.monday());
            self.loads.push(Accepted { load, committed: Some(decided.basis) });
        }
    }

    /// Begins the next commit. The rows that the last one has changed keep their latest loads only.
    fn begin(&mut self, commit: u64, kept_max: usize) {
        if commit == self.last_commit.0 {
            return;
        }
        let (_, mondays) = std::mem::replace(&mut self.last_commit, (commit, BTreeSet::new()));
        for monday in mondays {
            let of_week = self.loads.iter_mut().map(|accepted| &mut accepted.load);
            let mut kept: Vec<&mut Load> = of_week.filter(|load| load.is_kept && load.monday() == monday).collect();
            kept.sort_by_key(|load| load.ms);
            let left_out = kept.len().saturating_sub(kept_max);
            kept.into_iter().take(left_out).for_each(|load| load.is_kept = false);
        }
    }

    /// Returns the total of a rule's window around a decision's load.
    ///
    /// Both bounds are the same, with three exceptions. A decision may have missed loads of writers that did not know the
    /// fence and whose commit overlaps it. A decline may have missed loads that have overtaken it. And a total without an end that was counted while fewer loads were known by
    /// their days only stays as it was counted.
    fn bounds(&self, state: &State, rule: &Rule, decided: &Decided<'_>) -> Bounds {
        let is_missed = |accepted: &Accepted| rule.is_long() && accepted.may_be_missed_by(decided);
        let is_seen = |accepted: &&Accepted| !is_missed(accepted) && !accepted.has_overtaken(decided);
        let loads = |accepted: &Accepted| accepted.load;
        let seen: Vec<Load> = self.loads.iter().filter(is_seen).map(loads).collect();
        let all: Vec<Load> = self.loads.iter().map(loads).collect();
        let may_be_old = rule.since().is_some() && state.setting.kept_max < usize::MAX;
        let counting = if may_be_old { Counting::Truth } else { Counting::Documented };
        let low = rule.used(&seen, decided.at, counting);
        let is_same = seen.len() == all.len() && !may_be_old;
        (low, if is_same { low } else { rule.used(&all, decided.at, Counting::Documented) })
    }
}

/// Checks that no span of a limit that was in force throughout exceeds it, whatever the order of the commits was.
fn spans_are_within_the_limits(state: &State, customer: &str, ledger: &Ledger) -> Result<(), String> {
    let all: Vec<Load> = ledger.loads.iter().map(|accepted| accepted.load).collect();
    let decided = || ledger.loads.iter().filter(|accepted| accepted.committed.is_some());
    let is_unaware = decided().any(|accepted| accepted.committed.is_some_and(|basis| basis.is_unaware));
    let versions = state.own_limits.versions.get(customer).map_or(&[][..], Vec::as_slice);
    let is_constant = |limit: &&OwnLimit| versions.iter().all(|(_, settings)| settings.own.contains(limit));
    let has_plan = versions.iter().any(|(_, settings)| settings.plan.is_some());
    let base = if has_plan { &[][..] } else { &state.setting.rules[..] };
    let first = versions.first().filter(|(stored_at, _)| *stored_at <= beginning());
    let own = first.into_iter().flat_map(|(_, settings)| settings.own.iter().filter(is_constant).filter_map(own_rule));
    for rule in base.iter().cloned().chain(own.filter(|rule| !(rule.is_long() && is_unaware))) {
        // A load to which a limit does not apply counts in its spans, but is not checked.
        if decided().any(|accepted| !rule.applies_to(accepted.load.ms)) {
            continue;
        }
        for Accepted { load, .. } in decided() {
            let alone = if matches!(rule.window, Window::Load) { load.cents } else { 0 };
            let total = rule.used(&all, load.ms, Counting::Truth) + alone;
            if total > rule.max {
                return Err(format!("{customer} has {total} in the span of {load:?}: more than {rule:?} allows"));
            }
        }
    }
    Ok(())
}

/// Checks the totals of each stored row, and the loads that it keeps.
fn rows_are_the_sums_of_accepted_loads(state: &State, customer: &str, ledger: &Ledger) -> Result<(), String> {
    let mut weeks = BTreeMap::<i64, ([LoadTotal; 7], Vec<(Millis, Cents)>)>::new();
    let mut loads: Vec<Load> = ledger.loads.iter().map(|accepted| accepted.load).collect();
    loads.sort_by_key(|load| load.ms);
    for load in loads {
        let (days, kept) = weeks.entry(load.monday()).or_default();
        let day = load.ms.div_euclid(DAY_MS) - load.monday();
        let day = &mut days[usize::try_from(day).unwrap()];
        *day = LoadTotal { amount: Cents::new(day.amount.get() + load.cents), count: day.count + 1 };
        kept.extend(load.is_kept.then(|| (Millis::new(load.ms), Cents::new(load.cents))));
    }
    let rows = state.tables.usage.iter().filter(|(key, _)| key.customer_id == customer);
    let row = |(key, row): (&UsageKey, &Stored<UsageRow>)| {
        let mut kept: Vec<_> = row.item.loads.iter().collect();
        kept.sort_by_key(|(at, _)| *at);
        (i64::from(key.week.monday().since_epoch_days()), (*row.item.usage.days(), kept))
    };
    let rows: BTreeMap<i64, _> = rows.map(row).collect();
    if rows == weeks { Ok(()) } else { Err(format!("{customer}'s rows are {rows:?}, and were accepted as {weeks:?}")) }
}

/// Checks a fence's totals, and its count of changes.
fn fence_agrees(state: &State, customer: &str, ledger: &Ledger) -> Result<(), String> {
    let Some(fence) = state.tables.fences.get(customer).map(|fence| &fence.item) else { return Ok(()) };
    let rows = state.tables.usage.iter().filter(|(key, _)| key.customer_id == customer);
    let changes: u64 = rows.map(|(_, row)| row.item.fenced_changes).sum();
    if changes != fence.row_changes {
        return Err(format!("{changes} changes of {customer}'s rows, and {} in the fence", fence.row_changes));
    }
    let loads: Vec<Load> = ledger.loads.iter().map(|accepted| accepted.load).collect();
    for (since, total) in &fence.totals {
        let window = Window::Since(since.get());
        for (is_amount, kept) in [(true, total.amount.get()), (false, u64::from(total.count))] {
            let rule = Rule::new("", is_amount, window.clone(), 0);
            let [truth, most] =
                [Counting::Truth, Counting::Documented].map(|counting| rule.used(&loads, since.get(), counting));
            if !(truth..=most).contains(&kept) {
                return Err(format!("the fence's totals of {customer} are {fence:?}, and in truth {truth}: {loads:?}"));
            }
        }
    }
    Ok(())
}
