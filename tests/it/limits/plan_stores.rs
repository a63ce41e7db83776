//! The contract of every store of plans, programmes and links. It is tested on the store in memory, Amazon's DynamoDB
//! Local, and the embedded store.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use loadgate::deciding::{Consistency, CustomerSettings, Lookup, Store, StoreError};
use loadgate::domain::{Limit, Limits, Measure, Millis, PlanVersion, RollingHours, Window, Zone};
use loadgate::limits::{
    Author, Enrollment, LimitStore, Link, LinkStore, Membership, PlanPage, PlanStore, Program, ProgramStore, StoredPlan,
};

use super::store::NOW_MS;
use super::{created, limit};
use crate::support::stores::on_every_store;

on_every_store![
    a_plan_version_is_read_as_it_was_written,
    a_version_must_follow_the_latest,
    one_of_many_writers_adds_a_version,
    plans_are_listed_page_by_page,
    a_missing_plan_version_is_a_corrupt_item,
    a_programme_changes_only_as_it_was_read,
    a_customer_moves_only_from_the_programme_that_was_read,
    numbers_are_drawn_once,
    a_link_changes_only_as_it_was_read,
    own_limits_link_and_programme_leave_each_other_alone,
];

/// Prefix of the ids: `roster/07/` could be taken for another key.
const CUSTOMER: &str = "roster/07/c-1";

pub fn membership(program_id: Option<&str>, version: u64) -> Membership {
    Membership { program_id: program_id.map(str::to_owned), version }
}

pub fn version(plan_id: &str, version: u64) -> PlanVersion {
    PlanVersion { plan_id: plan_id.to_owned(), version }
}

/// Returns a plan version of one limit, whose maximum is `max`.
pub fn plan(plan_id: &str, number: u64, max: u64) -> StoredPlan {
    let limit = Limit { code: "DAY".to_owned(), measure: Measure::Amount, window: Window::Day(Zone::UTC), max };
    StoredPlan {
        plan: version(plan_id, number),
        limits: Limits::new(vec![limit]).unwrap(),
        created_at: Millis::new(NOW_MS),
        created_by: Author("ann".to_owned()),
    }
}

fn link(number: u64, plan: Option<PlanVersion>) -> Link {
    Link { number, plan, linked_at: Some(Millis::new(NOW_MS)), linked_by: Some(Author("ann".to_owned())) }
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

async fn a_plan_version_is_read_as_it_was_written(store: impl Store + PlanStore) {
    let rolling = |hours| Window::Rolling(RollingHours::new(hours).unwrap());
    let zone = Zone::named("Europe/London").unwrap();
    let windows = [
        Window::Load,
        Window::Day(Zone::UTC),
        Window::Week(zone.clone()),
        Window::Month(zone),
        Window::Lifetime,
        rolling(1),
        rolling(744),
    ];
    let limit = |(number, window)| Limit {
        code: format!("L{number}"),
        measure: if number % 2 == 0 { Measure::Amount } else { Measure::Count },
        window,
        max: [0, 1, (1 << 53) - 1][number % 3],
    };
    let limits = Limits::new(windows.into_iter().enumerate().map(limit).collect()).unwrap();
    let written = StoredPlan { limits, ..plan("plan/ü \"x\"", 1, 1) };
    store.add_plan_version(&written).await.unwrap();
    assert_eq!(store.plan_version(&written.plan).await.unwrap(), Some(written.clone()));
    assert_eq!(store.read_plan(&written.plan).await.unwrap().value, written.limits);
    assert_eq!(store.latest_version("plan/ü \"x\"").await.unwrap(), Some(1));
    assert_eq!(store.plan_version(&version("plan/ü \"x\"", 2)).await.unwrap(), None);
    assert_eq!(store.latest_version("other").await.unwrap(), None);
}

async fn a_version_must_follow_the_latest(store: impl PlanStore) {
    assert!(is_conflict(&store.add_plan_version(&plan("p", 2, 1)).await));
    store.add_plan_version(&plan("p", 1, 1)).await.unwrap();
    for stale in [1, 3] {
        assert!(is_conflict(&store.add_plan_version(&plan("p", stale, 9)).await), "{stale}");
    }
    store.add_plan_version(&plan("p", 2, 2)).await.unwrap();
    assert_eq!(store.latest_version("p").await.unwrap(), Some(2));
    assert_eq!(store.plan_version(&version("p", 1)).await.unwrap(), Some(plan("p", 1, 1)));
    assert_eq!(store.plan_version(&version("p", 2)).await.unwrap(), Some(plan("p", 2, 2)));
    assert_eq!(store.plan_version(&version("p", 3)).await.unwrap(), None);
}

async fn one_of_many_writers_adds_a_version(store: impl PlanStore) {
    let plans: Vec<StoredPlan> = (1..=8).map(|max| plan("p", 1, max)).collect();
    let added = join_all(plans.iter().map(|plan| store.add_plan_version(plan))).await;
    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 1, "{added:?}");
    let winner = added.iter().position(Result::is_ok).unwrap();
    assert_eq!(store.plan_version(&version("p", 1)).await.unwrap().as_ref(), Some(&plans[winner]));
}

async fn plans_are_listed_page_by_page(store: impl PlanStore) {
    assert_eq!(store.list_plans(None, 3).await.unwrap(), PlanPage::default());
    for plan_id in ["b", "a", "é", "Z", "b/c"] {
        store.add_plan_version(&plan(plan_id, 1, 1)).await.unwrap();
    }
    store.add_plan_version(&plan("b", 2, 1)).await.unwrap();
    let (mut listed, mut after) = (vec![], None);
    loop {
        let page = store.list_plans(after.as_deref(), 2).await.unwrap();
        assert!(page.plans.len() <= 2);
        listed.extend(page.plans);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let expected = [("Z", 1), ("a", 1), ("b", 2), ("b/c", 1), ("é", 1)];
    assert_eq!(listed, expected.map(|(plan_id, number)| version(plan_id, number)));
}

async fn a_missing_plan_version_is_a_corrupt_item(store: impl Store) {
    let error = store.read_plan(&version("p", 3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("is missing"), "{error}");
}

async fn a_programme_changes_only_as_it_was_read(store: impl Store + ProgramStore) {
    let read = |program_id: &'static str| store.read_default_plan(program_id);
    assert_eq!(store.program("gold").await.unwrap(), Program::default());
    assert_eq!(read("gold").await.unwrap().value, None);
    let with = |version, default_plan| Program { version, default_plan };
    assert!(is_conflict(&store.write_program("gold", &with(1, None)).await));
    store.write_program("gold", &with(0, None)).await.unwrap();
    assert_eq!(store.program("gold").await.unwrap(), with(1, None));
    assert!(is_conflict(&store.write_program("gold", &with(0, Some(version("p", 9)))).await));
    store.write_program("gold", &with(1, Some(version("p", 1)))).await.unwrap();
    assert_eq!(store.program("gold").await.unwrap(), with(2, Some(version("p", 1))));
    assert_eq!(read("gold").await.unwrap().value, Some(version("p", 1)));
    assert_eq!(read("gold/").await.unwrap().value, None);
    store.write_program("gold", &with(2, None)).await.unwrap();
    assert_eq!(read("gold").await.unwrap().value, None);
}

async fn a_customer_moves_only_from_the_programme_that_was_read(store: impl Store + ProgramStore) {
    let enroll = |before: Membership, after: Option<&str>| {
        let enrollment = Enrollment { customer_id: CUSTOMER.to_owned(), before, after: after.map(str::to_owned) };
        let store = &store;
        async move { store.enroll(&enrollment).await }
    };
    let of = membership;
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), Membership::default());
    assert!(is_conflict(&enroll(of(Some("gold"), 1), None).await));
    enroll(of(None, 0), Some("gold")).await.unwrap();
    assert!(is_conflict(&enroll(of(None, 0), Some("silver")).await));
    assert!(is_conflict(&enroll(of(Some("silver"), 2), Some("bronze")).await));
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), of(Some("gold"), 1));
    enroll(of(Some("gold"), 1), Some("silver")).await.unwrap();
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), of(Some("silver"), 2));
    enroll(of(Some("silver"), 2), None).await.unwrap();
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), of(None, 3));

    // A delayed move does not undo later ones that have brought the customer back to where it was.
    assert!(is_conflict(&enroll(of(None, 0), Some("silver")).await));
    enroll(of(None, 3), Some("gold")).await.unwrap();
    assert!(is_conflict(&enroll(of(Some("gold"), 1), Some("silver")).await));
    assert_eq!(store.program_of(CUSTOMER).await.unwrap(), of(Some("gold"), 4));
}

async fn numbers_are_drawn_once(store: impl LinkStore) {
    let drawn = join_all((0..20).map(|_| store.draw_number())).await;
    let drawn: BTreeSet<u64> = drawn.into_iter().map(Result::unwrap).collect();
    assert_eq!(drawn, (1..=20).collect());
}

async fn a_link_changes_only_as_it_was_read(store: impl LinkStore) {
    let p = |number| Some(version("p", number));
    assert_eq!(store.link(CUSTOMER).await.unwrap(), Link::default());
    assert!(is_conflict(&store.write_link(CUSTOMER, 1, &link(5, p(1))).await));
    store.write_link(CUSTOMER, 0, &link(5, p(1))).await.unwrap();
    assert_eq!(store.link(CUSTOMER).await.unwrap(), link(5, p(1)));
    for stale in [0, 4, 6] {
        assert!(is_conflict(&store.write_link(CUSTOMER, stale, &link(7, p(2))).await), "{stale}");
    }
    store.write_link(CUSTOMER, 5, &link(7, None)).await.unwrap();
    assert_eq!(store.link(CUSTOMER).await.unwrap(), link(7, None), "an unlink leaves its number");
    assert!(is_conflict(&store.write_link(CUSTOMER, 0, &link(8, p(2))).await), "also where no plan is linked");
    store.write_link(CUSTOMER, 7, &link(8, p(2))).await.unwrap();
    assert_eq!(store.link(CUSTOMER).await.unwrap(), link(8, p(2)));
}

async fn own_limits_link_and_programme_leave_each_other_alone(
    store: impl Store + LimitStore + LinkStore + ProgramStore,
) {
    let settings = async || {
        let wanted = Lookup { settings: [CUSTOMER.to_owned()].into(), ..Lookup::default() };
        let mut read = Store::read(&store, &wanted, Consistency::Strong).await.unwrap();
        read.settings.remove(CUSTOMER).map(Result::unwrap)
    };
    let enroll = async |before: Membership, after: Option<&str>| {
        let after = after.map(str::to_owned);
        store.enroll(&Enrollment { customer_id: CUSTOMER.to_owned(), before, after }).await.unwrap();
    };
    let define = async |number: u64| {
        let write = super::store::write_of(&store, &created(number, limit("l-1", CUSTOMER), None)).await;
        LimitStore::write(&store, &write).await.unwrap();
    };
    let own_limits = vec![limit("l-1", CUSTOMER)];
    assert_eq!(settings().await, None);
    store.write_link(CUSTOMER, 0, &link(1, Some(version("p", 1)))).await.unwrap();
    let linked = CustomerSettings { link: Some(version("p", 1)), ..CustomerSettings::default() };
    assert_eq!(settings().await, Some(linked.clone()), "a link alone");
    enroll(Membership::default(), Some("gold")).await;
    let enrolled = CustomerSettings { program_id: Some("gold".to_owned()), ..linked };
    assert_eq!(settings().await, Some(enrolled.clone()));
    define(1).await;
    let all = CustomerSettings { own_limits, ..enrolled };
    assert_eq!(settings().await, Some(all.clone()), "the first own limit is conditional on there being none");
    store.write_link(CUSTOMER, 1, &link(2, None)).await.unwrap();
    define(2).await;
    assert_eq!(settings().await, Some(CustomerSettings { link: None, ..all.clone() }));
    enroll(membership(Some("gold"), 1), None).await;
    assert_eq!(settings().await, Some(CustomerSettings { link: None, program_id: None, ..all }));
    assert_eq!(store.link(CUSTOMER).await.unwrap(), link(2, None));
}
