//! What a fence, kept loads and own limits need of every store.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use loadgate::adapters::SystemClock;
use loadgate::deciding::{
    Commit, Consistency, Fence, FenceWrite, FencedLookup, Lookup, Store, StoreError, UsageChange, UsageRow, Writes,
};
use loadgate::domain::{
    AcceptedLoads, Cents, Change, Currency, Day, LimitEvent, LoadTotal, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus,
    OwnPeriod, Week, WeekUsage,
};
use loadgate::limits::{LimitApplier, LimitStore};

use crate::support::records::{at, now, record};
use crate::support::stores::on_every_store;

on_every_store![
    a_fence_and_its_rows_are_read_as_they_were_committed,
    a_changed_fence_refuses_a_commit_of_another_week,
    a_checked_fence_must_be_unchanged,
    a_commit_without_the_fence_leaves_the_kept_loads,
    all_rows_are_read_however_many_there_are,
    a_customer_s_own_limits_are_read_with_its_usage,
];

const CUSTOMER: &str = "528";

fn week(nth: i32) -> Week {
    Day::of(at("2018-12-31T00:00:00Z")).plus(7 * nth).week()
}

fn instant(week: Week, ms: i64) -> Millis {
    Millis::new(i64::from(week.monday().since_epoch_days()) * 86_400_000 + ms)
}

/// Returns a row with this many kept loads, one a second.
fn row(nth: i32, loads: u32, version: u64) -> UsageRow {
    let (mut usage, mut kept) = (WeekUsage::default(), AcceptedLoads::default());
    for load in 0..loads {
        let at = instant(week(nth), i64::from(load) * 1_000 + 7);
        // Large amounts take more bytes: 2,000 loads take 16 KB.
        let cents = Cents::new((1 << 40) + u64::from(load));
        kept.add(at, cents);
        usage = usage.with_load(at.day(), cents);
    }
    UsageRow { usage, loads: kept, fenced_changes: version, version }
}

fn fence(version: u64) -> Fence {
    let total = LoadTotal { amount: Cents::new(u64::MAX), count: u32::MAX };
    Fence {
        version,
        created_at: now() - TimeDelta::milliseconds(i64::from(now().timestamp_subsec_millis())),
        row_changes: 41,
        totals: BTreeMap::from([(Millis::FIRST, total), (Millis::new(-1), LoadTotal::default())]),
    }
}

fn commit(id: &str, changes: Vec<(i32, UsageRow)>, fence: Option<FenceWrite>) -> Commit {
    let usage = changes.into_iter().map(|(nth, after)| UsageChange { week: week(nth), after }).collect();
    let writes = Writes::Transaction { records: vec![record(id)], usage, checks: vec![], fence };
    Commit { customer_id: CUSTOMER.to_owned(), writes, now: now() }
}

fn lookup(weeks: &[i32]) -> FencedLookup {
    FencedLookup { customer_id: CUSTOMER.to_owned(), weeks: weeks.iter().map(|nth| week(*nth)).collect() }
}

fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
}

async fn a_fence_and_its_rows_are_read_as_they_were_committed(store: impl Store) {
    let absent = store.read_fenced(&lookup(&[0, 1])).await.unwrap();
    assert_eq!((absent.fence, absent.rows.len()), (Fence::default(), 0));
    let changes = vec![(0, row(0, 2_000, 1)), (1, row(1, 3, 1))];
    store.commit(&commit("1", changes, Some(FenceWrite::Change(fence(1))))).await.unwrap();
    let read = store.read_fenced(&lookup(&[0, 1, 2])).await.unwrap();
    assert_eq!(read.fence, fence(1));
    assert_eq!(read.rows, BTreeMap::from([(week(0), row(0, 2_000, 1)), (week(1), row(1, 3, 1))]));
    let first = Lookup { fences: [CUSTOMER.to_owned(), "another".to_owned()].into(), ..Lookup::default() };
    let first = store.read(&first, Consistency::Eventual).await.unwrap();
    assert_eq!(first.fences.len(), 1);
    assert_eq!(first.fences[CUSTOMER].as_ref().unwrap(), &fence(1));
}

async fn a_changed_fence_refuses_a_commit_of_another_week(store: impl Store) {
    let change = |id, nth, version| commit(id, vec![(nth, row(nth, 1, 1))], Some(FenceWrite::Change(fence(version))));
    store.commit(&change("1", 0, 1)).await.unwrap();
    assert_conflict(&store.commit(&change("2", 1, 1)).await);
    assert_conflict(&store.commit(&change("3", 1, 3)).await);
    assert_eq!(store.read_fenced(&lookup(&[0, 1])).await.unwrap().rows.len(), 1, "all or nothing");
    store.commit(&change("4", 1, 2)).await.unwrap();
    assert_eq!(store.read_fenced(&lookup(&[0, 1])).await.unwrap().fence.version, 2);
}

async fn a_checked_fence_must_be_unchanged(store: impl Store) {
    let check = |id, version| commit(id, vec![], Some(FenceWrite::Check(version)));
    store.commit(&check("1", 0)).await.unwrap();
    store.commit(&commit("2", vec![(0, row(0, 1, 1))], Some(FenceWrite::Change(fence(1))))).await.unwrap();
    assert_conflict(&store.commit(&check("3", 0)).await);
    store.commit(&check("4", 1)).await.unwrap();
    assert_eq!(store.read_fenced(&lookup(&[])).await.unwrap().fence, fence(1));
}

async fn a_commit_without_the_fence_leaves_the_kept_loads(store: impl Store) {
    store.commit(&commit("1", vec![(0, row(0, 3, 1))], Some(FenceWrite::Change(fence(1))))).await.unwrap();
    // A program that does not know the fence: the day's total grows.
    let usage = row(0, 3, 1).usage.with_load(week(0).monday(), Cents::new(9));
    let after = UsageRow { usage, version: 2, ..row(0, 3, 1) };
    store.commit(&commit("2", vec![(0, after.clone())], None)).await.unwrap();
    let read = store.read_fenced(&lookup(&[0])).await.unwrap();
    assert_eq!((read.fence, &read.rows[&week(0)]), (fence(1), &after));
    assert_eq!(read.rows[&week(0)].loads.len(), 3);
}

async fn all_rows_are_read_however_many_there_are(store: impl Store) {
    // 70 rows of some 16 KB: more than one page has room for, 1 MB.
    for part in 0..7 {
        let rows = (0..10).map(|nth| (part * 10 + nth, row(part * 10 + nth, 2_000, 1))).collect();
        let change = Some(FenceWrite::Change(fence(u64::try_from(part).unwrap() + 1)));
        store.commit(&commit(&part.to_string(), rows, change)).await.unwrap();
    }
    let all = store.read_rows(CUSTOMER).await.unwrap();
    assert_eq!(all.rows.len(), 70);
    assert!(
        all.rows
            .iter()
            .zip(0..)
            .all(|((known, known_row), nth)| *known == week(nth) && *known_row == row(nth, 2_000, 1))
    );
    assert!(store.read_rows("another").await.unwrap().rows.is_empty());
    let fence = Fence { row_changes: 70, ..Fence::default() };
    let totals = all.totals(&fence, &[Millis::FIRST, instant(week(69), 1_999_000)].into()).unwrap();
    assert_eq!(totals.values().map(|total| total.count).collect::<Vec<_>>(), [140_000, 1]);
    let unseen = Fence { row_changes: 71, ..Fence::default() };
    assert_conflict(&all.totals(&unseen, &[Millis::FIRST].into()));
}

async fn a_customer_s_own_limits_are_read_with_its_usage(store: impl Store + LimitStore) {
    let limit = |limit_id: &str| OwnLimit {
        limit_id: limit_id.to_owned(),
        user_id: CUSTOMER.to_owned(),
        brand_id: Some("brand".to_owned()),
        kind: OwnLimitKind::Deposit,
        period: OwnPeriod::Month,
        currency: Currency::USD,
        value: Cents::new(1),
        status: OwnLimitStatus::Active,
        active_from: Millis::new(0),
        active_until: None,
        raises: vec![],
        pending: None,
    };
    let applier = LimitApplier { store, clock: SystemClock };
    for limit_id in ["b", "a"] {
        let change = Change::Created { limit: Box::new(limit(limit_id)), progress: None };
        let event = LimitEvent { sequence_number: 1, created_at: Millis::new(0), change: Some(change) };
        applier.apply(&event).await.unwrap();
    }
    let wanted = Lookup { settings: [CUSTOMER.to_owned(), "other".to_owned()].into(), ..Lookup::default() };
    let read = Store::read(&applier.store, &wanted, Consistency::Eventual).await.unwrap();
    assert_eq!(read.settings.len(), 1);
    assert_eq!(read.settings[CUSTOMER].as_ref().unwrap().own_limits, [limit("a"), limit("b")]);
}
