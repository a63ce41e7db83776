//! What has to be true when the faults have stopped and everything has drained.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use loadgate::deciding::CorrelationRecord;
use loadgate::domain::StoredDecision;

use loadgate::wire::decision_message;

use super::consumers::REPLAY;
use super::simulation::{Counts, FAILING, Simulation, State};
use crate::support::oracle;

/// How long after its commit a decision of a healthy customer is published at the latest.
const PUBLISHED_WITHIN: TimeDelta = TimeDelta::seconds(1);

/// How long a dead-letter queue keeps a letter.
const LETTERS_KEPT: TimeDelta = TimeDelta::days(14);

/// How much clocks disagree at the most.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

pub fn check(simulation: &Simulation) -> Result<Counts, String> {
    let state = simulation.state();
    if let Some(violation) = &state.violation {
        return Err(violation.clone());
    }
    every_event_is_decided(&state)?;
    decisions_are_the_oracle_s(&state)?;
    usage_is_the_sum_of_accepted_loads(&state)?;
    decisions_are_published(&state)?;
    published_loads_are_within_the_limits(&state)?;
    nobody_waits_for_another_s_trouble(&state)?;
    nothing_stored_is_neglected(&state)?;
    customers_are_in_order(&state)?;
    invalid_messages_are_put_away(&state)?;
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

/// However old its record: what one message has brought is not decided again for it.
fn every_message_is_decided_once(state: &State) -> Result<(), String> {
    let mut first = BTreeMap::new();
    for record in state.tables.queued() {
        let Some(origin) = state.origins.get(&record.message_id) else { continue };
        if let Some(before) = first.insert(origin, record).filter(|before| !is_beyond_the_promise(state, before)) {
            return Err(format!("{origin} was decided twice, at {}: {record:?}", before.decision.decided_at));
        }
    }
    Ok(())
}

/// Each customer's records, in their order.
fn by_customer<'r>(
    records: impl Iterator<Item = &'r CorrelationRecord>,
) -> BTreeMap<&'r str, Vec<&'r CorrelationRecord>> {
    let mut customers = BTreeMap::<&str, Vec<_>>::new();
    for record in records {
        customers.entry(&record.decision.key.customer_id).or_default().push(record);
    }
    customers
}

fn decisions_are_the_oracle_s(state: &State) -> Result<(), String> {
    for (customer, records) in by_customer(state.tables.committed()) {
        let attempt = |(n, record): (usize, &&CorrelationRecord)| oracle::Attempt {
            // Whether an event has been seen is the store's to say.
            id: n.to_string(),
            customer_id: customer.to_owned(),
            cents: oracle::cents(&record.decision.load_amount).unwrap(),
            time: oracle::instant(&record.decision.time).unwrap(),
        };
        let is_contended = records.iter().any(|record| record.message_id.starts_with(REPLAY))
            || state.counted("outlived") > 0 && state.disordered.contains(customer);
        let attempts: Vec<_> = records.iter().enumerate().map(attempt).collect();
        let expected = oracle::judge_all(&oracle::default_limits(), &attempts);
        for (record, expected) in records.iter().zip(expected) {
            let (decision, expected) = (&record.decision, expected.unwrap());
            let used: Vec<u128> = decision.usage.iter().map(|usage| usage.used.into()).collect();
            let is_right = decision.verdict.is_accepted() == expected.reasons.is_empty()
                && decision.verdict.is_accepted() == decision.verdict.reasons().is_empty()
                && decision.verdict.reasons().iter().all(|reason| expected.reasons.contains(reason))
                && used.iter().zip(&expected.used).all(|(used, expected)| used <= expected);
            // A decline needs no row to stand as it was read: usage only grows. Between read and commit, another writer may
            // have used up one more limit, which the decline then does not name.
            let is_exact = decision.verdict.reasons() == expected.reasons && used == expected.used;
            let may_lag = is_contended || is_read_half_applied(state, decision);
            if !is_right || !(is_exact || may_lag && !decision.verdict.is_accepted()) {
                return Err(format!("the oracle says {expected:?} of {decision:?}"));
            }
        }
    }
    Ok(())
}

/// Whether a read around a decision showed usage of before a transaction that another consumer's commit was still applying.
fn is_read_half_applied(state: &State, decision: &StoredDecision) -> bool {
    let reads = state.half_applied.get(&decision.key.customer_id);
    let is_near = |read: &DateTime<Utc>| read.signed_duration_since(decision.decided_at).abs() <= SKEW_MAX;
    reads.is_some_and(|reads| reads.iter().any(is_near))
}

fn usage_is_the_sum_of_accepted_loads(state: &State) -> Result<(), String> {
    let accepted = state.tables.committed().filter(|record| record.decision.verdict.is_accepted());
    let expected: u64 = accepted.map(|record| oracle::cents(&record.decision.load_amount).unwrap()).sum();
    let days = state.tables.usage.values().flat_map(|row| *row.item.usage.days());
    let stored: u64 = days.map(|day| day.amount.get()).sum();
    if stored == expected { Ok(()) } else { Err(format!("{stored} cents are stored, {expected} were accepted")) }
}

fn decisions_are_published(state: &State) -> Result<(), String> {
    let bodies: BTreeSet<String> = state.tables.queued().map(|record| decision_message(&record.decision)).collect();
    let published: BTreeSet<&String> = state.decisions.taken.iter().map(|taken| &taken.body).collect();
    for record in state.tables.queued() {
        let body = decision_message(&record.decision);
        if !published.contains(&body) && !is_beyond_the_promise(state, record) {
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

/// Where events are remembered for less time than letters are kept, only the mark remembers them longer: not an event of
/// which no later delivery could write it.
fn is_forgotten(state: &State, record: &CorrelationRecord) -> bool {
    let again = state.tables.queued().filter(|again| again.decision.key == record.decision.key);
    let is_decided_again = again.last().is_some_and(|again| again.decision.decided_at >= record.expires_at - SKEW_MAX);
    state.correlation_ttl < LETTERS_KEPT && state.given_up.contains_key(&record.decision.key) && is_decided_again
}

/// Whether a record was marked before its last message was deleted. Not by a later life of the event.
fn is_marked_in_time(state: &State, record: &CorrelationRecord) -> bool {
    let key = &record.decision.key;
    let marked_at = state.tables.pending.get(key).filter(|at| **at < record.expires_at);
    marked_at.is_some_and(|at| state.tables.deleted.get(key).is_none_or(|last| at < last))
}

/// What the mark cannot cover: a message that was committed at its first delivery and came to nothing at every later one, so
/// that no mark was written in time, and that came back from the dead-letter queue under an id that nobody knows. SQS keeps
/// the old id as the deduplication id, so that this needs a redrive by SQS after which it is given up once more, or one by
/// other means, or one after the record has expired. `loadgate redrive`, in place of that one, publishes the decision.
fn is_beyond_the_promise(state: &State, record: &CorrelationRecord) -> bool {
    let key = &record.decision.key;
    let (redrives, last) = state.redriven_natively.get(key).copied().unwrap_or_default();
    let given_up = state.given_up.get(key).copied().unwrap_or_default();
    let is_unknown = redrives > 0
        && (!state.redrive_keeps_id || redrives > 1 || given_up > 1 || last >= record.expires_at - SKEW_MAX);
    let is_unmarked = !is_marked_in_time(state, record) && !state.neglected.contains(key);
    is_unmarked && (is_unknown || is_forgotten(state, record))
}

/// Decided in the order in which they were sent, and published in the order in which they were decided. A message that went
/// through the dead-letter queue has lost its place.
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
            state.decisions.taken.iter().position(|taken| taken.body == body)
        };
        let places: Vec<_> = records.iter().map(first).collect();
        if !places.is_sorted() {
            return Err(format!("{customer}'s decisions were published in the order {places:?}"));
        }
    }
    Ok(())
}

fn invalid_messages_are_put_away(state: &State) -> Result<(), String> {
    let letters = state.dead.messages.iter().map(|letter| &letter.body);
    let all: Vec<&String> = letters.chain(&state.archive).collect();
    let bodies: BTreeSet<&String> = all.iter().copied().collect();
    if bodies.len() as u64 != state.counted("invalid") {
        return Err(format!("of {} invalid messages, {} are put away", state.counted("invalid"), bodies.len()));
    }
    if let Some(letter) = state.dead.messages.iter().find(|letter| letter.code.as_deref() != Some("NOT_JSON")) {
        return Err(format!("not told what is wrong: {letter:?}"));
    }
    // A second letter comes only where a message was received again, or a redrive was cut short.
    let may_repeat = state.counted("redeliveries") + state.counted("redrives") + state.counted("redriven") > 0;
    if all.len() > bodies.len() && !may_repeat {
        return Err(format!("put away twice: {all:?}"));
    }
    Ok(())
}

/// Where one customer's requests are refused or hang, and nothing else goes wrong, all others' decisions go out within a
/// second of their commit.
fn nobody_waits_for_another_s_trouble(state: &State) -> Result<(), String> {
    for (committed_at, record) in state.tables.history.iter().filter(|_| state.trouble.is_alone) {
        if record.decision.key.customer_id == FAILING || record.message_id.starts_with(REPLAY) {
            continue;
        }
        let body = decision_message(&record.decision);
        let published = state.decisions.taken.iter().find(|taken| taken.body == body);
        let is_late = |at| at > *committed_at + PUBLISHED_WITHIN;
        if published.is_none_or(|published| is_late(published.at)) {
            let at = published.map(|published| published.at);
            return Err(format!("committed at {committed_at}, published at {at:?}: {body}"));
        }
    }
    Ok(())
}

/// What is stored is published, or at least marked, by every delivery that could.
fn nothing_stored_is_neglected(state: &State) -> Result<(), String> {
    if state.neglected.is_empty() {
        return Ok(());
    }
    Err(format!("stored, and neither published nor marked, though it could be: {:?}", state.neglected))
}

/// The naive sums of what was published as accepted: in no day and in no week more than the limits allow.
fn published_loads_are_within_the_limits(state: &State) -> Result<(), String> {
    let mut decided = BTreeSet::new();
    let mut sums = BTreeMap::<(String, String), (u64, u64)>::new();
    for published in &state.decisions.taken {
        let body: serde_json::Value = serde_json::from_str(&published.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let is_first = decided.insert((text("customer_id"), text("id"), text("decided_at")));
        if !is_first || body["accepted"] != true {
            continue;
        }
        let (cents, time) = (oracle::cents(&text("load_amount")).unwrap(), text("time"));
        let day: chrono::NaiveDate = time[..10].parse().unwrap();
        let week = format!("{:?}", day.iso_week());
        for (window, loads_max, cents_max) in [(day.to_string(), 3, 500_000), (week, u64::MAX, 2_000_000)] {
            let sum = sums.entry((text("customer_id"), window.clone())).or_default();
            *sum = (sum.0 + 1, sum.1 + cents);
            if sum.0 > loads_max || sum.1 > cents_max {
                return Err(format!("{} has {sum:?} published as accepted in {window}", text("customer_id")));
            }
        }
    }
    Ok(())
}
