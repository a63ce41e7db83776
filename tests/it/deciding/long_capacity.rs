//! Cost of decisions under long limits and customers' own limits: capacity units as DynamoDB reports them, and requests as
//! a proxy counts them.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use loadgate::domain::{Limit, Limits, Measure, RollingHours, Window, Zone};
use loadgate::limits::{Enrollment, Link, LinkStore, Membership, PlanStore, Program, ProgramStore};

use super::store_capacity::{Metered, Units};
use crate::limits::plan_stores::{plan, version};
use crate::support::cloud::Fresh;
use crate::support::consumer_harness::{message, raw};
use crate::support::line;

/// What a batch costs: read units in halves, write units in halves, and requests by operation.
type Costs = (u64, u64, BTreeMap<String, u64>);

fn requests(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

fn limits(window: Window) -> Limits {
    let limit = |code: &str, measure, window, max| Limit { code: code.to_owned(), measure, window, max };
    let day = limit("DAILY_AMOUNT", Measure::Amount, Window::Day(Zone::UTC), 500_000);
    Limits::new(vec![day, limit("LONG", Measure::Amount, window, 10_000_000)]).unwrap()
}

async fn metered(fresh: Fresh, window: Option<Window>) -> Metered {
    let mut metered = Metered::over(fresh).await;
    metered.consumer.decider.has_limit_table = true;
    if let Some(window) = window {
        metered.consumer.decider.limits = limits(window);
    }
    metered
}

async fn costs(metered: &Metered, records: Vec<aws_lambda_events::event::sqs::SqsMessage>) -> Costs {
    metered.proxy.counts();
    let (failed, report) = metered.handle(records).await;
    assert_eq!(failed, 0);
    (report.units.read_halves, report.units.write_halves, metered.proxy.counts())
}

/// Checks costs. DynamoDB Local reports no read units for items that do not exist, so its read units are not compared.
fn check(costs: Costs, expected: &Costs, reported: Units, what: &str) {
    let reads = if reported == Units::OfItems { costs.0 } else { expected.0 };
    assert_eq!(&(reads, costs.1, costs.2), expected, "{what}");
}

/// Keys of the first read: the record, eventually consistent, and the week, the fence and the own limits, strongly.
const FIRST_READ: u64 = 1 + 3 * 2;

/// Read units of a transaction over one item, in halves.
const TRANSACTIONAL: u64 = 2 * 2;

async fn cost_by_window(new: impl AsyncFn() -> Fresh, reported: Units) {
    let units = |of_items: u64, tables: u64| if reported == Units::OfItems { 2 * of_items } else { 2 * 2 * tables };
    // 2000-01-03, the time of the messages, is the Monday of a week. January touches six weeks.
    let hours = |hours| Window::Rolling(RollingHours::new(hours).unwrap());
    let windows = [
        (Window::Day(Zone::named("Europe/London").unwrap()), 1),
        (Window::Week(Zone::named("Asia/Tokyo").unwrap()), 2),
        (hours(24), 2),
        (Window::Month(Zone::UTC), 6),
        (hours(744), 10),
    ];
    for (window, weeks) in windows {
        let metered = metered(new().await, Some(window.clone())).await;
        let reads = FIRST_READ + TRANSACTIONAL * (1 + weeks);
        let three = requests(&[("BatchGetItem", 1), ("TransactGetItems", 1), ("TransactWriteItems", 1)]);
        let accept = costs(&metered, vec![message("m1", "a", "1", "$1")]).await;
        check(accept, &(reads, units(6, 2), three.clone()), reported, &format!("a lone accept, {window:?}"));
        let put = requests(&[("BatchGetItem", 1), ("TransactGetItems", 1), ("PutItem", 1)]);
        let decline = costs(&metered, vec![message("m2", "a", "2", "$5000.01")]).await;
        check(decline, &(reads, 2, put), reported, &format!("a lone decline, {window:?}"));
        let ten = (10..20).map(|n| message(&format!("m{n}"), "ten", &n.to_string(), "$1"));
        let ten = costs(&metered, ten.collect()).await;
        let of_ten = FIRST_READ + 9 + TRANSACTIONAL * (1 + weeks);
        check(ten, &(of_ten, units(24, 2), three), reported, &format!("ten accepts of one customer, {window:?}"));
    }
}

/// A total of all time is counted for an hour, and then kept in the fence.
async fn cost_of_a_total_without_an_end(new: impl AsyncFn() -> Fresh) {
    let metered = metered(new().await, Some(Window::Lifetime)).await;
    let counted = requests(&[("BatchGetItem", 1), ("TransactGetItems", 1), ("Query", 1), ("TransactWriteItems", 1)]);
    let (_, _, first) = costs(&metered, vec![message("m1", "a", "1", "$1")]).await;
    assert_eq!(first, counted);
    let (_, _, declined) = costs(&metered, vec![message("m2", "a", "2", "$5000.01")]).await;
    assert_eq!(declined, counted, "a decline by a counted total checks the fence");
    metered.fresh.age_fence("a").await;
    let (_, _, last) = costs(&metered, vec![message("m3", "a", "3", "$1")]).await;
    assert_eq!(last, counted, "the first accept of a settled fence keeps the total");
    let kept = requests(&[("BatchGetItem", 1), ("TransactGetItems", 1), ("TransactWriteItems", 1)]);
    let (_, _, accepted) = costs(&metered, vec![message("m4", "a", "4", "$1")]).await;
    assert_eq!(accepted, kept);
    let put = requests(&[("BatchGetItem", 1), ("TransactGetItems", 1), ("PutItem", 1)]);
    let (_, writes, declined) = costs(&metered, vec![message("m5", "a", "5", "$5000.01")]).await;
    assert_eq!((writes, declined), (2, put), "a decline by a kept total costs one write unit");
}

/// A customer without a long limit and without a fence costs two keys more where customers may have own limits.
async fn cost_without_long_limits(new: impl AsyncFn() -> Fresh, reported: Units) {
    let units = |of_items: u64, tables: u64| if reported == Units::OfItems { 2 * of_items } else { 2 * 2 * tables };
    let mut metered = metered(new().await, None).await;
    let two = requests(&[("BatchGetItem", 1), ("TransactWriteItems", 1)]);
    let with_own_limits = costs(&metered, vec![message("m1", "a", "1", "$1")]).await;
    check(with_own_limits, &(FIRST_READ, units(4, 2), two.clone()), reported, "where there may be own limits");
    metered.consumer.decider.has_limit_table = false;
    let without = costs(&metered, vec![message("m2", "a", "2", "$1")]).await;
    check(without, &(1 + 2, units(4, 2), two), reported, "without own limits");
}

/// A decision under a plan costs what it does without one, as soon as the plan is known to the process.
async fn cost_under_plans(new: impl AsyncFn() -> Fresh, reported: Units) {
    let units = |of_items: u64, tables: u64| if reported == Units::OfItems { 2 * of_items } else { 2 * 2 * tables };
    let metered = metered(new().await, None).await;
    let store = &metered.fresh.store;
    store.add_plan_version(&plan("p", 1, 500_000)).await.unwrap();
    store.write_program("gold", &Program { version: 0, default_plan: Some(version("p", 1)) }).await.unwrap();
    for customer in ["in-gold", "also-in-gold"] {
        let after = Some("gold".to_owned());
        store
            .enroll(&Enrollment { customer_id: customer.to_owned(), before: Membership::default(), after })
            .await
            .unwrap();
    }
    let link = Link { number: 1, plan: Some(version("p", 1)), ..Link::default() };
    store.write_link("linked", 0, &link).await.unwrap();
    let reads = |count| requests(&[("BatchGetItem", count), ("TransactWriteItems", 1)]);
    let cost = async |customer: &str, id: &str| {
        costs(&metered, vec![message(&format!("m-{customer}-{id}"), customer, id, "$1")]).await
    };
    let as_before = (FIRST_READ, units(4, 2), reads(1));
    check(cost("linked", "1").await, &(FIRST_READ + 2, units(4, 2), reads(2)), reported, "the plan version, once");
    check(cost("linked", "2").await, &as_before, reported, "the plan version is known");
    check(cost("in-gold", "1").await, &(FIRST_READ + 2, units(4, 2), reads(2)), reported, "the programme's default");
    check(cost("in-gold", "2").await, &as_before, reported, "both are known");
    check(cost("also-in-gold", "1").await, &as_before, reported, "and serve other customers");
    check(cost("nobody", "1").await, &as_before, reported, "a customer without settings");
}

/// Attempts of many weeks take several transactions, each with at most 100 items.
async fn many_weeks_take_several_reads(new: impl AsyncFn() -> Fresh) {
    let metered = metered(new().await, Some(Window::Rolling(RollingHours::new(744).unwrap()))).await;
    let day = |n: i64| (chrono::DateTime::UNIX_EPOCH + TimeDelta::days(n * 120)).to_rfc3339();
    let messages = (0..30).map(|n| raw(&format!("m{n}"), "a", line(&n.to_string(), "a", "$1", &day(n)).trim_end()));
    let (_, _, requests) = costs(&metered, messages.collect()).await;
    assert!(requests["TransactGetItems"] > 1, "{requests:?}");
    assert_eq!(requests["TransactGetItems"], requests["TransactWriteItems"]);
}

#[tokio::test]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn costs_in_dynamodb_local() {
    let new = async || Fresh::with_limits_in_dynamodb_local().await;
    cost_by_window(new, Units::OfTables).await;
    cost_of_a_total_without_an_end(new).await;
    cost_without_long_limits(new, Units::OfTables).await;
    cost_under_plans(new, Units::OfTables).await;
    many_weeks_take_several_reads(new).await;
}

#[tokio::test]
async fn costs_in_the_embedded_store() {
    let new = async || Fresh::embedded_with_limits().await;
    cost_by_window(new, Units::OfItems).await;
    cost_of_a_total_without_an_end(new).await;
    cost_without_long_limits(new, Units::OfItems).await;
    cost_under_plans(new, Units::OfItems).await;
    many_weeks_take_several_reads(new).await;
}
