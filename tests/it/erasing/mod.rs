//! Erasure of a customer, on every store.

mod meanwhile;

use std::io::Cursor;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::SystemClock;
use loadgate::deciding::{
    Clock, Consistency, Decider, DecisionLog, FencedLookup, LogReader, Lookup, Publication, RecordReader, Store,
    StoreError,
};
use loadgate::domain::{EventKey, LoadError, Millis, OwnLimit, OwnPeriod, PlanVersion};
use loadgate::erasing::{CustomerItem, ErasableStore, EraseError, Eraser, Holdings, Obstacle, Survey};
use loadgate::limits::{
    Author, Enrollment, LimitApplier, LimitStore, Link, LinkStore, Membership, PlanStore, ProgramStore,
};
use loadgate::replay::{Manifest, ReplayObserver, ReplayOutput, StoreReplay, Tally};
use loadgate::wire::Reasons;

use crate::limits::plan_stores::plan;
use crate::limits::{created, limit, progressed};
use crate::support::records::now;
use crate::support::stores::on_every_store;
use crate::support::{self, Shared, line};

on_every_store![
    an_erased_customer_leaves_nothing_and_others_stay,
    a_survey_counts_and_deletes_nothing,
    an_interrupted_erasure_can_be_repeated,
    a_pending_decision_refuses_the_erasure,
    a_recent_decision_refuses_the_erasure,
    a_fence_that_has_changed_is_not_deleted,
    an_erased_customer_is_decided_as_a_new_one,
];

const CUSTOMER: &str = "528";

/// Customers whose ids begin like the erased one, or contain it.
const OTHERS: [&str; 5] = ["52", "5280", "528/1", "limit/528", "roster/00/528"];

/// What the customer has after `fill`.
const FILLED: Holdings = Holdings {
    log_entries: 3,
    records: 3,
    usage_rows: 2,
    fences: 1,
    limits: 3,
    changes: 2,
    roster_entries: 1,
    settings: 1,
};

/// A clock that stands still.
#[derive(Clone, Copy)]
struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    async fn sleep(&self, _duration: std::time::Duration) {}
}

struct NoObserver;

impl ReplayObserver for NoObserver {
    fn invalid(&mut self, _line: u64, _error: &LoadError) {}

    fn progressed(&mut self, _tally: &Tally) {}
}

trait AnyStore:
    Store + RecordReader + LogReader + LimitStore + LinkStore + ProgramStore + PlanStore + Manifest + ErasableStore + Clone
{
}

impl<S> AnyStore for S where
    S: Store
        + RecordReader
        + LogReader
        + LimitStore
        + LinkStore
        + ProgramStore
        + PlanStore
        + Manifest
        + ErasableStore
        + Clone
{
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

fn clock() -> At {
    At(later())
}

fn eraser<'s, S>(store: &'s S, clock: &'s At) -> Eraser<'s, S, At> {
    Eraser { store, clock, has_log: true, has_limits: true, read_units: NonZeroU32::new(1000).unwrap() }
}

async fn survey(store: &impl ErasableStore, customer_id: &str) -> Survey {
    eraser(store, &clock()).survey(customer_id).await.unwrap()
}

/// Decides attempts through the store, and returns the decisions.
async fn decide(store: impl AnyStore + 'static, run: &str, at: DateTime<Utc>, attempts: String) -> String {
    let new_run_id = |at: DateTime<Utc>| format!("{:020}", at.timestamp_micros());
    let log = Some(DecisionLog { retention: Some(TimeDelta::days(90)), new_run_id });
    let decider = Decider { has_limit_table: true, log, ..support::decider(store, At(at)) };
    let (decisions, customers_max) = (Shared::default(), NonZeroUsize::new(1).unwrap());
    let replay =
        StoreReplay { decider: Arc::new(decider), run: run.to_owned(), reasons: Reasons::Omitted, customers_max };
    let output = ReplayOutput::new(decisions.clone(), None, NoObserver);
    assert!(replay.run(Cursor::new(attempts), output).await.unwrap().is_complete);
    String::from_utf8(decisions.take()).unwrap()
}

fn attempts(customer_id: &str) -> String {
    ["2026-01-05", "2026-01-06", "2026-01-12"]
        .map(|day| line(&format!("event of {day}"), customer_id, "$1.00", &format!("{day}T10:00:00Z")))
        .concat()
}

/// Gives a customer something of everything: a long limit with a fence, one that was never defined, decisions of two weeks.
async fn fill(store: &(impl AnyStore + 'static), customer_id: &str, number: u8) {
    let applier = LimitApplier { store: store.clone(), clock: SystemClock };
    let limit_id = |name: &str| format!("{name} of {customer_id}");
    let monthly = OwnLimit { period: OwnPeriod::Month, ..limit(&limit_id("a"), customer_id) };
    applier.apply(&created(1, monthly, None)).await.unwrap();
    applier.apply(&created(1, limit(&limit_id("b/528"), customer_id), None)).await.unwrap();
    applier.apply(&progressed(1, &limit_id("never defined"), customer_id, 1)).await.unwrap();
    let (id, program_id) = (customer_id.to_owned(), Some("gold/528".to_owned()));
    let enrollment = Enrollment { customer_id: id, before: Membership::default(), after: program_id };
    store.enroll(&enrollment).await.unwrap();
    let plan_version = PlanVersion { plan_id: CUSTOMER.to_owned(), version: 1 };
    let link = Link {
        number: 1,
        plan: Some(plan_version),
        linked_at: Some(Millis::new(1)),
        linked_by: Some(Author(customer_id.to_owned())),
    };
    store.write_link(customer_id, 0, &link).await.unwrap();
    let at = now() + TimeDelta::milliseconds(i64::from(number));
    let decisions = decide(store.clone(), customer_id, at, attempts(customer_id)).await;
    assert_eq!(decisions.lines().count(), 3, "{decisions}");
}

async fn fill_all(store: &(impl AnyStore + 'static)) {
    store.add_plan_version(&plan(CUSTOMER, 1, 1_000_00)).await.unwrap();
    for (customer_id, number) in OTHERS.iter().chain([&CUSTOMER]).zip(0..) {
        fill(store, customer_id, number).await;
    }
}

async fn an_erased_customer_leaves_nothing_and_others_stay(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    assert_eq!(eraser(&store, &clock()).erase(CUSTOMER).await.unwrap(), FILLED);
    assert_eq!(survey(&store, CUSTOMER).await, Survey::default());
    assert!(store.read_rows(CUSTOMER).await.unwrap().rows.is_empty());
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), Membership::default());
    assert_eq!(store.link(CUSTOMER).await.unwrap(), Link::default());
    for other in OTHERS {
        assert_eq!(survey(&store, other).await.holdings, FILLED, "{other}");
        let settings = Lookup { settings: [other.to_owned()].into(), ..Lookup::default() };
        let settings = Store::read(&store, &settings, Consistency::Strong).await.unwrap().settings;
        let settings = settings[other].as_ref().unwrap();
        assert_eq!((settings.own_limits.len(), settings.program_id.as_deref()), (2, Some("gold/528")), "{other}");
    }
    assert!(store.plan_version(&PlanVersion { plan_id: CUSTOMER.to_owned(), version: 1 }).await.unwrap().is_some());
    let again = eraser(&store, &clock()).erase(CUSTOMER).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
}

async fn a_survey_counts_and_deletes_nothing(store: impl AnyStore + 'static) {
    assert_eq!(survey(&store, CUSTOMER).await, Survey::default());
    fill_all(&store).await;
    for _ in 0..2 {
        assert_eq!(survey(&store, CUSTOMER).await, Survey { holdings: FILLED, obstacle: None });
    }
}

async fn an_interrupted_erasure_can_be_repeated(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    let records = store.read_records(CUSTOMER, None, 10).await.unwrap().records;
    let positions = records.iter().map(|record| record.decision.log.clone().unwrap());
    let entries = positions.map(|position| CustomerItem::LogEntry { run_id: position.run_id, seq: position.seq });
    let records = records.iter().map(|record| CustomerItem::Record(record.decision.key.clone()));
    let rows = store.read_rows(CUSTOMER).await.unwrap().rows.into_keys();
    let key = |week| loadgate::deciding::UsageKey { customer_id: CUSTOMER.to_owned(), week };
    let rows = rows.map(|week| CustomerItem::UsageRow(key(week)));
    // In the order of an erasure.
    let order: Vec<CustomerItem> = entries.chain(records).chain(rows).collect();
    for item in &order {
        assert_eq!(store.delete_items(std::slice::from_ref(item)).await.unwrap(), [0; 0]);
        let Survey { holdings, obstacle } = survey(&store, CUSTOMER).await;
        assert!(obstacle.is_none() && !holdings.is_empty() && holdings != FILLED);
    }
    let left = Holdings { log_entries: 0, records: 0, usage_rows: 0, ..FILLED };
    assert_eq!(eraser(&store, &clock()).erase(CUSTOMER).await.unwrap(), left);
    assert_eq!(survey(&store, CUSTOMER).await, Survey::default());
}

async fn a_pending_decision_refuses_the_erasure(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    let mut record = store.read_records(CUSTOMER, None, 1).await.unwrap().records.remove(0);
    record.publication = Publication::Pending;
    store.set_publication(&record).await.unwrap();
    let refused = eraser(&store, &clock()).erase(CUSTOMER).await.unwrap_err();
    let expected = Obstacle::Pending { decisions: 1 };
    assert!(matches!(refused, EraseError::Refused(obstacle) if obstacle == expected), "{refused}");
    assert!(refused.to_string().starts_with("nothing was deleted: 1 decisions of the customer may be unpublished"));
    assert_eq!(survey(&store, CUSTOMER).await, Survey { holdings: FILLED, obstacle: Some(expected) });
}

async fn a_recent_decision_refuses_the_erasure(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    let decided_at = store.read_records(CUSTOMER, None, 1).await.unwrap().records[0].decision.decided_at;
    let until = decided_at + TimeDelta::minutes(15);
    for at in [decided_at - TimeDelta::hours(1), until] {
        let refused = eraser(&store, &At(at)).erase(CUSTOMER).await.unwrap_err();
        let expected = Obstacle::Recent { until };
        assert!(matches!(refused, EraseError::Refused(obstacle) if obstacle == expected), "{refused}");
    }
    assert_eq!(survey(&store, CUSTOMER).await.holdings, FILLED);
    eraser(&store, &At(until + TimeDelta::milliseconds(1))).erase(CUSTOMER).await.unwrap();
}

async fn a_fence_that_has_changed_is_not_deleted(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    let lookup = FencedLookup { customer_id: CUSTOMER.to_owned(), ..FencedLookup::default() };
    let version = store.read_fenced(&lookup).await.unwrap().fence.version;
    for other in [version - 1, version + 1] {
        let refused = store.delete_fence(CUSTOMER, other).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    for _ in 0..2 {
        store.delete_fence(CUSTOMER, version).await.unwrap();
    }
    assert_eq!(survey(&store, CUSTOMER).await.holdings, Holdings { fences: 0, ..FILLED });
}

async fn an_erased_customer_is_decided_as_a_new_one(store: impl AnyStore + 'static) {
    fill_all(&store).await;
    let repeated = decide(store.clone(), "repeated", later(), attempts("52")).await;
    assert_eq!(repeated, "", "another run repeats events that are remembered");
    eraser(&store, &clock()).erase(CUSTOMER).await.unwrap();
    // Its limit of $100.00 a month is gone, and so is its usage.
    let large = line("large", CUSTOMER, "$5000.00", "2026-01-05T10:00:00Z");
    let decisions = decide(store.clone(), "new", later(), large + &attempts(CUSTOMER)).await;
    let accepted: Vec<bool> = decisions.lines().map(|line| line.contains("\"accepted\":true")).collect();
    assert_eq!(accepted, [true, false, true, true], "{decisions}");
    let key = EventKey { customer_id: CUSTOMER.to_owned(), event_id: "large".to_owned() };
    let lookup = Lookup { events: [key].into(), ..Lookup::default() };
    assert_eq!(Store::read(&store, &lookup, Consistency::Strong).await.unwrap().records.len(), 1);
}
