//! The decision log, beside publishing.

use std::time::Duration;

use chrono::TimeDelta;
use loadgate::adapters::new_run_id;
use loadgate::deciding::{DecisionLog, LogReader};
use loadgate::domain::LogEntry;

use crate::support::consumer_harness::{Harness, message, raw, received};
use crate::support::line;

fn logged() -> Harness {
    let mut harness = Harness::new();
    harness.consumer.decider.log = Some(DecisionLog { retention: Some(TimeDelta::days(90)), new_run_id });
    harness
}

async fn entries(harness: &Harness, run_id: &str) -> Vec<LogEntry> {
    harness.store().inner.read_run(run_id, None, 1000).await.unwrap().entries
}

/// Returns the number of entries of each request to the log since the last call.
fn requests(harness: &Harness) -> Vec<usize> {
    std::mem::take(&mut *harness.store().log_requests.lock().unwrap()).iter().map(Vec::len).collect()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_logged_in_one_request_in_the_order_of_its_messages() {
    let harness = logged();
    let batch = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c")];
    let mut batch = batch.map(|(id, customer)| message(&format!("m{id}"), customer, id, "$3000.00")).to_vec();
    batch.push(message("m5", "c", "4", "$3000.00"));
    batch.push(raw("m6", "c", "no JSON"));
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed.len(), report.accepted, report.declined, report.ignored), (0, 3, 1, 1));
    assert_eq!(requests(&harness), [4]);
    let run_id = report.run_id.unwrap();
    let entries = entries(&harness, &run_id).await;
    let logged: Vec<_> = entries
        .iter()
        .map(|entry| (entry.position.seq, entry.message_id.as_str(), entry.decision.key.event_id.as_str()))
        .collect();
    assert_eq!(logged, [(0, "m1", "1"), (1, "m2", "2"), (2, "m3", "3"), (3, "m4", "4")]);
    let lifetime = entries[0].position.expires_at - entries[0].decision.decided_at;
    assert_eq!(lifetime, TimeDelta::days(90) - TimeDelta::milliseconds(123), "in whole seconds");
    let bodies = harness.publisher().published.lock().unwrap().clone();
    assert!(bodies.iter().all(|body| body.ends_with(&format!(r#","run_id":"{run_id}"}}"#))), "{bodies:?}");
    assert_eq!(uuid::Uuid::parse_str(&run_id).unwrap().get_version_num(), 7);
}

#[tokio::test(start_paused = true)]
async fn without_the_log_nothing_is_written_and_no_run_is_named() {
    let harness = Harness::new();
    let (failed, report) = harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    assert_eq!((failed.len(), report.run_id, requests(&harness).len()), (0, None, 0));
    assert!(!harness.publisher().published.lock().unwrap()[0].contains("run_id"));
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_writes_the_same_entry_again_also_when_new_decisions_are_no_longer_logged() {
    let mut harness = logged();
    let first = message("m1", "a", "1", "$1");
    let run_id = harness.handle(vec![first.clone()]).await.1.run_id.unwrap();
    let written = entries(&harness, &run_id).await;
    for retention in [Some(TimeDelta::days(1)), None] {
        harness.store().inner.delete_entries(&run_id, &[0]).await.unwrap();
        harness.consumer.decider.log = Some(DecisionLog { retention, new_run_id });
        harness.pass(TimeDelta::hours(1));
        let (failed, report) = harness.handle(vec![received(first.clone(), 2)]).await;
        assert_eq!((failed.len(), report.redelivered), (0, 1));
        assert_eq!(entries(&harness, &run_id).await, written);
    }
    let other = message("m2", "a", "2", "$1");
    assert_eq!(harness.handle(vec![other]).await.1.run_id, None);
    assert_eq!(requests(&harness), [1, 1, 1], "the last decision is not logged");
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_left_out_is_offered_again_alone() {
    let harness = logged();
    harness.store().left_out_of_log.lock().unwrap().insert("a".to_owned(), 1);
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "a", "2", "$1"), message("m3", "b", "1", "$1")];
    let (failed, report) = harness.handle(batch).await;
    assert!(failed.is_empty());
    assert_eq!(requests(&harness), [3, 1]);
    assert_eq!(entries(&harness, &report.run_id.unwrap()).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_decision_is_not_logged_fails_with_those_behind_it_and_is_published_all_the_same() {
    let harness = logged();
    harness.store().left_out_of_log.lock().unwrap().insert("a".to_owned(), 1000);
    let batch = || vec![message("m1", "a", "1", "$1"), message("m2", "b", "1", "$1"), message("m3", "a", "2", "$1")];
    let (failed, report) = harness.handle(batch()).await;
    assert_eq!((failed, report.accepted), (vec!["m1".to_owned(), "m3".to_owned()], 3));
    assert_eq!(harness.published(), ["a/1+", "b/1+", "a/2+"]);
    assert!(harness.store().record("a", "1").await.unwrap().is_pending());

    harness.store().left_out_of_log.lock().unwrap().clear();
    let again = batch().into_iter().filter(|message| message.message_id.as_deref() != Some("m2"));
    let (failed, _) = harness.handle(again.map(|message| received(message, 2)).collect()).await;
    assert!(failed.is_empty());
    let entries = entries(&harness, &report.run_id.unwrap()).await;
    let logged: Vec<_> = entries.iter().map(|entry| (entry.position.seq, entry.message_id.as_str())).collect();
    assert_eq!(logged, [(0, "m1"), (1, "m2"), (2, "m3")], "under the run that has decided them");
    assert!(!harness.store().record("a", "1").await.unwrap().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_hangs_for_one_customer_fails_only_its_messages_and_delays_no_publication() {
    let harness = logged();
    harness.store().hanging_log.lock().unwrap().insert("a".to_owned());
    let begun = tokio::time::Instant::now();
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "a", "2", "$1"), message("m3", "b", "1", "$1")];
    let (failed, _) = harness.handle(batch).await;
    assert_eq!(failed, ["m1", "m2"]);
    for customer in ["a", "b"] {
        assert!(harness.published_after(begun, customer) < Duration::from_secs(1), "{customer}");
    }
    assert_eq!(requests(&harness), [3, 2, 1], "together, and then each customer alone");
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_fails_settles_what_is_before_it() {
    let harness = logged();
    harness.publisher().refused.lock().unwrap().insert("2".to_owned(), 1000);
    let batch = ["1", "2", "3"].map(|id| message(&format!("m{id}"), "a", id, "$1")).to_vec();
    let (failed, report) = harness.handle(batch).await;
    assert_eq!(failed, ["m2", "m3"]);
    assert_eq!(entries(&harness, &report.run_id.unwrap()).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_publication_and_log_fail_what_was_published_is_pending_too() {
    let harness = logged();
    harness.publisher().refused.lock().unwrap().insert("2".to_owned(), 1000);
    harness.store().left_out_of_log.lock().unwrap().insert("a".to_owned(), 1000);
    let batch = ["1", "2"].map(|id| message(&format!("m{id}"), "a", id, "$1")).to_vec();
    assert_eq!(harness.handle(batch).await.0, ["m1", "m2"]);
    assert_eq!(harness.published(), ["a/1+"]);
    for event in ["1", "2"] {
        assert!(harness.store().record("a", event).await.unwrap().is_pending(), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_decisions_are_logged_in_requests_of_at_most_25() {
    let harness = logged();
    let batch = (0..60)
        .map(|n| raw(&format!("m{n}"), "a", line(&n.to_string(), "a", "$0.00", "2000-01-03T00:00:00Z").trim_end()));
    let others = (0..10).map(|n| message(&format!("o{n}"), &format!("o{n}"), "1", "$1"));
    let (failed, report) = harness.handle(batch.chain(others).collect()).await;
    assert!(failed.is_empty());
    let requests = requests(&harness);
    assert!(requests.iter().all(|count| *count <= 25) && requests.iter().sum::<usize>() == 70, "{requests:?}");
    assert_eq!(entries(&harness, &report.run_id.unwrap()).await.len(), 70);
}
