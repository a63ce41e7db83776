//! Conditions that hold once the faults have stopped and everything has drained.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, TimeDelta};
use loadgate::deciding::CorrelationRecord;

use loadgate::wire::decision_message;

use super::consumers::REPLAY;
use super::simulation::{Counts, FAILING, Simulation, State};
use super::{decisions, log};
use crate::support::oracle;

/// Maximum time between the commit and the publication of a healthy customer's decision.
const PUBLISHED_WITHIN: TimeDelta = TimeDelta::seconds(1);

/// Retention of the dead-letter queue.
const DEAD_LETTER_RETENTION: TimeDelta = TimeDelta::days(14);

/// Maximum difference between two clocks.
pub const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

pub fn check(simulation: &Simulation) -> Result<Counts, String> {
    let mut state = simulation.state();
    if let Some(violation) = &state.violation {
        return Err(violation.clone());
    }
    every_event_is_decided(&state)?;
    let exercised = decisions::check(&state)?;
    decisions_are_published(&state)?;
    published_loads_are_within_the_limits(&state)?;
    healthy_customers_are_not_delayed(&state)?;
    stored_decisions_are_not_neglected(&state)?;
    customers_are_in_order(&state)?;
    invalid_messages_become_dead_letters(&state)?;
    log::check(&state)?;
    state.count("long_declines", exercised.long_declines);
    state.count("overlaps", exercised.overlaps);
    Ok(state.counts.clone())
}

fn every_event_is_decided(state: &State) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for record in state.tables.queued() {
        let decision = &record.decision;
        let before = last.insert(&decision.key, decision.decided_at);
        let is_too_soon = |before| decision.decided_at < before + state.correlation_ttl - SKEW_MAX;
        if before.is_some_and(is_too_soon) {
            return Err(format!("{:?} was decided twice: at {before:?} and at {}", decision.key, decision.decided_at));
        }
    }
    let decided: BTreeSet<_> = last.keys().map(|key| (key.customer_id.clone(), key.event_id.clone())).collect();
    every_message_is_decided_once(state)?;
    let missing: Vec<_> = state.tables.sent.iter().filter(|event| !decided.contains(*event)).collect();
    if !missing.is_empty() || decided.len() != state.tables.sent.len() {
        return Err(format!("not decided: {missing:?}"));
    }
    let again = state.tables.queued().count() - decided.len();
    if again < state.tables.repeated {
        return Err(format!(
            "{} events came again after their records had expired, {again} were decided",
            state.tables.repeated
        ));
    }
    Ok(())
}

/// Checks that no message has its event decided twice, however old the record is.
fn every_message_is_decided_once(state: &State) -> Result<(), String> {
    let mut first = BTreeMap::new();
    for record in state.tables.queued() {
        let Some(origin) = state.origins.get(&record.message_id) else { continue };
        if let Some(before) = first.insert(origin, record).filter(|before| !is_known_gap(state, before)) {
            return Err(format!("{origin} was decided twice, at {}: {record:?}", before.decision.decided_at));
        }
    }
    Ok(())
}

/// Groups records by customer. Their order stays.
fn by_customer<'r>(
    records: impl Iterator<Item = &'r CorrelationRecord>,
) -> BTreeMap<&'r str, Vec<&'r CorrelationRecord>> {
    let mut customers = BTreeMap::<&str, Vec<_>>::new();
    for record in records {
        customers.entry(&record.decision.key.customer_id).or_default().push(record);
    }
    customers
}

fn decisions_are_published(state: &State) -> Result<(), String> {
    let bodies: BTreeSet<String> = state.tables.queued().map(|record| decision_message(&record.decision)).collect();
    let published: BTreeSet<&String> = state.decisions.stored.iter().map(|stored| &stored.body).collect();
    for record in state.tables.queued() {
        let body = decision_message(&record.decision);
        if !published.contains(&body) && !is_known_gap(state, record) {
            return Err(format!("never published: {body}"));
        }
    }
    if let Some(body) = published.iter().find(|body| !bodies.contains(**body)) {
        return Err(format!("published, but never decided so: {body}"));
    }
    let nothing_went_wrong = state.counted("redeliveries") + state.counted("refused") == 0;
    if nothing_went_wrong && state.decisions.offers != state.tables.queued().count() as u64 {
        return Err(format!("{} publications of {} decisions", state.decisions.offers, bodies.len()));
    }
    Ok(())
}

/// Returns true if the record expired while its dead letter still existed, and the event was then decided again. This
/// can happen where records live for less time than dead letters are kept. Only a pending record lives longer, and
/// perhaps no later delivery was able to write it.
fn is_forgotten(state: &State, record: &CorrelationRecord) -> bool {
    let again = state.tables.queued().filter(|again| again.decision.key == record.decision.key);
    let is_decided_again = again.last().is_some_and(|again| again.decision.decided_at >= record.expires_at - SKEW_MAX);
    state.correlation_ttl < DEAD_LETTER_RETENTION
        && state.given_up.contains_key(&record.decision.key)
        && is_decided_again
}

/// Returns true if the record was set to pending before its last message was deleted. A later record of the same event
/// does not count.
fn is_pending_in_time(state: &State, record: &CorrelationRecord) -> bool {
    let key = &record.decision.key;
    let pending_since = state.tables.pending.get(key).filter(|at| **at < record.expires_at);
    pending_since.is_some_and(|at| state.tables.deleted.get(key).is_none_or(|last| at < last))
}

/// Returns true for a known gap, which a pending record cannot close. The first delivery of a message commits its
/// decision. Every later delivery fails, so that the record is not set to pending in time. Then the message comes back
/// from the dead-letter queue under an unknown id.
///
/// SQS keeps the old id as the deduplication id. So the gap needs a redrive by SQS after which the message is given up
/// once more, or a redrive by other means, or a redrive after the record has expired. In place of that redrive,
/// `loadgate redrive` publishes the decision.
pub fn is_known_gap(state: &State, record: &CorrelationRecord) -> bool {
    let key = &record.decision.key;
    let (redrives, last) = state.redriven_by_sqs.get(key).copied().unwrap_or_default();
    let given_up = state.given_up.get(key).copied().unwrap_or_default();
    let is_unknown = redrives > 0
        && (!state.redrive_keeps_id || redrives > 1 || given_up > 1 || last >= record.expires_at - SKEW_MAX);
    let is_never_pending = !is_pending_in_time(state, record) && !state.neglected.contains(key);
    is_never_pending && (is_unknown || is_forgotten(state, record))
}

/// Checks that a customer's events are decided in the order in which they were sent, and published in the order in
/// which they were decided. A message that was in the dead-letter queue has lost its place.
fn customers_are_in_order(state: &State) -> Result<(), String> {
    for (customer, records) in by_customer(state.tables.queued()) {
        if state.disordered.contains(customer) {
            continue;
        }
        let sent = state.tables.sent.iter().filter(|(sent_for, _)| sent_for == customer).map(|(_, id)| id);
        let decided: Vec<_> = records.iter().map(|record| &record.decision.key.event_id).collect();
        if !sent.eq(decided.iter().copied().take(decided.len()).take(state.tables.sent_for(customer))) {
            return Err(format!("{customer}'s events were decided in the order {decided:?}"));
        }
        let first = |record: &&CorrelationRecord| {
            let body = decision_message(&record.decision);
            state.decisions.stored.iter().position(|stored| stored.body == body)
        };
        let places: Vec<_> = records.iter().map(first).collect();
        if !places.is_sorted() {
            return Err(format!("{customer}'s decisions were published in the order {places:?}"));
        }
    }
    Ok(())
}

fn invalid_messages_become_dead_letters(state: &State) -> Result<(), String> {
    let letters = state.dead.messages.iter().map(|letter| &letter.body);
    let all: Vec<&String> = letters.chain(&state.archive).collect();
    let bodies: BTreeSet<&String> = all.iter().copied().collect();
    if bodies.len() as u64 != state.counted("invalid") {
        return Err(format!(
            "of {} invalid messages, {} are dead letters or archived",
            state.counted("invalid"),
            bodies.len()
        ));
    }
    if let Some(letter) = state.dead.messages.iter().find(|letter| letter.code.as_deref() != Some("NOT_JSON")) {
        return Err(format!("a dead letter without its error code: {letter:?}"));
    }
    // A second dead letter is allowed only if a message was received again or a redrive was cut short.
    let may_repeat = state.counted("redeliveries") + state.counted("redrives") + state.counted("redriven") > 0;
    if all.len() > bodies.len() && !may_repeat {
        return Err(format!("put on the dead-letter queue twice: {all:?}"));
    }
    Ok(())
}

/// Checks that all other customers' decisions are published within a second of their commit, in runs in which only one
/// customer's requests are refused or hang.
fn healthy_customers_are_not_delayed(state: &State) -> Result<(), String> {
    for (committed_at, record) in state.tables.history.iter().filter(|_| state.customer_faults.is_alone) {
        if record.decision.key.customer_id == FAILING || record.message_id.starts_with(REPLAY) {
            continue;
        }
        let body = decision_message(&record.decision);
        let published = state.decisions.stored.iter().find(|stored| stored.body == body);
        let is_late = |at| at > *committed_at + PUBLISHED_WITHIN;
        if published.is_none_or(|published| is_late(published.at)) {
            let at = published.map(|published| published.at);
            return Err(format!("committed at {committed_at}, published at {at:?}: {body}"));
        }
    }
    Ok(())
}

/// Checks that every delivery that could do so published its stored decision, or at least set it to pending.
fn stored_decisions_are_not_neglected(state: &State) -> Result<(), String> {
    if state.neglected.is_empty() {
        return Ok(());
    }
    Err(format!("stored, and neither published nor set to pending, although it could be: {:?}", state.neglected))
}

/// Checks the plain sums of the loads that were published as accepted: no day and no week exceeds the limits.
fn published_loads_are_within_the_limits(state: &State) -> Result<(), String> {
    let mut decided = BTreeSet::new();
    let mut sums = BTreeMap::<(String, String), (u64, u64)>::new();
    for published in &state.decisions.stored {
        let body: serde_json::Value = serde_json::from_str(&published.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let is_first = decided.insert((text("customer_id"), text("id"), text("decided_at")));
        if !is_first || body["accepted"] != true {
            continue;
        }
        let (cents, time) = (oracle::cents(&text("load_amount")).unwrap(), text("time"));
        let day: chrono::NaiveDate = time[..10].parse().unwrap();
        let week = format!("{:?}", day.iso_week());
        let most = |code: &str| state.own_limits.most(&state.setting, &text("customer_id"), code);
        let daily = (day.to_string(), most("DAILY_COUNT"), most("DAILY_AMOUNT"));
        for (window, loads_max, cents_max) in [daily, (week, u64::MAX, most("WEEKLY_AMOUNT"))] {
            let sum = sums.entry((text("customer_id"), window.clone())).or_default();
            *sum = (sum.0 + 1, sum.1 + cents);
            if sum.0 > loads_max || sum.1 > cents_max {
                return Err(format!("{} has {sum:?} published as accepted in {window}", text("customer_id")));
            }
        }
    }
    Ok(())
}
