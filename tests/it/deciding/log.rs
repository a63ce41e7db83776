//! The contract of the decision log, on every store.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use loadgate::deciding::{Clock, LogReader, Store, delete_run, run_page, write_log};
use loadgate::domain::{LogEntry, LogPosition, StoredDecision};

use crate::support::cloud::{Fault, Fresh, Proxy};
use crate::support::records::{now, record};
use crate::support::stores::on_every_store;

on_every_store![
    a_run_is_read_page_by_page_in_order,
    an_entry_that_is_written_again_is_one_entry,
    expired_entries_are_left_out,
    a_run_is_deleted_and_others_stay,
    a_scan_reads_every_entry_once,
];

/// A clock that stands still, at the instant of the records.
struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        now()
    }

    async fn sleep(&self, _duration: std::time::Duration) {}
}

fn entry(run_id: &str, seq: u64, lifetime: TimeDelta) -> LogEntry {
    let record = record(&format!("{run_id} {seq}"));
    let expires_at = now().trunc_subsecs(0) + lifetime;
    let position = LogPosition { run_id: run_id.to_owned(), seq, expires_at };
    let decision = StoredDecision { log: Some(position.clone()), ..record.decision };
    LogEntry { position, message_id: record.message_id, decision }
}

fn entries(run_id: &str, seqs: impl IntoIterator<Item = u64>) -> Vec<LogEntry> {
    seqs.into_iter().map(|seq| entry(run_id, seq, TimeDelta::days(1))).collect()
}

async fn read_all(store: &impl LogReader, run_id: &str, max: u16) -> Vec<LogEntry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = run_page(store, &Still, run_id, after, max).await.unwrap();
        assert!(page.entries.len() <= usize::from(max));
        all.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn a_run_is_read_page_by_page_in_order(store: impl Store + LogReader) {
    // Twenty digits keep the order of numbers: as texts, 9 would stand behind 10.
    let seqs = (0..60).chain([999, u64::MAX]);
    let written = entries("a", seqs);
    let mut shuffled = written.clone();
    shuffled.reverse();
    write_log(&store, &Still, shuffled).await.unwrap();
    write_log(&store, &Still, entries("b", [5])).await.unwrap();
    for max in [1, 7, 1000] {
        assert_eq!(read_all(&store, "a", max).await, written, "{max}");
    }
    assert_eq!(read_all(&store, "b", 10).await.len(), 1);
    assert!(read_all(&store, "no such run", 10).await.is_empty());
}

async fn an_entry_that_is_written_again_is_one_entry(store: impl Store + LogReader) {
    let written = entries("a", 0..3);
    let twice = [written.clone(), written.clone()].concat();
    write_log(&store, &Still, twice).await.unwrap();
    write_log(&store, &Still, written.clone()).await.unwrap();
    assert_eq!(read_all(&store, "a", 10).await, written);
}

async fn expired_entries_are_left_out(store: impl Store + LogReader) {
    let lifetimes = [0, -5, 1, 0, -1].map(TimeDelta::seconds);
    let written: Vec<LogEntry> = (0..).zip(lifetimes).map(|(seq, lifetime)| entry("a", seq, lifetime)).collect();
    write_log(&store, &Still, written.clone()).await.unwrap();
    for max in [1, 2, 10] {
        assert_eq!(read_all(&store, "a", max).await, written[2..3], "{max}");
    }
}

async fn a_run_is_deleted_and_others_stay(store: impl Store + LogReader) {
    write_log(&store, &Still, entries("a", 0..60)).await.unwrap();
    write_log(&store, &Still, entries("b", 0..2)).await.unwrap();
    assert_eq!(delete_run(&store, &Still, "a").await.unwrap(), 60);
    assert_eq!(delete_run(&store, &Still, "a").await.unwrap(), 0);
    assert!(read_all(&store, "a", 10).await.is_empty());
    assert_eq!(read_all(&store, "b", 10).await.len(), 2);
}

async fn a_scan_reads_every_entry_once(store: impl Store + LogReader) {
    let written = [entries("a", 0..30), entries("b", 0..30)].concat();
    write_log(&store, &Still, written.clone()).await.unwrap();
    for max in [7, 1000] {
        let (mut all, mut start) = (Vec::new(), None);
        loop {
            let scan = store.scan_log(start, max).await.unwrap();
            all.extend(scan.entries);
            start = scan.next;
            if start.is_none() {
                break;
            }
        }
        all.sort_by_cached_key(|entry| (entry.position.run_id.clone(), entry.position.seq));
        assert_eq!(all, written, "{max}");
    }
}

#[tokio::test]
async fn entries_that_a_deletion_leaves_out_are_deleted_again() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    write_log(&fresh.store, &Still, entries("a", 0..30)).await.unwrap();
    proxy.fail("BatchWriteItem", Fault::LeaveOut("a"), 2);
    assert_eq!(delete_run(&fresh.through(&proxy.url).await, &Still, "a").await.unwrap(), 30);
    assert!(fresh.store.read_run("a", None, 10).await.unwrap().entries.is_empty());
    assert_eq!(proxy.counts()["BatchWriteItem"], 4);
}
