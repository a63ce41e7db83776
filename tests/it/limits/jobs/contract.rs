//! The contract of every store of jobs.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::customer_key;
use loadgate::deciding::StoreError;
use loadgate::domain::{
    ChunkResult, CustomerFailure, Job, JobCounts, JobFailure, JobSize, JobState, LinkBasis, LinkOutcome, Millis,
};
use loadgate::limits::jobs::{JobChange, JobStore, RosterCursor, RosterPage, RosterShard};
use loadgate::limits::{
    AnswerStore, Author, KeptAnswer, LimitApplier, LimitStore, LinkStore, PlanStore, ProgramStore, ROSTER_SHARDS,
    RequestKey,
};

use super::{enroll, job, link_by_hand, plan};
use crate::limits::store::{NOW_MS, StandingClock};
use crate::limits::{created, limit};
use crate::support::stores::on_every_store;

on_every_store![
    an_empty_store_has_no_jobs,
    a_job_is_stored_once_and_listed,
    a_job_and_its_answer_are_stored_together_or_not_at_all,
    a_state_changes_only_from_the_states_before_it,
    a_page_is_stored_once,
    a_result_is_stored_once_and_listed,
    a_roster_is_read_in_parts,
    a_link_goes_only_over_a_lower_number,
    a_repeated_link_counts_as_it_did,
    a_link_needs_the_programme,
    links_are_read_in_the_order_of_the_customers,
    settings_beside_the_link_stay,
];

/// Everything that the cases need of a store.
pub trait Everything: AnswerStore + JobStore + LinkStore + PlanStore + ProgramStore {}

impl<S: AnswerStore + JobStore + LinkStore + PlanStore + ProgramStore> Everything for S {}

async fn an_empty_store_has_no_jobs<S: Everything>(store: S) {
    assert_eq!(store.read_job(1).await.unwrap(), None);
    assert_eq!(store.read_jobs(None, 10).await.unwrap(), []);
    assert_eq!(store.read_page(1, 0).await.unwrap(), None);
    assert!(store.read_results(1, None).await.unwrap().results.is_empty());
    assert!(store.read_roster(&RosterShard { program_id: "gold", shard: 0 }, None, 10).await.unwrap().is_empty());
    let cancel = JobChange::Cancel { at: Millis::new(NOW_MS), answer: None };
    assert!(!store.change_job(1, &cancel).await.unwrap());
    // The change has left no item behind.
    assert_eq!(store.read_job(1).await.unwrap(), None);
}

async fn a_job_is_stored_once_and_listed<S: Everything>(store: S) {
    // More digits do not disturb the order.
    for number in [9, 10, 100] {
        store.put_job(&job(number, 1), None).await.unwrap();
    }
    store.put_job(&job(10, 2), None).await.unwrap();
    assert_eq!(store.read_job(10).await.unwrap(), Some(job(10, 1)), "the second put changes nothing");
    let numbers = |jobs: Vec<Job>| jobs.into_iter().map(|job| job.number).collect::<Vec<_>>();
    assert_eq!(numbers(store.read_jobs(None, 2).await.unwrap()), [100, 10]);
    assert_eq!(numbers(store.read_jobs(Some(10), 2).await.unwrap()), [9]);
    let dry = Job { is_dry_run: true, program_id: "a/ä\u{1}".to_owned(), ..job(7, 3) };
    store.put_job(&dry, None).await.unwrap();
    assert_eq!(store.read_job(7).await.unwrap(), Some(dry));
}

async fn a_job_and_its_answer_are_stored_together_or_not_at_all<S: Everything>(store: S) {
    let answer = |body: &str| KeptAnswer {
        key: RequestKey { route: "POST /x".to_owned(), key: "k".to_owned() },
        fingerprint: "f".to_owned(),
        status: 202,
        location: Some("/jobs/1".to_owned()),
        etag: None,
        body: body.to_owned(),
        answered_at: chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap(),
    };
    store.put_job(&job(1, 1), Some(&answer("first"))).await.unwrap();
    // A try whose answer was lost.
    store.put_job(&job(1, 1), Some(&answer("first"))).await.unwrap();
    let refused = store.put_job(&job(2, 1), Some(&answer("second"))).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.read_job(2).await.unwrap(), None);
    assert_eq!(store.read_job(1).await.unwrap(), Some(job(1, 1)));
    assert_eq!(store.read_answer(&answer("").key).await.unwrap(), Some(answer("first")));
}

/// Returns every change, with what it leaves of a job.
fn changes() -> [(JobChange, Job); 4] {
    let (at, size) = (Millis::new(NOW_MS + 5), JobSize { customers: 51, chunks: 3 });
    let counts = JobCounts { linked: 48, already_linked: 1, superseded: 0, failed: 2 };
    let failure = JobFailure { code: "CORRUPT_ITEM".to_owned(), reason: "a reason".to_owned() };
    let ended = |state| Job { state, finished_at: Some(at), ..job(1, 1) };
    [
        (JobChange::Run(size), Job { state: JobState::Running, size: Some(size), ..job(1, 1) }),
        (JobChange::Finish { counts, at }, Job { size: Some(size), counts: Some(counts), ..ended(JobState::Done) }),
        (JobChange::Cancel { at, answer: None }, ended(JobState::Canceled)),
        (JobChange::Fail { failure: failure.clone(), at }, Job { failure: Some(failure), ..ended(JobState::Failed) }),
    ]
}

async fn a_state_changes_only_from_the_states_before_it<S: Everything>(store: S) {
    let [(run, running), (finish, done), (cancel, canceled), (fail, failed)] = changes();
    let all = [&run, &finish, &cancel, &fail];
    // The changes that lead to a state, the job in it, and the changes that are possible from there.
    let table = [
        (vec![], job(1, 1), vec![&run, &cancel, &fail]),
        (vec![&run], running, vec![&finish, &cancel]),
        (vec![&run, &finish], done, vec![]),
        (vec![&cancel], canceled, vec![]),
        (vec![&fail], failed, vec![]),
    ];
    let mut number = 0;
    for (way, reached, possible) in table {
        for change in all {
            number += 1;
            store.put_job(&job(number, 1), None).await.unwrap();
            for step in &way {
                assert!(store.change_job(number, step).await.unwrap(), "{step:?}");
            }
            assert_eq!(store.read_job(number).await.unwrap(), Some(Job { number, ..reached.clone() }));
            let is_changed = store.change_job(number, change).await.unwrap();
            assert_eq!(is_changed, possible.contains(&change), "{:?} -> {change:?}", reached.state);
        }
    }
}

async fn a_page_is_stored_once<S: Everything>(store: S) {
    let page = |customers: &[&str], next| RosterPage {
        customers: customers.iter().map(|id| (*id).to_owned()).collect(),
        customers_before: 500,
        chunks_before: 20,
        next,
    };
    let first = page(&["b", "a/c"], Some(RosterCursor { shard: 3, after: Some("a/c".to_owned()) }));
    assert!(store.put_page(1, 1, &first).await.unwrap());
    assert!(!store.put_page(1, 1, &page(&["x"], None)).await.unwrap());
    assert_eq!(store.read_page(1, 1).await.unwrap(), Some(first));
    let last = page(&[], Some(RosterCursor { shard: 15, after: None }));
    assert!(store.put_page(1, 2, &last).await.unwrap());
    assert_eq!(store.read_page(1, 2).await.unwrap(), Some(last));
    let end = page(&[], None);
    assert!(store.put_page(2, 1, &end).await.unwrap());
    assert_eq!(store.read_page(2, 1).await.unwrap(), Some(end));
}

fn result(chunk: u32, linked: u64) -> ChunkResult {
    let counts = JobCounts { linked, failed: 1, ..JobCounts::default() };
    let failure = JobFailure { code: "THROTTLED".to_owned(), reason: "no capacity".to_owned() };
    let failures = vec![CustomerFailure { customer_id: format!("c-{chunk}"), failure }];
    ChunkResult { chunk, counts, failures, done_at: Millis::new(NOW_MS + i64::from(chunk)) }
}

async fn a_result_is_stored_once_and_listed<S: Everything>(store: S) {
    let results: Vec<ChunkResult> = (0..120).map(|chunk| result(chunk, u64::from(chunk))).collect();
    for result in results.iter().rev() {
        assert!(store.put_result(8, result).await.unwrap());
    }
    assert!(!store.put_result(8, &result(5, 99)).await.unwrap());
    store.put_result(80, &result(0, 99)).await.unwrap();
    store.put_page(8, 0, &RosterPage::default()).await.unwrap();
    let (mut read, mut after) = (vec![], None);
    loop {
        let page = store.read_results(8, after).await.unwrap();
        read.extend(page.results);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(read, results);
    assert_eq!(store.read_results(8, Some(118)).await.unwrap().results, results[119..]);
}

async fn a_roster_is_read_in_parts<S: Everything>(store: S) {
    for number in 0..80 {
        enroll(&store, &format!("c-{number}"), Some("gold")).await;
        enroll(&store, &format!("d-{number}"), Some("gold/x")).await;
    }
    for number in 0..5 {
        enroll(&store, &format!("c-{number}"), None).await;
    }
    let mut found = BTreeSet::new();
    for shard in 0..ROSTER_SHARDS {
        let roster = RosterShard { program_id: "gold", shard };
        let whole = store.read_roster(&roster, None, 100).await.unwrap();
        assert!(whole.is_sorted());
        let (mut parts, mut after) = (vec![], None);
        loop {
            let part = store.read_roster(&roster, after.as_deref(), 2).await.unwrap();
            after = part.last().cloned();
            parts.extend(part.iter().cloned());
            if part.len() < 2 {
                break;
            }
        }
        assert_eq!(parts, whole);
        found.extend(whole);
    }
    assert_eq!(found, (5..80).map(|number| format!("c-{number}")).collect());
}

async fn a_link_goes_only_over_a_lower_number<S: Everything>(store: S) {
    let at = Millis::new(NOW_MS);
    for customer in ["new", "same", "other", "unlinked", "newer"] {
        enroll(&store, customer, Some("gold")).await;
    }
    link_by_hand(&store, "same", Some(plan(1))).await;
    link_by_hand(&store, "other", Some(plan(2))).await;
    link_by_hand(&store, "unlinked", Some(plan(1))).await;
    link_by_hand(&store, "unlinked", None).await;
    let number = store.draw_number().await.unwrap();
    let newer = link_by_hand(&store, "newer", None).await;
    assert!(newer > number);
    let job = job(number, 1);
    for (customer, outcome) in [
        ("new", LinkOutcome::Linked),
        ("same", LinkOutcome::AlreadyLinked),
        ("other", LinkOutcome::Linked),
        ("unlinked", LinkOutcome::Linked),
        ("newer", LinkOutcome::Superseded),
    ] {
        let ids = [customer.to_owned()];
        let foreseen = store.read_links(&ids).await.unwrap().remove(0).unwrap();
        assert_eq!(foreseen.outcome_of(&job), outcome, "{customer}");
        assert_eq!(store.link_by_job(customer, &job, at).await.unwrap(), outcome, "{customer}");
        let link = store.link(customer).await.unwrap();
        if outcome == LinkOutcome::Superseded {
            assert_eq!((link.number, link.plan), (newer, None));
        } else {
            assert_eq!((link.number, link.plan), (number, Some(plan(1))), "{customer}");
            assert_eq!((link.linked_at, link.linked_by), (Some(at), Some(Author("test".to_owned()))));
        }
    }
}

async fn a_repeated_link_counts_as_it_did<S: Everything>(store: S) {
    let at = Millis::new(NOW_MS);
    for customer in ["new", "same", "other"] {
        enroll(&store, customer, Some("gold")).await;
    }
    link_by_hand(&store, "same", Some(plan(1))).await;
    link_by_hand(&store, "other", Some(plan(2))).await;
    let first = job(store.draw_number().await.unwrap(), 1);
    let expected = [("new", LinkOutcome::Linked), ("same", LinkOutcome::AlreadyLinked), ("other", LinkOutcome::Linked)];
    for (customer, outcome) in [expected, expected].concat() {
        assert_eq!(store.link_by_job(customer, &first, at).await.unwrap(), outcome, "{customer}");
    }
    // Also after the customer has left the programme.
    enroll(&store, "new", None).await;
    assert_eq!(store.link_by_job("new", &first, at).await.unwrap(), LinkOutcome::Linked);
    // A newer job finds the link of the first.
    let second = job(store.draw_number().await.unwrap(), 1);
    assert_eq!(store.link_by_job("other", &second, at).await.unwrap(), LinkOutcome::AlreadyLinked);
    assert_eq!(store.link_by_job("other", &first, at).await.unwrap(), LinkOutcome::Superseded);
    assert_eq!(store.link("other").await.unwrap().number, second.number);
}

async fn a_link_needs_the_programme<S: Everything>(store: S) {
    let at = Millis::new(NOW_MS);
    enroll(&store, "moved", Some("gold")).await;
    enroll(&store, "moved", Some("silver")).await;
    enroll(&store, "removed", Some("gold")).await;
    enroll(&store, "removed", None).await;
    let job = job(store.draw_number().await.unwrap(), 1);
    for customer in ["moved", "removed", "nobody"] {
        assert_eq!(store.link_by_job(customer, &job, at).await.unwrap(), LinkOutcome::Superseded, "{customer}");
        assert_eq!(store.link(customer).await.unwrap().number, 0, "{customer}");
    }
}

async fn links_are_read_in_the_order_of_the_customers<S: Everything>(store: S) {
    let number = link_by_hand(&store, "b", Some(plan(2))).await;
    enroll(&store, "a", Some("gold")).await;
    let ids = ["b", "nobody", "a"].map(str::to_owned);
    let links: Vec<LinkBasis> = store.read_links(&ids).await.unwrap().into_iter().map(Result::unwrap).collect();
    let [b, nobody, a] = &links[..] else { panic!("{links:?}") };
    assert_eq!((b.number, b.plan.clone(), b.program_id.clone()), (number, Some(plan(2)), None));
    assert_eq!(*nobody, LinkBasis::default());
    assert_eq!((a.number, a.program_id.as_deref()), (0, Some("gold")));
    assert!(store.read_links(&[]).await.unwrap().is_empty());
}

async fn settings_beside_the_link_stay<S: Everything + LimitStore>(store: S) {
    let applier = LimitApplier { store, clock: StandingClock };
    let store = &applier.store;
    enroll(store, "u", Some("gold")).await;
    applier.apply(&created(1, limit("l", "u"), None)).await.unwrap();
    let before = LimitStore::read(store, "l", "u").await.unwrap();
    let job = job(store.draw_number().await.unwrap(), 1);
    store.link_by_job("u", &job, Millis::new(NOW_MS)).await.unwrap();
    assert_eq!(LimitStore::read(store, "l", "u").await.unwrap(), before);
    assert_eq!(store.program_of("u").await.unwrap().program_id.as_deref(), Some("gold"));
}

/// The error of a customer whose item cannot be understood is its own.
#[tokio::test]
async fn a_corrupt_link_fails_its_own_customer() {
    let fresh = crate::support::cloud::Fresh::embedded_with_limits().await;
    let store = &fresh.store;
    for customer in ["good", "bad"] {
        enroll(store, customer, Some("gold")).await;
    }
    let client = Client::new(&aws::load(Some(&fresh.url)).await);
    let update = client.update_item().table_name(fresh.names.limit.clone().unwrap());
    let update = update.set_key(Some(customer_key("bad"))).update_expression("SET LINK_NUMBER = :wrong");
    let update = update.expression_attribute_values(":wrong", AttributeValue::S("seven".to_owned()));
    update.send().await.unwrap();
    let (job, ids) = (job(1, 1), ["good", "bad"].map(str::to_owned));
    assert!(matches!(store.link_by_job("bad", &job, Millis::new(NOW_MS)).await, Err(StoreError::Corrupt(_))));
    let links = store.read_links(&ids).await.unwrap();
    assert!(matches!(&links[..], [Ok(_), Err(StoreError::Corrupt(_))]), "{links:?}");
    let StoreError::Corrupt(cause) = links[1].clone().unwrap_err() else { panic!() };
    assert!(cause.what.contains("LINK_NUMBER") && cause.what.contains("customer/bad"), "{}", cause.what);
}

/// The write is made over a plan version that cannot be understood. However often it is repeated, the outcome is that.
#[tokio::test]
async fn a_corrupt_plan_version_is_replaced() {
    let fresh = crate::support::cloud::Fresh::embedded_with_limits().await;
    let store = &fresh.store;
    enroll(store, "u", Some("gold")).await;
    let client = Client::new(&aws::load(Some(&fresh.url)).await);
    let update = client.update_item().table_name(fresh.names.limit.clone().unwrap());
    let update = update.set_key(Some(customer_key("u"))).update_expression("SET #plan = :wrong");
    let update = update.expression_attribute_names("#plan", "PLAN");
    update.expression_attribute_values(":wrong", AttributeValue::S("gold".to_owned())).send().await.unwrap();
    let job = job(1, 1);
    for _ in 0..2 {
        assert_eq!(store.link_by_job("u", &job, Millis::new(NOW_MS)).await.unwrap(), LinkOutcome::Linked);
        let link = store.read_links(&["u".to_owned()]).await.unwrap().remove(0).unwrap();
        assert_eq!((link.is_of(&job), link.outcome_of(&job)), (true, LinkOutcome::Linked));
    }
}
