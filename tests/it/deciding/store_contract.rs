//! The contract of every store. It is tested on the store in memory, Amazon's DynamoDB Local, and the embedded store.

use crate::support::records::{at, event, now, put, record};
use chrono::TimeDelta;
use loadgate::deciding::{
    Commit, Consistency, CorrelationRecord, Lookup, Publication, PublicationChange, Store, StoreError, UsageChange,
    UsageCheck, UsageKey, UsageRow, Writes,
};
use loadgate::domain::{Cents, Day, LoadTotal, StoredDecision, Verdict, Week, WeekUsage};

use crate::support::stores::on_every_store;

on_every_store![
    an_empty_store_returns_nothing,
    committed_items_are_read,
    a_second_record_of_an_event_refuses_its_whole_commit,
    a_second_record_is_refused_without_a_usage_change,
    a_changed_row_is_not_overwritten,
    a_checked_row_must_be_unchanged,
    an_expired_record_counts_as_absent_to_the_second,
    a_commit_made_twice_counts_once,
    set_publication_changes_nothing_else,
    set_publication_keeps_another_message_s_record,
    any_number_of_keys_is_read,
    one_of_many_writers_wins,
];

fn week() -> Week {
    Day::of(at("2018-12-31T00:00:00Z")).week()
}

fn usage(amount: u64) -> WeekUsage {
    let mut usage = WeekUsage::default();
    usage.set_day(0, LoadTotal { amount: Cents::new(amount), count: 1 });
    usage.set_day(6, LoadTotal { amount: Cents::new(u64::MAX), count: u32::MAX });
    usage
}

fn row(amount: u64, version: u64) -> UsageRow {
    UsageRow { usage: usage(amount), version, ..UsageRow::default() }
}

fn commit(ids: &[&str], before: UsageRow, after: WeekUsage) -> Commit {
    let after = UsageRow { usage: after, version: before.version + 1, ..before };
    let usage = vec![UsageChange { week: week(), after }];
    transaction(ids.iter().map(|id| record(id)).collect(), usage, vec![])
}

fn transaction(records: Vec<CorrelationRecord>, usage: Vec<UsageChange>, checks: Vec<UsageCheck>) -> Commit {
    let writes = Writes::Transaction { records, usage, checks, fence: None };
    Commit { customer_id: "528".to_owned(), writes, now: now() }
}

async fn read_record(store: &impl Store, id: &str) -> Option<CorrelationRecord> {
    let lookup = Lookup { events: [event(id)].into(), ..Lookup::default() };
    let mut snapshot = store.read(&lookup, Consistency::Strong).await.unwrap();
    snapshot.records.remove(&event(id)).map(Result::unwrap)
}

async fn read_row(store: &impl Store) -> Option<UsageRow> {
    let key = UsageKey { customer_id: "528".to_owned(), week: week() };
    let lookup = Lookup { weeks: [key.clone()].into(), ..Lookup::default() };
    let mut snapshot = store.read(&lookup, Consistency::Strong).await.unwrap();
    snapshot.usage.remove(&key).map(Result::unwrap)
}

fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
}

async fn an_empty_store_returns_nothing(store: impl Store) {
    assert_eq!(read_record(&store, "1").await, None);
    assert_eq!(read_row(&store).await, None);
    let snapshot = store.read(&Lookup::default(), Consistency::Eventual).await.unwrap();
    assert!(snapshot.records.is_empty() && snapshot.usage.is_empty());
}

async fn committed_items_are_read(store: impl Store) {
    store.commit(&commit(&["1", "2"], UsageRow::default(), usage(5))).await.unwrap();
    assert_eq!(read_record(&store, "1").await, Some(record("1")));
    assert_eq!(read_record(&store, "2").await, Some(record("2")));
    let first = row(5, 1);
    assert_eq!(read_row(&store).await, Some(first.clone()));

    let accepted = CorrelationRecord {
        decision: StoredDecision { verdict: Verdict::Accepted, usage: vec![], ..record("3").decision },
        publication: Publication::Pending,
        ..record("3")
    };
    let next = transaction(vec![accepted.clone()], commit(&[], first, usage(7)).usage().to_vec(), vec![]);
    store.commit(&next).await.unwrap();
    assert_eq!(read_record(&store, "3").await, Some(accepted));
    assert_eq!(read_row(&store).await, Some(row(7, 2)));
}

async fn a_second_record_of_an_event_refuses_its_whole_commit(store: impl Store) {
    store.commit(&commit(&["1"], UsageRow::default(), usage(5))).await.unwrap();
    let row = read_row(&store).await.unwrap();
    let other = CorrelationRecord { message_id: "another".to_owned(), ..record("1") };
    let second = transaction(vec![record("2"), other], commit(&[], row.clone(), usage(9)).usage().to_vec(), vec![]);
    assert_conflict(&store.commit(&second).await);
    assert_eq!(read_record(&store, "1").await, Some(record("1")));
    assert_eq!(read_record(&store, "2").await, None);
    assert_eq!(read_row(&store).await, Some(row));
}

async fn a_second_record_is_refused_without_a_usage_change(store: impl Store) {
    let declines = |records| transaction(records, vec![], vec![]);
    store.commit(&put(record("1"))).await.unwrap();
    let other = CorrelationRecord { message_id: "another".to_owned(), ..record("1") };
    assert_conflict(&store.commit(&put(other.clone())).await);
    assert_conflict(&store.commit(&declines(vec![record("2"), other, record("3")])).await);
    assert_eq!(read_record(&store, "1").await, Some(record("1")));
    assert_eq!(read_record(&store, "2").await, None, "all or nothing");
    assert_eq!(read_record(&store, "3").await, None);
    assert_eq!(read_row(&store).await, None);
    store.commit(&declines(vec![record("2"), record("3")])).await.unwrap();
    assert_eq!(read_record(&store, "2").await, Some(record("2")));
    assert_eq!(read_record(&store, "3").await, Some(record("3")));
}

async fn a_checked_row_must_be_unchanged(store: impl Store) {
    let relying_on = |id, version| transaction(vec![record(id)], vec![], vec![UsageCheck { week: week(), version }]);
    store.commit(&relying_on("1", 0)).await.unwrap();
    assert_eq!(read_row(&store).await, None);
    assert_conflict(&store.commit(&relying_on("2", 1)).await);
    store.commit(&commit(&["3"], UsageRow::default(), usage(5))).await.unwrap();
    assert_conflict(&store.commit(&relying_on("4", 0)).await);
    store.commit(&relying_on("5", 1)).await.unwrap();
    assert_eq!(read_row(&store).await, Some(row(5, 1)));
    for (id, is_stored) in [("1", true), ("2", false), ("3", true), ("4", false), ("5", true)] {
        assert_eq!(read_record(&store, id).await.is_some(), is_stored, "{id}");
    }
}

async fn a_changed_row_is_not_overwritten(store: impl Store) {
    store.commit(&commit(&["1"], UsageRow::default(), usage(5))).await.unwrap();
    let first = read_row(&store).await.unwrap();
    assert_conflict(&store.commit(&commit(&["2"], UsageRow::default(), usage(6))).await);
    store.commit(&commit(&["3"], first.clone(), usage(7))).await.unwrap();
    assert_conflict(&store.commit(&commit(&["4"], first.clone(), usage(8))).await);
    let ahead = UsageRow { version: 9, ..first };
    assert_conflict(&store.commit(&commit(&["5"], ahead, usage(8))).await);
    assert_eq!(read_row(&store).await, Some(row(7, 2)));
    for id in ["2", "4", "5"] {
        assert_eq!(read_record(&store, id).await, None);
    }
}

async fn an_expired_record_counts_as_absent_to_the_second(store: impl Store) {
    store.commit(&commit(&["1"], UsageRow::default(), usage(5))).await.unwrap();
    let expires_at = record("1").expires_at;
    let again = |now| {
        let again = CorrelationRecord { message_id: "another".to_owned(), ..record("1") };
        Commit { now, ..put(again) }
    };
    assert_conflict(&store.commit(&again(expires_at - TimeDelta::milliseconds(1))).await);
    store.commit(&again(expires_at)).await.unwrap();
    assert_eq!(read_record(&store, "1").await.unwrap().message_id, "another");
}

async fn a_commit_made_twice_counts_once(store: impl Store) {
    let commit = commit(&["1"], UsageRow::default(), usage(5));
    for commit in [&commit, &put(record("2"))] {
        store.commit(commit).await.unwrap();
        store.commit(commit).await.expect("its own record stands in the way");
    }
    assert_eq!(read_row(&store).await, Some(row(5, 1)));
    // A record of the same event by another message, or by the same message at another instant, does not match.
    let later = CorrelationRecord {
        decision: StoredDecision { decided_at: now() + TimeDelta::milliseconds(1), ..record("2").decision },
        ..record("2")
    };
    assert_conflict(&store.commit(&put(later)).await);
}

async fn set_publication_changes_nothing_else(store: impl Store) {
    store.commit(&commit(&["1"], UsageRow::default(), usage(5))).await.unwrap();
    let expires_at = at("2126-01-22T10:00:00Z");
    let pending = CorrelationRecord { publication: Publication::Pending, expires_at, ..record("1") };
    // The store writes only the publication state and the expiry of the given record.
    let given = CorrelationRecord { fingerprint: "other".to_owned(), ..pending.clone() };
    store.set_publication(&given).await.unwrap();
    assert_eq!(read_record(&store, "1").await, Some(pending));
    store.set_publication(&record("1")).await.unwrap();
    assert_eq!(read_record(&store, "1").await, Some(record("1")));
}

async fn set_publication_keeps_another_message_s_record(store: impl Store) {
    assert_eq!(store.set_publication(&record("1")).await.unwrap(), PublicationChange::Superseded);
    assert_eq!(read_record(&store, "1").await, None);
    store.commit(&commit(&["1"], UsageRow::default(), usage(5))).await.unwrap();
    let other =
        CorrelationRecord { message_id: "another".to_owned(), publication: Publication::Pending, ..record("1") };
    assert_eq!(store.set_publication(&other).await.unwrap(), PublicationChange::Superseded);
    assert_eq!(read_record(&store, "1").await, Some(record("1")));
}

async fn any_number_of_keys_is_read(store: impl Store) {
    let ids: Vec<String> = (0..250).map(|id| id.to_string()).collect();
    for ids in ids.chunks(90) {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let row = read_row(&store).await.unwrap_or_default();
        store.commit(&commit(&ids, row, usage(5))).await.unwrap();
    }
    let events = ids.iter().map(|id| event(id)).chain([event("absent")]).collect();
    let weeks = [UsageKey { customer_id: "528".to_owned(), week: week() }].into();
    let snapshot = store.read(&Lookup { events, weeks, ..Lookup::default() }, Consistency::Eventual).await.unwrap();
    let missing: Vec<&String> = ids.iter().filter(|id| !snapshot.records.contains_key(&event(id))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(snapshot.usage.len(), 1);
    for (key, found) in snapshot.records {
        assert_eq!(found.unwrap(), record(&key.event_id));
    }
}

async fn one_of_many_writers_wins(store: impl Store) {
    let commits: Vec<Commit> = (0..8).map(|id| commit(&[&id.to_string()], UsageRow::default(), usage(id))).collect();
    let results = futures_util::future::join_all(commits.iter().map(|commit| store.commit(commit))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(read_row(&store).await.unwrap().version, 1);
}
