//! Decisions under plans: which limits they are made under, what is read for them, and what is stored with them.

use std::time::Duration;

use chrono::TimeDelta;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{CorrelationRecord, DEFAULT_PLAN_KEPT};
use loadgate::domain::{LimitOrigin, Limits, Millis, PlanVersion};
use loadgate::limits::{Author, Enrollment, LimitStore, Link, LinkStore, PlanStore, Program, ProgramStore, StoredPlan};
use loadgate::wire::parse_limits;

use crate::limits::plan_stores::version;
use crate::limits::store::write_of;
use crate::limits::{created, limit};
use crate::support::consumer_harness::{Harness, message, raw, received};
use crate::support::line;

/// Returns a harness whose store has the plan `p`: version 1 allows $100.00 a day, version 2 $200.00.
async fn harness() -> Harness {
    let mut harness = Harness::new();
    harness.consumer.decider.has_limit_table = true;
    for (number, max) in [(1, "100.00"), (2, "200.00")] {
        put(harness.tables(), "p", number, &day(max)).await;
    }
    harness
}

impl Harness {
    fn tables(&self) -> &MemoryStore {
        &self.store().inner
    }

    /// Returns the reads of plans and default plans since the last call.
    fn plan_reads(&self) -> Vec<String> {
        std::mem::take(&mut *self.store().plan_reads.lock().unwrap())
    }

    /// Decides a load of a customer. Returns true if it is accepted, and the origin of its limits.
    async fn load(&self, customer: &str, id: &str, amount: &str) -> (bool, LimitOrigin) {
        let (failed, _) = self.handle(vec![message(&format!("m-{customer}-{id}"), customer, id, amount)]).await;
        assert!(failed.is_empty(), "{customer} {id}");
        let CorrelationRecord { decision, .. } = self.store().record(customer, id).await.unwrap();
        (decision.verdict.is_accepted(), decision.origin)
    }
}

fn day(max: &str) -> Limits {
    parse_limits(&format!("[[limit]]\ncode='DAY'\nmeasure='amount'\nwindow='day'\nmax='{max}'\n")).unwrap()
}

async fn put(store: &MemoryStore, plan_id: &str, number: u64, limits: &Limits) {
    let plan = StoredPlan {
        plan: version(plan_id, number),
        limits: limits.clone(),
        created_at: Millis::new(0),
        created_by: Author("test".to_owned()),
    };
    store.add_plan_version(&plan).await.unwrap();
}

async fn link(store: &MemoryStore, customer: &str, plan: Option<PlanVersion>) {
    let read = store.link(customer).await.unwrap().number;
    let link = Link { number: store.draw_number().await.unwrap(), plan, ..Link::default() };
    store.write_link(customer, read, &link).await.unwrap();
}

async fn set_default(store: &MemoryStore, program_id: &str, plan: Option<PlanVersion>) {
    let Program { version, .. } = store.program(program_id).await.unwrap();
    store.write_program(program_id, &Program { version, default_plan: plan }).await.unwrap();
}

async fn enroll(store: &MemoryStore, customer: &str, program_id: &str) {
    let before = store.program_of(customer).await.unwrap();
    let enrollment = Enrollment { customer_id: customer.to_owned(), before, after: Some(program_id.to_owned()) };
    store.enroll(&enrollment).await.unwrap();
}

fn program(program_id: &str, plan: PlanVersion) -> LimitOrigin {
    LimitOrigin::Program { program_id: program_id.to_owned(), plan }
}

#[tokio::test(start_paused = true)]
async fn a_link_a_programme_s_default_and_the_deployment_apply_in_this_order() {
    let harness = harness().await;
    let tables = harness.tables();
    assert_eq!(harness.load("a", "1", "$150").await, (true, LimitOrigin::Deployment));
    enroll(tables, "a", "gold").await;
    assert_eq!(harness.load("a", "2", "$1").await, (true, LimitOrigin::Deployment), "a programme without a plan");
    set_default(tables, "gold", Some(version("p", 1))).await;
    harness.pass(DEFAULT_PLAN_KEPT);
    assert_eq!(harness.load("a", "3", "$0.01").await, (false, program("gold", version("p", 1))));
    link(tables, "a", Some(version("p", 2))).await;
    assert_eq!(harness.load("a", "4", "$49.00").await, (true, LimitOrigin::Plan(version("p", 2))));
    assert_eq!(harness.load("a", "5", "$0.01").await, (false, LimitOrigin::Plan(version("p", 2))));
    link(tables, "a", None).await;
    assert_eq!(harness.load("a", "6", "$0.01").await, (false, program("gold", version("p", 1))));
    assert_eq!(harness.load("b", "1", "$4999").await, (true, LimitOrigin::Deployment), "another customer");
}

#[tokio::test(start_paused = true)]
async fn own_limits_apply_under_a_plan_too() {
    let harness = harness().await;
    let tables = harness.tables();
    link(tables, "a", Some(version("p", 2))).await;
    let write = write_of(tables, &created(1, limit("l-1", "a"), None)).await;
    LimitStore::write(tables, &write).await.unwrap();
    harness.load("a", "1", "$150").await;
    let record = harness.store().record("a", "1").await.unwrap();
    let codes: Vec<&str> = record.decision.usage.iter().map(|usage| usage.code.as_str()).collect();
    assert_eq!(codes, ["DAY", "CUSTOMER_DAY"], "the plan's limits, then the customer's own");
    assert_eq!(record.decision.verdict.reasons(), ["CUSTOMER_DAY"]);
}

#[tokio::test(start_paused = true)]
async fn plan_versions_are_read_once_and_defaults_every_thirty_seconds() {
    let harness = harness().await;
    let tables = harness.tables();
    set_default(tables, "gold", Some(version("p", 1))).await;
    for customer in ["a", "b"] {
        enroll(tables, customer, "gold").await;
    }
    enroll(tables, "c", "empty").await;
    harness.load("a", "1", "$1").await;
    assert_eq!(harness.plan_reads(), ["gold", "p 1"]);
    harness.load("a", "2", "$1").await;
    harness.load("b", "1", "$1").await;
    assert_eq!(harness.plan_reads(), [""; 0], "both are cached");
    harness.load("c", "1", "$1").await;
    harness.load("c", "2", "$1").await;
    assert_eq!(harness.plan_reads(), ["empty"], "no default is cached too");
    set_default(tables, "gold", Some(version("p", 2))).await;
    // Each load takes a millisecond.
    harness.pass(DEFAULT_PLAN_KEPT - TimeDelta::milliseconds(6));
    assert_eq!(harness.load("b", "2", "$1").await.1, program("gold", version("p", 1)), "the last moment");
    assert_eq!(harness.plan_reads(), [""; 0]);
    harness.pass(TimeDelta::milliseconds(5));
    assert_eq!(harness.load("b", "3", "$1").await.1, program("gold", version("p", 2)));
    assert_eq!(harness.plan_reads(), ["gold", "p 2"]);
    set_default(tables, "gold", Some(version("p", 1))).await;
    harness.pass(DEFAULT_PLAN_KEPT + TimeDelta::days(1_000));
    assert_eq!(harness.load("b", "4", "$1").await.1, program("gold", version("p", 1)));
    assert_eq!(harness.plan_reads(), ["gold"], "a version is cached for good");
    set_default(tables, "gold", Some(version("p", 2))).await;
    harness.pass(TimeDelta::hours(-1));
    assert_eq!(harness.load("b", "5", "$1").await.1, program("gold", version("p", 2)), "a clock that was set back");
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded() {
    let harness = harness().await;
    let tables = harness.tables();
    for number in 0..1_001 {
        let plan_id = format!("plan-{number}");
        put(tables, &plan_id, 1, &day("1.00")).await;
        link(tables, "a", Some(version(&plan_id, 1))).await;
        harness.load("a", &number.to_string(), "$2").await;
    }
    assert_eq!(harness.plan_reads().len(), 1_001);
    link(tables, "a", Some(version("plan-1", 1))).await;
    harness.load("a", "again", "$2").await;
    link(tables, "a", Some(version("plan-0", 1))).await;
    harness.load("a", "once more", "$2").await;
    assert_eq!(harness.plan_reads(), ["plan-0 1"], "the one that has not been used for longest has made room");
}

#[tokio::test(start_paused = true)]
async fn a_missing_plan_version_stops_only_its_customer_and_no_looser_limit_applies() {
    let harness = harness().await;
    link(harness.tables(), "a", Some(version("p", 3))).await;
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "b", "1", "$1"), message("m3", "a", "2", "$1")];
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed, report.accepted), (vec!["m1".to_owned(), "m3".to_owned()], 1));
    assert_eq!(harness.plan_reads(), ["p 3"], "a retry does not help");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_repeated_and_timed() {
    let harness = harness().await;
    link(harness.tables(), "a", Some(version("p", 1))).await;
    *harness.store().failing_plan_reads.lock().unwrap() = 2;
    assert_eq!(harness.load("a", "1", "$100.01").await, (false, LimitOrigin::Plan(version("p", 1))));
    assert_eq!(harness.plan_reads(), ["p 1"; 3]);
    *harness.store().failing_plan_reads.lock().unwrap() = 1_000;
    link(harness.tables(), "a", Some(version("p", 2))).await;
    let (failed, report) = harness.handle(vec![message("m1", "b", "1", "$1"), message("m2", "a", "2", "$1")]).await;
    assert_eq!((failed, report.accepted), (vec!["m2".to_owned()], 1));
    assert!(report.read_time < Duration::from_secs(1), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stored_decision_keeps_its_plan_and_its_message() {
    let harness = harness().await;
    link(harness.tables(), "a", Some(version("p", 1))).await;
    harness.load("a", "1", "$100.01").await;
    let body = harness.publisher().published.lock().unwrap().pop().unwrap();
    link(harness.tables(), "a", Some(version("p", 2))).await;
    let (failed, report) = harness.handle(vec![received(message("m-a-1", "a", "1", "$100.01"), 2)]).await;
    assert_eq!((failed.len(), report.redelivered), (0, 1));
    assert_eq!(*harness.publisher().published.lock().unwrap(), std::slice::from_ref(&body));
    assert_eq!(harness.store().record("a", "1").await.unwrap().decision.origin, LimitOrigin::Plan(version("p", 1)));
    // The message is the one that the same limits of a deployment give.
    let mut deployment = Harness::new();
    deployment.consumer.decider.limits = day("100.00");
    deployment.load("a", "1", "$100.01").await;
    assert_eq!(*deployment.publisher().published.lock().unwrap(), [body]);
}

#[tokio::test(start_paused = true)]
async fn a_long_limit_of_a_plan_looks_across_weeks() {
    let harness = harness().await;
    let month = "[[limit]]\ncode='MONTH'\nmeasure='amount'\nwindow='month'\nmax='100.00'\n";
    put(harness.tables(), "long", 1, &parse_limits(month).unwrap()).await;
    link(harness.tables(), "a", Some(version("long", 1))).await;
    let at = |id: &str, time: &str| raw(&format!("m{id}"), "a", line(id, "a", "$60.00", time).trim_end());
    let batch = vec![at("1", "2000-01-03T00:00:00Z"), at("2", "2000-01-29T00:00:00Z"), at("3", "2000-02-01T00:00:00Z")];
    harness.handle(batch).await;
    assert_eq!(harness.published(), ["a/1+", "a/2-", "a/3+"]);
}
