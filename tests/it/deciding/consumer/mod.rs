//! Invocations of the consumer. Its store and its queues fail on demand.

mod log;

use std::time::Duration;

use crate::support::consumer_harness::{Fault, Harness, message, raw, received};
use chrono::TimeDelta;
use loadgate::deciding::{Consistency, Writes};
use loadgate::domain::EventKey;
use loadgate::runtime::lambda::EventError;

#[tokio::test(start_paused = true)]
async fn customers_keep_their_order_and_share_requests() {
    let harness = Harness::new();
    let batch = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c"), ("5", "a"), ("6", "b")];
    let batch = batch.map(|(id, customer)| message(&format!("m{id}"), customer, id, "$2000.00"));
    let (failed, report) = harness.handle(batch.to_vec()).await;
    assert!(failed.is_empty());
    assert_eq!((report.accepted, report.declined, report.declined_by_reason["DAILY_AMOUNT"]), (5, 1, 1));
    let requests = std::mem::take(&mut *harness.publisher().requests.lock().unwrap());
    let requests: Vec<Vec<&str>> =
        requests.iter().map(|keys| keys.iter().map(|key| key.event_id.as_str()).collect()).collect();
    assert_eq!(requests, [vec!["1", "2", "4"], vec!["3", "6"], vec!["5"]]);
    assert_eq!(harness.published(), ["a/1+", "b/2+", "c/4+", "a/3+", "b/6+", "a/5-"]);
    assert_eq!(*harness.store().reads.lock().unwrap(), [Consistency::Eventual], "one read for the whole batch");
    assert_eq!(harness.store().commits.lock().unwrap().len(), 3, "one commit a customer");
}

#[tokio::test(start_paused = true)]
async fn many_customers_are_published_in_several_requests() {
    let harness = Harness::new();
    let batch = (0..25).map(|n| message(&format!("m{n}"), &format!("c{n:02}"), "1", "$1")).collect();
    assert_eq!(harness.handle(batch).await.0, [""; 0]);
    let sizes: Vec<usize> = harness.publisher().requests.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_decided_in_several_commits_in_order() {
    let harness = Harness::new();
    let batch = (0..150).map(|n| message(&format!("m{n}"), "a", &n.to_string(), "$0.00")).collect();
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed.len(), report.accepted, report.declined), (0, 3, 147));
    let ids: Vec<String> = (0..150).map(|n| format!("a/{n}{}", if n < 3 { "+" } else { "-" })).collect();
    assert_eq!(harness.published(), ids);
    assert_eq!(harness.store().commits.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_publishes_its_stored_decision_unchanged() {
    let mut harness = Harness::new();
    let first = message("m1", "a", "1", "USD$5,000.00");
    harness.handle(vec![first.clone()]).await;
    let body = harness.publisher().published.lock().unwrap().pop().unwrap();
    assert!(body.contains(
        r#""load_amount":"USD$5,000.00","time":"2000-01-03T00:00:00Z","decided_at":"2026-01-05T10:00:00.123Z""#
    ));

    harness.pass(TimeDelta::hours(1));
    let text = "[[limit]]\ncode='OTHER'\nmeasure='count'\nwindow='day'\nmax=0\n";
    harness.consumer.decider.limits = loadgate::wire::parse_limits(text).unwrap();
    let (failed, report) = harness.handle(vec![received(first, 2)]).await;
    assert_eq!((failed.len(), report.redelivered, report.accepted), (0, 1, 0));
    assert_eq!(*harness.publisher().published.lock().unwrap(), [body]);
    assert_eq!(harness.store().commits.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_ignored_in_the_same_batch_and_in_a_later_one() {
    let harness = Harness::new();
    let batch = vec![message("m1", "a", "1", "$1"), message("m2", "a", "1", "$2"), message("m3", "b", "1", "$3")];
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed.len(), report.accepted, report.ignored), (0, 2, 1));
    assert_eq!(harness.published(), ["a/1+", "b/1+"]);
    let (failed, report) =
        harness.handle(vec![message("m4", "a", "1", "$1"), received(message("m5", "b", "1", "$1"), 3)]).await;
    assert_eq!((failed.len(), report.ignored), (0, 2));
    assert!(harness.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_redriven_message_is_not_its_own_duplicate() {
    let harness = Harness::new();
    harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    harness.published();
    let mut redriven = message("new id", "a", "1", "$1");
    redriven.attributes.insert("MessageDeduplicationId".to_owned(), "m1".to_owned());
    let (_, report) = harness.handle(vec![redriven]).await;
    assert_eq!((report.redelivered, report.ignored), (1, 0));
    assert_eq!(harness.published(), ["a/1+"]);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_does_not_hide_a_redriven_message() {
    let harness = Harness::new();
    harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    harness.published();
    let mut redriven = message("new id", "a", "1", "$1");
    redriven.attributes.insert("MessageDeduplicationId".to_owned(), "m1".to_owned());
    let batch = vec![message("m2", "a", "1", "$1"), redriven, message("m3", "a", "1", "$1")];
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed.len(), report.ignored, report.redelivered), (0, 2, 1));
    assert_eq!(harness.published(), ["a/1+"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_record_counts_as_absent() {
    let harness = Harness::new();
    harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    harness.pass(TimeDelta::hours(24) - TimeDelta::seconds(2));
    assert_eq!(harness.handle(vec![message("m2", "a", "1", "$1")]).await.1.ignored, 1);
    harness.pass(TimeDelta::seconds(2));
    assert_eq!(harness.handle(vec![message("m3", "a", "1", "$1")]).await.1.accepted, 1);
    assert_eq!(harness.published(), ["a/1+", "a/1+"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_decision_stops_only_its_customer_and_is_published_later() {
    let harness = Harness::new();
    harness.publisher().refused.lock().unwrap().insert("2".to_owned(), 99);
    let batch = [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b")];
    let batch = batch.map(|(id, customer)| message(&format!("m{id}"), customer, id, "$1"));
    let (failed, report) = harness.handle(batch.to_vec()).await;
    assert_eq!((failed, report.publish_failures, report.failed), (vec!["m2".to_owned(), "m3".to_owned()], 3, 2));
    assert_eq!(harness.published(), ["a/1+", "b/4+"], "nothing overtakes what was refused");
    for (id, is_pending) in [("1", false), ("2", true), ("3", true)] {
        let record = harness.store().record("a", id).await.unwrap();
        assert_eq!(record.is_pending(), is_pending, "{id}");
        // The dead-letter queue keeps a message for fourteen days.
        let kept_days = (record.expires_at - record.decision.decided_at).num_days();
        assert_eq!(kept_days >= 15, is_pending, "{id} is kept for {kept_days} days");
    }

    harness.publisher().refused.lock().unwrap().clear();
    harness.pass(TimeDelta::days(13));
    let (failed, report) =
        harness.handle(vec![message("new id", "a", "2", "$1"), message("other", "a", "3", "$1")]).await;
    assert_eq!((failed.len(), report.redelivered), (0, 2));
    assert_eq!(harness.published(), ["a/2+", "a/3+"]);
    assert!(!harness.store().record("a", "2").await.unwrap().is_pending(), "the record is confirmed");
    // If the response is lost, the same message still finds its decision, and another message is still a duplicate.
    let (_, report) = harness.handle(vec![message("new id", "a", "2", "$1"), message("m2", "a", "2", "$1")]).await;
    assert_eq!((report.ignored + report.redelivered, report.accepted), (2, 0));
    assert_eq!(harness.store().commits.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_briefly_refused_decision_is_published() {
    let harness = Harness::new();
    harness.publisher().refused.lock().unwrap().insert("1".to_owned(), 2);
    let (failed, report) = harness.handle(vec![message("m1", "a", "1", "$1"), message("m2", "a", "2", "$1")]).await;
    assert_eq!((failed.len(), report.publish_failures), (0, 2));
    assert_eq!(harness.published(), ["a/1+", "a/2+"]);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_is_pending_until_it_is_published() {
    let harness = Harness::new();
    // Not decided yet: the new record is pending.
    harness.handle(vec![received(message("m1", "a", "1", "$1"), 2)]).await;
    assert!(harness.store().commits.lock().unwrap()[0].records()[0].is_pending());
    assert_eq!(*harness.store().publication_changes.lock().unwrap(), [("1".to_owned(), false)]);
    let record = harness.store().record("a", "1").await.unwrap();
    assert!(!record.is_pending());
    assert!(
        (record.expires_at - record.decision.decided_at).num_days() >= 15,
        "it may still end in a dead-letter queue"
    );

    // Decided before: the record becomes pending before its decision is published.
    harness.store().publication_changes.lock().unwrap().clear();
    harness.handle(vec![received(message("m1", "a", "1", "$1"), 3)]).await;
    assert_eq!(*harness.store().publication_changes.lock().unwrap(), [("1".to_owned(), true), ("1".to_owned(), false)]);
}

#[tokio::test(start_paused = true)]
async fn invalid_input_becomes_a_dead_letter_and_delays_no_message() {
    let harness = Harness::new();
    let mismatch = message("m3", "b", "3", "$1").body.unwrap();
    let odd = message("m4", "a b", "4", "$1").body.unwrap();
    let batch = vec![
        message("m1", "a", "1", "$1"),
        raw("m2", "a", "no JSON"),
        raw("m3", "a", &mismatch),
        raw("m4", "a", &odd),
        message("m5", "a", "5", "$1.234"),
        raw("m6", "a", ""),
        raw("m7", "a", &"x".repeat(262_145)),
        message("m8", "a", "8", "$1"),
    ];
    let bodies: Vec<String> = batch.iter().map(|message| message.body.clone().unwrap()).collect();
    let (failed, report) = harness.handle(batch).await;
    assert_eq!((failed.len(), report.invalid, report.accepted), (0, 6, 2));
    assert_eq!(harness.published(), ["a/1+", "a/8+"]);
    let letters = harness.publisher().letters.lock().unwrap();
    let codes: Vec<_> = letters.iter().map(|letter| (letter.message_id.as_str(), letter.error.code())).collect();
    let expected = ["NOT_JSON", "GROUP_MISMATCH", "BAD_ID", "BAD_AMOUNT", "NOT_JSON", "TOO_LONG"];
    assert_eq!(codes, ["m2", "m3", "m4", "m5", "m6", "m7"].into_iter().zip(expected).collect::<Vec<_>>());
    assert!(letters.iter().zip(&bodies[1..7]).all(|(letter, body)| letter.body == *body && letter.group_id == "a"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_dead_letter_fails_alone() {
    let harness = Harness::new();
    *harness.publisher().refuse_letters.lock().unwrap() = true;
    let (failed, report) = harness.handle(vec![raw("m1", "a", "{"), message("m2", "a", "2", "$1")]).await;
    assert_eq!((failed, report.invalid, report.accepted), (vec!["m1".to_owned()], 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_group_fails_alone() {
    let harness = Harness::new();
    let mut ungrouped = message("m1", "a", "1", "$1");
    ungrouped.attributes.remove("MessageGroupId");
    let (failed, report) = harness.handle(vec![ungrouped, message("m2", "b", "2", "$1")]).await;
    assert_eq!((failed, report.failed), (vec!["m1".to_owned()], 1));
    assert_eq!(harness.published(), ["b/2+"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_with_a_message_without_an_id_is_refused() {
    let harness = Harness::new();
    for id in [None, Some(String::new())] {
        let mut nameless = message("", "a", "2", "$1");
        nameless.message_id = id;
        let refused = harness.try_handle(vec![message("m1", "a", "1", "$1"), nameless]).await;
        assert_eq!(refused.unwrap_err(), EventError::NoMessageId { number: 2 });
    }
    assert!(harness.published().is_empty() && harness.store().commits.lock().unwrap().is_empty());
    assert_eq!(harness.handle(vec![]).await.0, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_looked_up() {
    for fault in [Fault::LostAfter, Fault::LostBefore] {
        let harness = Harness::new();
        harness.store().fail("a", fault, 1);
        let (failed, _) =
            harness.handle(vec![message("m1", "a", "1", "$3000"), message("m2", "a", "2", "$3000")]).await;
        assert!(failed.is_empty(), "{fault:?}");
        assert_eq!(harness.published(), ["a/1+", "a/2-"], "{fault:?}");
        assert_eq!(*harness.store().reads.lock().unwrap(), [Consistency::Eventual, Consistency::Strong]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_retried_a_bounded_number_of_times() {
    let harness = Harness::new();
    harness.store().fail("a", Fault::Conflict, 3);
    harness.store().fail("b", Fault::Conflict, 99);
    harness.store().fail("c", Fault::Throttled, 99);
    let batch = ["a", "b", "c", "d"].map(|customer| message(customer, customer, "1", "$1"));
    let (failed, report) = harness.handle(batch.to_vec()).await;
    assert_eq!(failed, ["b", "c"]);
    assert_eq!(report.conflicts, 3 + 6);
    assert_eq!(harness.published(), ["d/1+", "a/1+"], "no customer waits for another's conflict");
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_record_fails_its_message_and_those_behind_it() {
    let harness = Harness::new();
    let corrupt = EventKey { customer_id: "a".to_owned(), event_id: "2".to_owned() };
    *harness.store().corrupt.lock().unwrap() = Some(corrupt);
    let batch = [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b")];
    let batch = batch.map(|(id, customer)| message(&format!("m{id}"), customer, id, "$1"));
    assert_eq!(harness.handle(batch.to_vec()).await.0, ["m2", "m3"]);
    assert_eq!(harness.published(), ["a/1+", "b/4+"]);
    assert_eq!(harness.store().reads.lock().unwrap().len(), 2, "a third round would not help");
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_is_detected_by_the_commit() {
    let harness = Harness::new();
    let first = message("m1", "a", "1", "$3000");
    harness.handle(vec![first.clone()]).await;
    let body = harness.publisher().published.lock().unwrap().pop().unwrap();
    *harness.store().is_stale.lock().unwrap() = true;
    let (failed, report) = harness.handle(vec![first.clone(), message("m2", "a", "1", "$1")]).await;
    assert_eq!((failed.len(), report.redelivered, report.ignored, report.conflicts), (0, 1, 1, 1));
    assert_eq!(*harness.publisher().published.lock().unwrap(), [body]);
    // A redelivery is read strongly consistent from the start.
    let (failed, report) = harness.handle(vec![received(first, 2)]).await;
    assert_eq!((failed.len(), report.redelivered, report.conflicts), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_after_a_refusal_even_across_commits() {
    let harness = Harness::new();
    harness.publisher().refused.lock().unwrap().insert("5".to_owned(), 99);
    let batch = (0..150).map(|n| message(&format!("m{n}"), "a", &n.to_string(), "$1")).collect();
    let (failed, _) = harness.handle(batch).await;
    assert_eq!(failed, (5..150).map(|n| format!("m{n}")).collect::<Vec<_>>());
    assert_eq!(harness.published().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_confirmed_leaves_its_message_for_redelivery() {
    let harness = Harness::new();
    *harness.store().failing_publication_changes.lock().unwrap() = 3;
    let again = received(message("m1", "a", "1", "$1"), 2);
    assert_eq!(harness.handle(vec![again.clone(), message("m2", "a", "2", "$1")]).await.0, ["m1", "m2"]);
    assert_eq!(harness.handle(vec![again, message("m2", "a", "2", "$1")]).await.0, [""; 0]);
    assert!(!harness.store().record("a", "1").await.unwrap().is_pending());
    // The queue drops the second publication, because it has the same deduplication id.
    assert_eq!(harness.published(), ["a/1+", "a/1+", "a/2+"]);
}

#[tokio::test(start_paused = true)]
async fn a_pending_record_is_kept_through_every_redrive() {
    let mut harness = Harness::new();
    harness.consumer.decider.correlation_ttl = TimeDelta::days(30);
    harness.handle(vec![received(message("m1", "a", "1", "$1"), 2)]).await;
    let record = harness.store().record("a", "1").await.unwrap();
    assert_eq!((record.expires_at - record.decision.decided_at).num_days(), 29);

    let harness = Harness::new();
    harness.publisher().refused.lock().unwrap().insert("1".to_owned(), 999);
    harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    harness.pass(TimeDelta::days(13));
    harness.handle(vec![received(message("m1", "a", "1", "$1"), 2)]).await;
    harness.pass(TimeDelta::days(13));
    harness.publisher().refused.lock().unwrap().clear();
    let (_, report) = harness.handle(vec![message("new id", "a", "1", "$1"), message("other", "a", "1", "$1")]).await;
    assert_eq!((report.redelivered, report.ignored, report.accepted), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn near_the_deadline_no_commit_begins() {
    let harness = Harness::new();
    // The first commit ends after 21 of 30 s. Less than the reserve of 10 s remains.
    harness.store().fail("a", Fault::Slow(Duration::from_secs(21)), 1);
    let batch = (0..150).map(|n| message(&format!("m{n}"), "a", &n.to_string(), "$0.00"));
    let (failed, _) = harness.handle(batch.chain([message("m", "b", "1", "$1")]).collect()).await;
    let published = harness.published();
    assert_eq!(failed.len() + published.len(), 151);
    assert_eq!((published[0].as_str(), published.len() > 90), ("b/1+", true), "what was begun is finished");
    assert_eq!(failed.last().map(String::as_str), Some("m149"), "and no commit is begun");
    assert_eq!(harness.store().commits.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stored_decision_does_not_wait_for_later_commits() {
    for fault in [Fault::Throttled, Fault::Conflict, Fault::LostBefore, Fault::Slow(Duration::from_hours(1))] {
        let harness = Harness::new();
        let [first, second] = ["1", "2"].map(|id| message(id, "a", id, "$1"));
        harness.handle(vec![first.clone()]).await;
        harness.published();
        harness.store().fail("a", fault, 99);
        let (failed, report) = harness.handle(vec![received(first, 2), second]).await;
        assert_eq!((failed, report.redelivered), (vec!["2".to_owned()], 1), "{fault:?}");
        assert_eq!(harness.published(), ["a/1+"], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_decision_behind_a_failure_becomes_pending() {
    let harness = Harness::new();
    let [first, second] = ["1", "2"].map(|id| message(id, "a", id, "$1"));
    harness.handle(vec![second.clone()]).await;
    harness.published();
    harness.store().fail("a", Fault::Throttled, 99);
    let (failed, _) = harness.handle(vec![first, received(second, 2)]).await;
    assert_eq!(failed, ["1", "2"]);
    assert!(harness.published().is_empty(), "it does not overtake what stands before it");
    assert!(harness.store().record("a", "2").await.unwrap().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_last_answer_is_lost_is_found() {
    let harness = Harness::new();
    harness.store().fail("a", Fault::Throttled, 5);
    harness.store().fail("a", Fault::LostAfter, 99);
    let (failed, report) = harness.handle(vec![message("m1", "a", "1", "$1")]).await;
    assert_eq!((failed.len(), report.accepted), (0, 1));
    assert_eq!(harness.store().commits.lock().unwrap().len(), 6);
    assert_eq!(harness.published(), ["a/1+"]);
}

#[tokio::test(start_paused = true)]
async fn several_declines_are_one_transaction() {
    let harness = Harness::new();
    let batch = ["1", "2"].map(|id| message(id, "a", id, "$5000.01"));
    harness.handle(batch.to_vec()).await;
    harness.handle(vec![message("3", "a", "3", "$5000.01")]).await;
    let commits = harness.store().commits.lock().unwrap();
    assert!(matches!(&commits[0].writes, Writes::Transaction { records, usage, checks, fence: None }
        if records.len() == 2 && usage.is_empty() && checks.is_empty()));
    assert!(matches!(commits[1].writes, Writes::Record(_)), "a lone one is a put");
}

#[tokio::test(start_paused = true)]
async fn a_decline_waits_for_the_usage_of_a_stored_accept() {
    let harness = Harness::new();
    let first = message("m1", "a", "1", "$3000");
    harness.handle(vec![first.clone()]).await;
    harness.published();
    *harness.store().half_applied_reads.lock().unwrap() = 3;
    let (failed, _) = harness.handle(vec![received(first, 2), message("m2", "a", "2", "$5000.01")]).await;
    assert!(failed.is_empty());
    let body = harness.publisher().published.lock().unwrap().pop().unwrap();
    assert!(body.contains(r#""id":"2""#) && body.contains(r#""used":300000"#), "{body}");
}

/// Functions that make one kind of request hang for one customer.
const HANGS: [fn(&Harness); 4] = [
    |harness| harness.store().hanging_reads.lock().unwrap().extend(["a".to_owned()]),
    |harness| harness.store().fail("a", Fault::Slow(Duration::from_hours(1)), 99),
    |harness| harness.store().hanging_publication_changes.lock().unwrap().extend(["a".to_owned()]),
    |harness| harness.publisher().hanging.lock().unwrap().extend(["a".to_owned()]),
];

#[tokio::test(start_paused = true)]
async fn hanging_requests_delay_no_other_customer() {
    for (place, hang) in HANGS.into_iter().enumerate() {
        let harness = Harness::new();
        harness.handle(vec![message("a1", "a", "1", "$1")]).await;
        harness.published();
        *harness.publisher().answer_time.lock().unwrap() = Duration::from_millis(20);
        hang(&harness);
        let begun = tokio::time::Instant::now();
        let b = (0..10).map(|n| message(&format!("b{n}"), "b", &n.to_string(), "$1"));
        let batch = [received(message("a1", "a", "1", "$1"), 2), message("a2", "a", "2", "$1")];
        let others = ["c", "d"].map(|customer| message(customer, customer, "1", "$1"));
        let (failed, _) = harness.handle(batch.into_iter().chain(b).chain(others).collect()).await;
        assert!(failed.iter().all(|id| id.starts_with('a')), "{place}: {failed:?}");
        for customer in ["b", "c", "d"] {
            let after = harness.published_after(begun, customer);
            assert!(after < Duration::from_secs(1), "{place}: {customer}'s last decision went out after {after:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_customer_shares_no_further_requests() {
    let harness = Harness::new();
    harness.publisher().hanging.lock().unwrap().insert("a".to_owned());
    let batch = ["a", "b", "c"].map(|customer| message(customer, customer, "1", "$1"));
    let b = (2..5).map(|n| message(&format!("b{n}"), "b", &n.to_string(), "$1"));
    harness.handle(batch.into_iter().chain(b).collect()).await;
    let requests = std::mem::take(&mut *harness.publisher().requests.lock().unwrap());
    let customers = requests.iter().map(|keys| keys.iter().map(|key| key.customer_id.as_str()).collect::<String>());
    assert_eq!(customers.collect::<Vec<_>>(), ["abc", "a", "b", "c", "b", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn customers_that_commit_slightly_later_still_share_a_request() {
    let harness = Harness::new();
    for n in 0..10 {
        harness.store().fail(&format!("c{n}"), Fault::Slow(Duration::from_millis(n * 4)), 1);
    }
    let batch = (0..10).map(|n| message(&format!("m{n}"), &format!("c{n}"), "1", "$1")).collect();
    assert!(harness.handle(batch).await.0.is_empty());
    assert_eq!(harness.store().reads.lock().unwrap().len(), 1);
    assert_eq!(harness.publisher().requests.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_shared_request_is_repeated_for_each_customer() {
    let harness = Harness::new();
    harness.publisher().refused.lock().unwrap().extend([
        ("1".to_owned(), 1),
        ("2".to_owned(), 1),
        ("3".to_owned(), 99),
    ]);
    let batch = [("a", "1"), ("b", "2"), ("c", "3")].map(|(customer, id)| message(customer, customer, id, "$1"));
    assert_eq!(harness.handle(batch.to_vec()).await.0, ["c"]);
    assert_eq!(harness.published(), ["a/1+", "b/2+"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_affects_only_its_customer() {
    let harness = Harness::new();
    harness.store().fail("a", Fault::Panic, 1);
    let batch = ["a", "b"].map(|customer| message(customer, customer, "1", "$1"));
    assert_eq!(harness.handle(batch.to_vec()).await.0, ["a"]);
    assert_eq!(harness.published(), ["b/1+"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_slow_read_no_commit_begins() {
    let harness = Harness::new();
    *harness.store().read_time.lock().unwrap() = Duration::from_secs(21);
    assert_eq!(harness.handle(vec![message("m1", "a", "1", "$1")]).await.0, ["m1"]);
    assert!(harness.store().commits.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_response_is_in_time_when_a_request_hangs() {
    let harness = Harness::new();
    harness.store().fail("a", Fault::Slow(Duration::from_hours(1)), 1);
    let begun = tokio::time::Instant::now();
    let (failed, _) = harness.handle(vec![message("m1", "a", "1", "$1"), raw("m2", "b", "{")]).await;
    assert_eq!(failed, ["m1"]);
    assert_eq!(begun.elapsed().as_millis(), 29_500);
}

#[tokio::test(start_paused = true)]
async fn a_decision_shortens_long_amounts_and_times() {
    let harness = Harness::new();
    let amount = format!("{}1.5", "0".repeat(100_000));
    let time = format!("2000-01-03T00:00:00.25{}+02:00", "0".repeat(1_000));
    let body = crate::support::line("1", "a", &amount, &time);
    assert!(harness.handle(vec![raw("m1", "a", body.trim_end())]).await.0.is_empty());
    let body = harness.publisher().published.lock().unwrap().pop().unwrap();
    assert!(body.contains(r#""load_amount":"$1.50","time":"2000-01-02T22:00:00.250Z""#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_shortened_time_is_rfc_3339_on_the_first_and_last_day() {
    let harness = Harness::new();
    let zeros = "0".repeat(100);
    for (id, written, repeated) in [
        ("1", format!("0000-01-01T00:30:00.5{zeros}+01:00"), "0000-01-01T00:30:00.500+01:00"),
        ("2", format!("9999-12-31T23:30:00.5{zeros}-01:00"), "9999-12-31T23:30:00.500-01:00"),
    ] {
        let body = crate::support::line(id, "a", "$1", &written);
        assert!(harness.handle(vec![raw(id, "a", body.trim_end())]).await.0.is_empty());
        let body = harness.publisher().published.lock().unwrap().pop().unwrap();
        assert!(body.contains(&format!(r#""time":"{repeated}""#)), "{body}");
    }
}
