//! The contract of every store of customers' own limits. It is tested on the store in memory, Amazon's DynamoDB Local,
//! and the embedded store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::deciding::{Cause, Clock, StoreError};
use loadgate::domain::{
    Cents, ChangeKind, ChangeRecord, LimitEvent, LimitEventError, Millis, OWN_LIMITS_KEPT_MAX, OwnLimit,
    OwnLimitStatus, OwnPeriod, PendingChange, RAISES_MAX, Raise,
};
use loadgate::limits::{
    Applied, ApplyError, CLOSED_KEPT_MS, ChangePage, CustomerLimits, CustomerWrite, LimitApplier, LimitBook,
    LimitPointer, LimitStore, LimitWrite, PointerWrite, ReportedLimit, StoredLimit,
};

use super::{created, limit, progressed};
use crate::support::stores::on_every_store;

on_every_store![
    an_empty_store_returns_nothing,
    order_repetition_and_concurrency_do_not_matter,
    lost_requests_and_answers_change_no_result,
    a_stale_pointer_refuses_the_whole_write,
    stale_limits_of_the_customer_refuse_the_whole_write,
    a_stale_report_is_refused,
    one_of_two_customers_gets_a_limit_id,
    concurrent_definitions_leave_32_open_limits,
    a_refused_event_is_refused_again,
    closed_limits_leave_after_62_days,
    limits_are_listed_with_their_reported_progress,
    a_limit_s_version_grows_with_its_definition_alone,
    a_limit_that_comes_back_has_a_higher_version,
    a_pointer_is_read_by_its_limit,
    the_longest_limits_fit_into_an_item,
];

/// The present of the test's clock, in milliseconds.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// A clock that stands still. Waits are short.
#[derive(Clone, Copy)]
pub struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(NOW_MS)
    }

    async fn sleep(&self, duration: std::time::Duration) {
        tokio::time::sleep(duration / 50).await;
    }
}

/// A store that loses requests and answers, repeats writes as an HTTP client does, and is short of capacity.
pub struct Lossy<S> {
    pub store: Arc<S>,
    pub rng: Mutex<Rng>,
    /// Frequency of each kind of fault in a hundred requests.
    pub percent: u8,
}

impl<S> Lossy<S> {
    fn chance(&self) -> bool {
        self.rng.lock().unwrap().u8(0..100) < self.percent
    }
}

impl<S: LimitStore> LimitStore for Lossy<S> {
    async fn read(&self, limit_id: &str, user_id: &str) -> Result<StoredLimit, StoreError> {
        if self.chance() {
            return Err(StoreError::Throttled(Cause::new("no capacity")));
        }
        self.store.read(limit_id, user_id).await
    }

    async fn read_pointer(&self, limit_id: &str) -> Result<Option<LimitPointer>, StoreError> {
        self.store.read_pointer(limit_id).await
    }

    async fn write(&self, write: &LimitWrite) -> Result<(), StoreError> {
        let lost = || Err(StoreError::Unavailable(Cause::new("no answer")));
        if self.chance() {
            return lost();
        }
        let first = self.store.write(write).await;
        if self.chance() {
            return lost();
        }
        if self.chance() { self.store.write(write).await } else { first }
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        self.store.read_limits(user_id).await
    }

    async fn read_changes(&self, limit_id: &str, after: Option<u64>, max: u16) -> Result<ChangePage, StoreError> {
        self.store.read_changes(limit_id, after, max).await
    }
}

pub fn applier<S>(store: &Arc<S>, seed: u64, percent: u8) -> LimitApplier<Lossy<S>, StandingClock> {
    let store = Lossy { store: Arc::clone(store), rng: Mutex::new(Rng::with_seed(seed)), percent };
    LimitApplier { store, clock: StandingClock }
}

/// Returns events of three customers with three limits each, and the ids of the limits. `run` keeps runs apart.
fn events(rng: &mut Rng, run: u64) -> (Vec<LimitEvent>, Vec<(String, String)>) {
    let customers = (0..3).map(|customer| format!("{run}-{customer}"));
    let ids: Vec<(String, String)> =
        customers.flat_map(|user| (0..3).map(move |place| (user.clone(), format!("{user}-{place}")))).collect();
    let event = |number: u64| {
        let (user_id, limit_id) = rng.choice(&ids).unwrap();
        if rng.bool() {
            return progressed(number, limit_id, user_id, rng.u64(0..100));
        }
        let status = rng.choice([OwnLimitStatus::Active, OwnLimitStatus::Canceled { at: Millis::new(NOW_MS) }]);
        // Ended recently, long ago, or not at all.
        let ended = [None, Some(Millis::new(NOW_MS)), Some(Millis::new(NOW_MS - CLOSED_KEPT_MS))];
        let active_until = rng.choice(ended).unwrap();
        let definition = OwnLimit {
            value: loadgate::domain::Cents::new(number),
            status: status.unwrap(),
            active_until,
            ..limit(limit_id, user_id)
        };
        let progress = rng.bool().then(|| rng.u64(0..100));
        LimitEvent { created_at: Millis::new(NOW_MS), ..created(number, definition, progress) }
    };
    ((1..=24).map(event).collect(), ids)
}

/// Returns the limits and pointers that a book has, as a store would have them at present.
fn expected(book: &LimitBook, user_id: &str) -> Vec<(OwnLimit, u64)> {
    let mut customer = CustomerLimits::default();
    for definition in book.definitions().filter(|limit| limit.user_id == user_id) {
        customer.define(definition.clone(), Millis::new(NOW_MS));
    }
    let reported = |limit: &OwnLimit| book.get(&limit.limit_id).unwrap().reported;
    customer.definitions().map(|limit| (limit.clone(), reported(limit))).collect()
}

fn pointer_of(book: &LimitBook, user_id: &str, limit_id: &str) -> Option<LimitPointer> {
    let entry = book.get(limit_id)?;
    Some(LimitPointer {
        user_id: user_id.to_owned(),
        definition_mark: entry.definition_mark,
        progress_mark: entry.progress_mark,
        reported: entry.reported,
    })
}

pub async fn assert_same(store: &impl LimitStore, book: &LimitBook, ids: &[(String, String)]) {
    for (user_id, limit_id) in ids {
        let stored = store.read(limit_id, user_id).await.unwrap();
        assert_eq!(stored.pointer, pointer_of(book, user_id, limit_id), "{limit_id}");
        let listed = store.read_limits(user_id).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|listed| (listed.known.limit, listed.reported)).collect();
        assert_eq!(listed, expected(book, user_id), "{user_id}");
        assert_eq!(stored.customer.limits.len(), listed.len());
    }
}

/// Number of runs of a test with random events: many in memory, few over HTTP.
fn runs<S>() -> u64 {
    if std::any::type_name::<S>().contains("MemoryStore") { 300 } else { 4 }
}

async fn an_empty_store_returns_nothing<S: LimitStore>(store: S) {
    assert_eq!(store.read("l", "u").await.unwrap(), StoredLimit::default());
    assert_eq!(store.read_limits("u").await.unwrap(), []);
}

async fn order_repetition_and_concurrency_do_not_matter<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    for run in 0..runs::<S>() {
        let mut rng = Rng::with_seed(run);
        let (events, ids) = events(&mut rng, run);
        let mut book = LimitBook::default();
        for event in events.clone() {
            book.apply(&event).unwrap();
        }
        let mut deliveries = [events.clone(), events.clone()].concat();
        rng.shuffle(&mut deliveries);
        let appliers: Vec<_> = (0..3).map(|seed| applier(&store, run * 3 + seed, 10)).collect();
        let (first, rest) = deliveries.split_at(20);
        let parts = [first, rest, &deliveries].map(<[LimitEvent]>::to_vec);
        let applied = appliers.iter().zip(parts).map(|(applier, part)| applier.apply_all(part));
        for result in futures_util::future::join_all(applied).await.concat() {
            result.unwrap();
        }
        assert_same(&*store, &book, &ids).await;
    }
}

async fn lost_requests_and_answers_change_no_result<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    for run in 0..runs::<S>() {
        let mut rng = Rng::with_seed(run);
        let (events, ids) = events(&mut rng, run);
        let mut deliveries = [events.clone(), events.clone()].concat();
        rng.shuffle(&mut deliveries);
        let mut book = LimitBook::default();
        let results: Vec<_> = deliveries.iter().map(|event| book.apply(event).unwrap()).collect();
        let applied = applier(&store, run, 8).apply_all(deliveries).await;
        assert_eq!(applied.into_iter().map(Result::unwrap).collect::<Vec<_>>(), results);
        assert_same(&*store, &book, &ids).await;
    }
}

/// Returns the write that an event leads to.
pub async fn write_of(store: &impl LimitStore, event: &LimitEvent) -> LimitWrite {
    let change = event.change.as_ref().unwrap();
    let stored = store.read(change.limit_id(), change.user_id()).await.unwrap();
    let judgement = loadgate::limits::judge(event, stored.pointer.as_ref(), &stored.customer).unwrap();
    let loadgate::limits::Judgement::Change(change_of) = judgement else { panic!("{judgement:?}") };
    let customer = change_of.definition.map(|limit| {
        let (read_version, mut after) = (stored.customer.version, stored.customer.clone());
        after.define(limit.clone(), Millis::new(NOW_MS));
        let change = ChangeRecord {
            version: read_version + 1,
            kind: ChangeKind::Defined,
            changed_at: event.created_at,
            changed_by: "a test".to_owned(),
            before: stored.customer.get(&limit.limit_id).cloned(),
            after: limit,
        };
        CustomerWrite { read_version, after, change, answer: None }
    });
    let pointer = Some(PointerWrite { before: stored.pointer, after: change_of.pointer });
    LimitWrite { limit_id: change.limit_id().to_owned(), user_id: change.user_id().to_owned(), pointer, customer }
}

async fn state(store: &impl LimitStore) -> (StoredLimit, Vec<ReportedLimit>) {
    (store.read("l", "u").await.unwrap(), store.read_limits("u").await.unwrap())
}

fn assert_conflict(result: &Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
}

async fn a_stale_pointer_refuses_the_whole_write<S: LimitStore>(store: S) {
    let stale = write_of(&store, &created(1, limit("l", "u"), Some(5))).await;
    for newer in [
        progressed(2, "l", "u", 7),
        created(3, OwnLimit { period: OwnPeriod::Week, ..limit("l", "u") }, None),
        progressed(4, "l", "u", 8),
    ] {
        let before_newer = write_of(&store, &created(5, limit("l", "u"), None)).await;
        store.write(&write_of(&store, &newer).await).await.unwrap();
        let before = state(&store).await;
        assert_conflict(&store.write(&stale).await);
        assert_conflict(&store.write(&before_newer).await);
        assert_eq!(state(&store).await, before);
    }
}

async fn stale_limits_of_the_customer_refuse_the_whole_write<S: LimitStore>(store: S) {
    for (number, other) in [(1, "other"), (2, "another")] {
        let stale = write_of(&store, &created(10, limit("l", "u"), None)).await;
        store.write(&write_of(&store, &created(number, limit(other, "u"), None)).await).await.unwrap();
        let before = state(&store).await;
        assert_conflict(&store.write(&stale).await);
        assert_eq!(state(&store).await, before);
        assert_eq!((before.0.pointer, before.0.customer.version), (None, number));
    }
}

async fn a_stale_report_is_refused<S: LimitStore>(store: S) {
    let stale = write_of(&store, &progressed(1, "l", "u", 5)).await;
    store.write(&write_of(&store, &progressed(2, "l", "u", 7)).await).await.unwrap();
    assert_conflict(&store.write(&stale).await);
    let stale = write_of(&store, &progressed(3, "l", "u", 5)).await;
    store.write(&write_of(&store, &progressed(4, "l", "u", 9)).await).await.unwrap();
    assert_conflict(&store.write(&stale).await);
    let (stored, listed) = state(&store).await;
    assert_eq!((stored.pointer.unwrap().reported, listed), (9, vec![]));
    // A report that was read before a definition would take its mark back.
    for number in [5, 6] {
        let stale = write_of(&store, &progressed(7, "l", "u", 1)).await;
        store.write(&write_of(&store, &created(number, limit("l", "u"), None)).await).await.unwrap();
        assert_conflict(&store.write(&stale).await);
        assert_eq!(store.read("l", "u").await.unwrap().pointer.unwrap().definition_mark, Some(number));
    }
}

async fn one_of_two_customers_gets_a_limit_id<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    for run in 0..runs::<S>() {
        let (limit_id, users) = (format!("l-{run}"), ["one", "two"].map(|user| format!("{user}-{run}")));
        let events = [created(1, limit(&limit_id, &users[0]), Some(1)), progressed(1, &limit_id, &users[1], 2)];
        // Two appliers contend; in one call, the first event decides.
        let appliers = [applier(&store, run, 10), applier(&store, run + 1, 10)];
        let applied = appliers.iter().zip(&events).map(|(applier, event)| applier.apply(event));
        let results = futures_util::future::join_all(applied).await;
        let refused = results.iter().filter(|it| matches!(it, Err(ApplyError::Event(LimitEventError::OtherCustomer))));
        assert_eq!(refused.count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|it| matches!(it, Ok(Applied::Changed))).count(), 1, "{results:?}");

        let claims = users.map(|user| created(1, limit(&format!("m-{run}"), &user), None));
        let results = applier(&store, run, 10).apply_all(claims.to_vec()).await;
        assert!(matches!(results[..], [Ok(Applied::Changed), Err(ApplyError::Event(_))]), "{results:?}");
    }
}

async fn concurrent_definitions_leave_32_open_limits<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let applier = applier(&store, 1, 0);
    for number in 1..=30 {
        applier.apply(&created(number, limit(&format!("l-{number}"), "u"), None)).await.unwrap();
    }
    let more: Vec<_> = (31..=36).map(|number| created(number, limit(&format!("l-{number}"), "u"), None)).collect();
    let results = futures_util::future::join_all(more.iter().map(|event| applier.apply(event))).await;
    let refused = results.iter().filter(|it| matches!(it, Err(ApplyError::Event(LimitEventError::TooManyLimits))));
    assert_eq!(refused.count(), 4, "{results:?}");
    assert_eq!(store.read_limits("u").await.unwrap().len(), 32);
}

async fn a_refused_event_is_refused_again<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let at = |number: u64, limit: OwnLimit| LimitEvent {
        created_at: Millis::new(i64::try_from(number).unwrap()),
        ..created(number, limit, None)
    };
    let mut events: Vec<_> = (1..=33).map(|number| at(number, limit(&format!("l-{number}"), "u"))).collect();
    let canceled = OwnLimitStatus::Canceled { at: Millis::new(40) };
    events.push(at(40, OwnLimit { status: canceled, ..limit("l-2", "u") }));
    let refused = |results: &[Result<Applied, ApplyError>]| results.iter().position(Result::is_err);
    let mut states = Vec::new();
    for _ in 0..2 {
        let results = applier(&store, 1, 0).apply_all(events.clone()).await;
        assert_eq!(refused(&results), Some(32), "{results:?}");
        states.push(store.read("l-33", "u").await.unwrap());
    }
    assert_eq!(states[0], states[1]);
    // A later event has the room of the canceled limit.
    let later = at(41, limit("l-33", "u"));
    assert!(matches!(applier(&store, 1, 0).apply(&later).await, Ok(Applied::Changed)));
}

async fn closed_limits_leave_after_62_days<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let applier = applier(&store, 1, 0);
    let now = |event: LimitEvent| LimitEvent { created_at: Millis::new(NOW_MS), ..event };
    let ended = |limit_id: &str, at: i64| OwnLimit { active_until: Some(Millis::new(at)), ..limit(limit_id, "u") };
    let canceled = |limit_id: &str, at: i64| OwnLimit {
        status: OwnLimitStatus::Canceled { at: Millis::new(at) },
        ..limit(limit_id, "u")
    };
    let gone_at = NOW_MS - CLOSED_KEPT_MS;
    // These are closed already when they are defined, at a time at which they are still kept.
    for definition in [
        ended("a", gone_at),
        ended("b", gone_at + 1),
        canceled("c", gone_at),
        canceled("d", gone_at + 1),
        limit("e", "u"),
    ] {
        let event = LimitEvent { created_at: Millis::new(gone_at), ..created(5, definition, Some(9)) };
        assert!(matches!(applier.apply(&event).await, Ok(Applied::Changed)));
    }
    let ids = async || -> Vec<String> {
        store.read_limits("u").await.unwrap().into_iter().map(|listed| listed.known.limit.limit_id).collect()
    };
    assert_eq!(ids().await, ["a", "b", "c", "d", "e"]);
    // A report changes no definition; a definition removes what is past its time.
    applier.apply(&now(progressed(6, "e", "u", 1))).await.unwrap();
    assert_eq!(ids().await.len(), 5);
    applier.apply(&now(created(7, limit("e", "u"), None))).await.unwrap();
    assert_eq!(ids().await, ["b", "d", "e"]);
    // The marks stay.
    assert!(matches!(applier.apply(&now(created(5, limit("a", "u"), None))).await, Ok(Applied::Outdated)));
    assert_eq!(store.read("a", "u").await.unwrap().pointer.unwrap().definition_mark, Some(5));
    // A definition past its time takes an earlier one away, and advances the mark.
    assert!(matches!(applier.apply(&now(created(8, ended("e", gone_at), None))).await, Ok(Applied::Changed)));
    assert_eq!(ids().await, ["b", "d"]);
    assert!(matches!(applier.apply(&now(created(7, limit("e", "u"), None))).await, Ok(Applied::Outdated)));
    // So does one of a limit that nobody has defined before.
    assert!(matches!(applier.apply(&now(created(9, ended("f", gone_at), None))).await, Ok(Applied::Changed)));
    assert!(matches!(applier.apply(&now(created(8, limit("f", "u"), None))).await, Ok(Applied::Outdated)));
    assert!(matches!(applier.apply(&now(created(10, limit("f", "u"), None))).await, Ok(Applied::Changed)));
    assert_eq!(ids().await, ["b", "d", "f"]);
}

async fn limits_are_listed_with_their_reported_progress<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let applier = applier(&store, 1, 0);
    let events = [
        created(1, limit("b", "u"), Some(u64::MAX)),
        created(2, limit("a", "u"), None),
        progressed(u64::MAX, "a", "u", 12),
        progressed(4, "undefined", "u", 1),
        created(1, limit("theirs", "v"), None),
    ];
    assert!(applier.apply_all(events.to_vec()).await.iter().all(Result::is_ok));
    let listed = store.read_limits("u").await.unwrap();
    let listed: BTreeMap<_, _> =
        listed.into_iter().map(|listed| (listed.known.limit.limit_id, listed.reported)).collect();
    assert_eq!(listed, BTreeMap::from([("a".to_owned(), 12), ("b".to_owned(), u64::MAX)]));
}

async fn the_longest_limits_fit_into_an_item<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let user_id = "u".repeat(128);
    // A customer with 32 open limits, and a day's wait for an increase, has about 250 raises a month.
    let raises = i64::try_from(RAISES_MAX).unwrap();
    let longest = |number: usize| {
        let canceled = OwnLimitStatus::Canceled { at: Millis::new(NOW_MS) };
        OwnLimit {
            brand_id: Some("b".repeat(128)),
            kind: loadgate::domain::OwnLimitKind::Deposit,
            period: OwnPeriod::CalendarMonth,
            value: loadgate::domain::Cents::new(9_999_999_999_999_999),
            status: canceled,
            active_until: Some(Millis::new(NOW_MS)),
            active_from: Millis::new(-62_167_219_200_000),
            raises: (0..raises)
                .map(|nth| Raise {
                    from: Millis::new(NOW_MS + nth),
                    value: loadgate::domain::Cents::new(9_999_999_999_999_999),
                })
                .collect(),
            pending: Some(PendingChange {
                value: Some(loadgate::domain::Cents::new(9_999_999_999_999_999)),
                requested_at: Millis::new(NOW_MS),
                applies_at: Millis::new(NOW_MS),
                needs_confirmation: true,
            }),
            ..limit(&format!("{number:0128}"), &user_id)
        }
    };
    let at = |number| LimitEvent { created_at: Millis::new(NOW_MS), ..created(1, longest(number), Some(1)) };
    let mut all = write_of(&*store, &at(0)).await;
    for number in 1..OWN_LIMITS_KEPT_MAX {
        all.customer.as_mut().unwrap().after.define(longest(number), Millis::new(NOW_MS));
    }
    store.write(&all).await.unwrap();
    let applied =
        applier(&store, 1, 0).apply_all((OWN_LIMITS_KEPT_MAX - 1..=OWN_LIMITS_KEPT_MAX).map(at).collect()).await;
    assert!(matches!(applied[..], [Ok(_), Err(ApplyError::Event(LimitEventError::TooManyLimits))]), "{applied:?}");
    assert_eq!(store.read("x", &user_id).await.unwrap().customer.limits.len(), OWN_LIMITS_KEPT_MAX);
}

async fn version(store: &impl LimitStore, limit_id: &str) -> Option<u64> {
    let listed = store.read_limits("u").await.unwrap();
    listed.into_iter().find(|listed| listed.known.limit.limit_id == limit_id).map(|listed| listed.known.version)
}

/// Repeated and outdated events, reports of progress and changes of other limits leave a limit's version as it is.
async fn a_limit_s_version_grows_with_its_definition_alone<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let applier = applier(&store, 1, 0);
    let (mut first, mut other) = (None, None);
    for number in [10, 20, 30] {
        let definition = created(number, limit("l", "u"), Some(number));
        assert!(matches!(applier.apply(&definition).await, Ok(Applied::Changed)));
        let changed = version(&*store, "l").await;
        assert!(changed > first, "{changed:?} after {first:?}");
        for same in [
            definition.clone(),
            created(number - 1, limit("l", "u"), None),
            created(number - 5, limit("l", "u"), Some(number + 1)),
            progressed(number + 2, "l", "u", 7),
            created(number, limit("other", "u"), None),
        ] {
            applier.apply(&same).await.unwrap();
            assert_eq!(version(&*store, "l").await, changed, "{same:?}");
        }
        let other_now = version(&*store, "other").await;
        assert!(other_now > other, "{other_now:?} after {other:?}");
        (first, other) = (changed, other_now);
    }
}

async fn a_limit_that_comes_back_has_a_higher_version<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    let applier = applier(&store, 1, 0);
    let at = |number: u64, limit: OwnLimit, created_at: i64| LimitEvent {
        created_at: Millis::new(created_at),
        ..created(number, limit, None)
    };
    for number in 1..=5 {
        applier.apply(&at(number, limit("l", "u"), NOW_MS - CLOSED_KEPT_MS)).await.unwrap();
    }
    let before = version(&*store, "l").await.unwrap();
    // It is canceled, and leaves the customer.
    let canceled = OwnLimitStatus::Canceled { at: Millis::new(NOW_MS - CLOSED_KEPT_MS) };
    applier.apply(&at(6, OwnLimit { status: canceled, ..limit("l", "u") }, NOW_MS)).await.unwrap();
    assert_eq!(version(&*store, "l").await, None);
    applier.apply(&at(7, limit("l", "u"), NOW_MS)).await.unwrap();
    let after = version(&*store, "l").await.unwrap();
    assert!(after > before + 1, "{after} after {before} and the change that removed it");
}

async fn a_pointer_is_read_by_its_limit<S: LimitStore>(store: S) {
    let store = Arc::new(store);
    assert_eq!(store.read_pointer("l").await.unwrap(), None);
    applier(&store, 1, 0).apply(&progressed(4, "l", "u", 7)).await.unwrap();
    let read = store.read("l", "u").await.unwrap().pointer;
    assert_eq!((read.is_some(), store.read_pointer("l").await.unwrap()), (true, read));
}

#[test]
fn a_change_that_came_into_force_by_itself_keeps_its_version() {
    let (requested_at, applies_at) = (Millis::new(1_000), Millis::new(2_000));
    let change = PendingChange { value: Some(Cents::new(200_00)), requested_at, applies_at, needs_confirmation: false };
    let mut customer = CustomerLimits::default();
    customer.define(OwnLimit { pending: Some(change), ..limit("a", "u") }, requested_at);
    let known = customer.limits["a"].clone();
    assert_eq!([requested_at, applies_at].map(|at| known.version_at(at)), [1, 2]);
    customer.define(limit("b", "u"), applies_at);
    let next = customer.limits["b"].version;
    assert!(next > known.version_at(applies_at), "{next}: a decision names limits by their versions");
}
