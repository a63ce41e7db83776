//! Long limits and customers' own limits through the consumer. Decisions and usage are those of an oracle that keeps every
//! load.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, TimeDelta, Utc};
use loadgate::adapters::SystemClock;
use loadgate::deciding::{Clock, Consistency, Delivery, Group, MessageSource, Snapshot, Store};
use loadgate::domain::{
    Cents, Change, Currency, Limit, LimitEvent, Limits, LoadAttempt, Measure, Millis, OwnLimit, OwnLimitKind,
    OwnLimitStatus, OwnPeriod,
};
use loadgate::limits::{Applied, LimitApplier};
use loadgate::wire::read_attempt;
use proptest::prelude::*;
use serde_json::Value;

use crate::domain::windows::{attempts, limits, oracle_used, text};
use crate::support::consumer_harness::{Harness, raw};
use crate::support::line;

const HOUR_MS: i64 = 3_600_000;

/// An attempt: the customer's number, the time in milliseconds, the cents.
pub type Attempt = (u8, i64, u64);

/// A draft of an own limit: the customer's number, the period, the beginning and the end of its active time, the maximum,
/// and the time of its cancellation.
pub type OwnDraft = (u8, OwnPeriod, i64, Option<i64>, u64, Option<i64>);

pub fn own_limits() -> impl Strategy<Value = Vec<OwnDraft>> {
    let begin = "2024-03-20T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_millis();
    let hours = move |hours: i64| begin + hours * HOUR_MS + 1;
    let limit = (
        0..2_u8,
        prop::sample::select(OwnPeriod::ALL.to_vec()),
        (-900..400_i64).prop_map(hours),
        prop::option::weighted(0.3, (0..600_i64).prop_map(hours)),
        0..400_u64,
        prop::option::weighted(0.2, (0..600_i64).prop_map(hours)),
    );
    prop::collection::vec(limit, 0..5)
}

pub fn own_limit(number: usize, (customer, period, from, until, max, canceled): OwnDraft) -> OwnLimit {
    OwnLimit {
        limit_id: format!("l-{number}"),
        user_id: customer.to_string(),
        brand_id: None,
        kind: OwnLimitKind::Deposit,
        period,
        currency: Currency::USD,
        value: Cents::new(max),
        status: canceled.map_or(OwnLimitStatus::Active, |at| OwnLimitStatus::Canceled { at: Millis::new(at) }),
        active_from: Millis::new(from),
        active_until: until.map(Millis::new),
        raises: vec![],
        pending: None,
    }
}

pub fn created(limit: &OwnLimit) -> LimitEvent {
    let created_at = match limit.status {
        OwnLimitStatus::Canceled { at } => at,
        _ => Millis::new(0),
    };
    let change = Some(Change::Created { limit: Box::new(limit.clone()), progress: None });
    LimitEvent { sequence_number: 1, created_at, change }
}

/// Returns true when an own limit applies to a load at this time.
fn applies(limit: &OwnLimit, ms: i64) -> bool {
    let canceled_at = match limit.status {
        OwnLimitStatus::Canceled { at } => at.get(),
        _ => i64::MAX,
    };
    let until = limit.active_until.map_or(i64::MAX, Millis::get);
    limit.active_from.get() <= ms && ms < until.min(canceled_at)
}

/// Returns the number of the span of an own limit that holds the time: spans are counted one by one, from the anchor.
fn span_number(limit: &OwnLimit, ms: i64) -> String {
    let utc = |ms: i64| DateTime::<Utc>::from_timestamp_millis(ms).unwrap();
    let (at, anchor) = (utc(ms), utc(limit.active_from.get()));
    let count =
        |starts: &dyn Fn(u32) -> DateTime<Utc>| (0..u32::MAX).take_while(|nth| starts(*nth) <= at).count().to_string();
    match limit.period {
        OwnPeriod::CalendarDay => at.date_naive().to_string(),
        OwnPeriod::CalendarWeek => format!("{:?}", at.iso_week()),
        OwnPeriod::CalendarMonth => format!("{} {}", at.year(), at.month()),
        OwnPeriod::Day => count(&|nth| anchor + TimeDelta::hours(24 * i64::from(nth))),
        OwnPeriod::Week => count(&|nth| anchor + TimeDelta::hours(7 * 24 * i64::from(nth))),
        OwnPeriod::Month => count(&|nth| anchor + Months::new(nth)),
        OwnPeriod::Indefinite => (at >= anchor).to_string(),
        OwnPeriod::Instance => format!("load {ms}"),
    }
}

fn own_used(limit: &OwnLimit, accepted: &[(i64, u64)], ms: i64) -> u64 {
    if limit.period == OwnPeriod::Instance {
        return 0;
    }
    // Loads before the anchor are in no anchored span of a load to which the limit applies.
    let is_same = |load: &&(i64, u64)| span_number(limit, load.0) == span_number(limit, ms);
    accepted.iter().filter(is_same).map(|load| load.1).sum()
}

/// What a decision must say: its reasons, and each limit's id with its usage.
#[derive(Debug, PartialEq)]
struct Expected {
    reasons: Vec<String>,
    usage: Vec<(Option<String>, u64)>,
}

fn expected(deployment: &[Limit], own: &[OwnLimit], attempts: &[Attempt]) -> Vec<Expected> {
    let mut accepted = BTreeMap::<u8, Vec<(i64, u64)>>::new();
    let judge = |(customer, ms, cents): &Attempt| {
        let loads = accepted.entry(*customer).or_default();
        let mut entries: Vec<(String, Option<String>, u64, u64, u64)> = Vec::new();
        for limit in deployment {
            let this = if limit.measure == Measure::Amount { *cents } else { 1 };
            entries.push((limit.code.clone(), None, oracle_used(limit, loads, *ms), this, limit.max));
        }
        for limit in own.iter().filter(|limit| limit.user_id == customer.to_string() && applies(limit, *ms)) {
            let code = format!("CUSTOMER_{}", limit.period.name());
            entries.push((code, Some(limit.limit_id.clone()), own_used(limit, loads, *ms), *cents, limit.value.get()));
        }
        let mut reasons: Vec<String> = Vec::new();
        for (code, _, used, this, max) in &entries {
            if used + this > *max && !reasons.contains(code) {
                reasons.push(code.clone());
            }
        }
        if reasons.is_empty() {
            loads.push((*ms, *cents));
        }
        let after = |used: u64, this: u64| if reasons.is_empty() { used + this } else { used };
        let usage = entries.iter().map(|(_, id, used, this, _)| (id.clone(), after(*used, *this))).collect();
        Expected { reasons, usage }
    };
    attempts.iter().map(judge).collect()
}

fn decided(body: &str) -> (String, Expected) {
    let body: Value = serde_json::from_str(body).unwrap();
    let reasons = body["reasons"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned());
    let entry = |usage: &Value| (usage["limit_id"].as_str().map(str::to_owned), usage["used"].as_u64().unwrap());
    let usage = body["usage"].as_array().unwrap().iter().map(entry);
    (body["id"].as_str().unwrap().to_owned(), Expected { reasons: reasons.collect(), usage: usage.collect() })
}

pub fn body((number, (customer, ms, cents)): (usize, &Attempt)) -> String {
    let amount = format!("${}.{:02}", cents / 100, cents % 100);
    line(&number.to_string(), &customer.to_string(), &amount, &text(Millis::new(*ms))).trim_end().to_owned()
}

fn harness(deployment: Vec<Limit>) -> Harness {
    let mut harness = Harness::new();
    harness.consumer.decider.limits = Limits::new(deployment).unwrap();
    harness.consumer.decider.has_limit_table = true;
    harness
}

async fn store(harness: &mut Harness, own: &[OwnLimit]) {
    let inner = &mut harness.consumer.decider.store.inner;
    let applier = LimitApplier { store: std::mem::take(inner), clock: SystemClock };
    for limit in own {
        assert_eq!(applier.apply(&created(limit)).await.unwrap(), Applied::Changed);
    }
    *inner = applier.store;
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// A replay reads ahead, and may be suspended: a commit that knows no fence does not follow an old read.
#[tokio::test(start_paused = true)]
async fn what_was_read_long_ago_is_read_again_before_a_commit_without_a_fence() {
    let deliveries = |harness: &Harness, id: &str| {
        let text = line(id, "0", "$1.00", "2024-03-20T00:00:00Z");
        let written = read_attempt(text.trim_end().as_bytes()).unwrap();
        let attempt = LoadAttempt::check(written.clone()).unwrap();
        let source = MessageSource { message_id: id.to_owned(), ..MessageSource::default() };
        assert!(harness.consumer.decider.has_limit_table);
        vec![Delivery::new(0, source, &written, attempt, Currency::USD)]
    };
    for (minutes, reads) in [(14, 1), (16, 2)] {
        let mut harness = harness(Limits::default().iter().cloned().collect());
        let group = Group { deliveries: deliveries(&harness, "1"), run: None };
        let decider = &harness.consumer.decider;
        let lookup = decider.lookup(&group.deliveries);
        let read = decider.store.read(&lookup, Consistency::Strong).await.unwrap();
        let first = Snapshot { read_at: decider.clock.now(), ..read };
        // Meanwhile the customer gets a limit that the old read does not know.
        store(&mut harness, &[own_limit(1, (0, OwnPeriod::Indefinite, 0, None, 99, None))]).await;
        harness.pass(TimeDelta::minutes(minutes));
        let outcomes = harness.consumer.decider.decide_all(group, Some(Arc::new(first))).await.unwrap();
        assert_eq!(harness.store().reads.lock().unwrap().len(), reads, "after {minutes} minutes");
        let record = outcomes[0].1.record().unwrap();
        assert_eq!(record.decision.verdict.is_accepted(), reads == 1, "the second read knows the limit");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_consumer_decides_by_every_window_as_an_oracle_that_keeps_every_load(
        deployment in limits(),
        own in own_limits(),
        attempts in attempts(),
        batches in prop::collection::vec((1..11_usize, 0..50_i64), 80),
    ) {
        let own: Vec<OwnLimit> = own.into_iter().enumerate().map(|(number, draft)| own_limit(number, draft)).collect();
        let expected = expected(&deployment, &own, &attempts);
        let bodies: Vec<String> = attempts.iter().enumerate().map(body).collect();
        let published = block_on(async {
            let mut harness = harness(deployment);
            store(&mut harness, &own).await;
            let mut rest = &bodies[..];
            for (count, minutes) in batches {
                let (batch, behind) = rest.split_at(count.min(rest.len()));
                let message = |body: &String| {
                    let attempt: Value = serde_json::from_str(body).unwrap();
                    raw(&format!("m{}", attempt["id"]), attempt["customer_id"].as_str().unwrap(), body)
                };
                let (failed, _) = harness.handle(batch.iter().map(message).collect()).await;
                assert_eq!(failed, Vec::<String>::new());
                // Totals of windows without an end are counted for an hour, and kept afterwards.
                harness.pass(TimeDelta::minutes(minutes));
                rest = behind;
            }
            std::mem::take(&mut *harness.publisher().published.lock().unwrap())
        });
        let mut published: BTreeMap<String, Expected> = published.iter().map(|body| decided(body)).collect();
        for (number, expected) in expected.into_iter().enumerate() {
            prop_assert_eq!(published.remove(&number.to_string()), Some(expected), "{}", bodies[number]);
        }
    }
}
