//! Requests and limit events that change the same limits at the same time, over every store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Store, StoreError};
use loadgate::domain::{
    Cents, ChangeEffect, ChangeKind, ChangeRecord, ChangeRequest, CoolingOff, Currency, Millis, OwnLimit,
    OwnLimitStatus, OwnPeriod, PendingChange,
};
use loadgate::limits::{
    AnswerStore, Author, CLOSED_KEPT_MS, KeptAnswer, LimitChangeError, LimitChanger, LimitStore, NewLimit,
    Precondition, RequestKey,
};

use super::store::{Lossy, NOW_MS, StandingClock, applier, write_of};
use super::{created, limit};
use crate::support::stores::{forward_store, on_every_store};

on_every_store![
    concurrent_changes_form_one_history,
    of_two_changes_of_one_version_one_is_refused,
    lost_answers_make_no_second_limit_and_no_second_change,
    a_confirmed_removal_is_one_also_if_its_answer_is_lost_and_the_limit_is_gone,
];

const RULE: CoolingOff = CoolingOff { delay_ms: 1_000, needs_confirmation: false };

forward_store!(Lossy<S>, |lossy| &*lossy.store, S);

impl<S: AnswerStore> AnswerStore for Lossy<S> {
    async fn read_answer(&self, key: &RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        self.store.read_answer(key).await
    }
}

fn changer<S>(store: &Lossy<S>) -> LimitChanger<'_, Lossy<S>, StandingClock> {
    LimitChanger { store, clock: &StandingClock, currency: Currency::USD, cooling_off: RULE }
}

fn lossy<S>(store: &Arc<S>, seed: u64, percent: u8) -> Lossy<S> {
    Lossy { store: Arc::clone(store), rng: Mutex::new(Rng::with_seed(seed)), percent }
}

fn x() -> Author {
    Author("x".to_owned())
}

fn no_answer(_: &loadgate::domain::LimitProgress) -> Option<KeptAnswer> {
    None
}

async fn history(store: &impl LimitStore, limit_id: &str) -> Vec<ChangeRecord> {
    let (mut all, mut after) = (vec![], None);
    loop {
        let page = store.read_changes(limit_id, after, 7).await.unwrap();
        all.extend(page.changes);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Each change begins where the one before it has ended: none is lost, and none is overwritten. Returns the last state.
fn assert_one_history(changes: &[ChangeRecord]) -> Option<OwnLimit> {
    let mut before: Option<(u64, OwnLimit)> = None;
    for change in changes {
        let [found, expected] = [change.before.as_ref(), before.as_ref().map(|(_, limit)| limit)];
        assert_eq!(found, expected, "{change:?}");
        assert!(before.is_none_or(|(version, _)| version < change.version));
        before = Some((change.version, change.after.clone()));
    }
    before.map(|(_, limit)| limit)
}

async fn concurrent_changes_form_one_history<S: Store + LimitStore + AnswerStore + 'static>(store: S) {
    let (store, mut rng) = (Arc::new(store), Rng::with_seed(7));
    for round in 0..5 {
        let user = format!("u-{round}");
        let ids: Vec<String> = (0..2).map(|nth| format!("l-{round}-{nth}")).collect();
        for (number, id) in (1..).zip(&ids) {
            applier(&store, 0, 0).apply(&created(number, limit(id, &user), None)).await.unwrap();
        }
        let mut tasks = tokio::task::JoinSet::new();
        for nth in 0..8_u64 {
            let (store, seed, id) = (Arc::clone(&store), rng.u64(..), ids[rng.usize(0..2)].clone());
            let event = created(10 + nth, limit(&id, &user), None);
            let request = match rng.u8(0..4) {
                0 => ChangeRequest::Remove,
                1 => ChangeRequest::Withdraw,
                _ => ChangeRequest::Set(Cents::new(rng.u64(1..5_000))),
            };
            tasks.spawn(async move {
                if nth % 3 == 0 {
                    applier(&store, seed, 15).apply(&event).await.unwrap();
                } else {
                    let lossy = lossy(&store, seed, 15);
                    let by = Author(format!("request {nth}"));
                    let changed = changer(&lossy).change(&id, request, &Precondition::Unset, &by, &no_answer).await;
                    let is_known =
                        matches!(changed, Ok(_) | Err(LimitChangeError::Changed | LimitChangeError::Refused(_)));
                    assert!(is_known, "{changed:?}");
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        let stored: BTreeMap<String, OwnLimit> = store
            .read_limits(&user)
            .await
            .unwrap()
            .into_iter()
            .map(|it| (it.known.limit.limit_id.clone(), it.known.limit))
            .collect();
        for id in &ids {
            let last = assert_one_history(&history(&*store, id).await).unwrap();
            assert_eq!(stored[id], last);
            let mark = store.read_pointer(id).await.unwrap().unwrap().definition_mark;
            let newest = history(&*store, id)
                .await
                .iter()
                .rev()
                .find(|change| change.kind == ChangeKind::Defined)
                .unwrap()
                .changed_by
                .clone();
            assert_eq!(newest, format!("limit-event/{}", mark.unwrap()), "requests never move a mark");
        }
    }
}

async fn of_two_changes_of_one_version_one_is_refused<S: Store + LimitStore + AnswerStore + 'static>(store: S) {
    let store = Arc::new(store);
    for round in 0..10 {
        let id = format!("l-{round}");
        applier(&store, 0, 0).apply(&created(round + 1, limit(&id, "u"), None)).await.unwrap();
        let version = store
            .read_limits("u")
            .await
            .unwrap()
            .iter()
            .find(|it| it.known.limit.limit_id == id)
            .unwrap()
            .known
            .version;
        let set = async |cents: u64| {
            let lossy = lossy(&store, 0, 0);
            changer(&lossy)
                .change(&id, ChangeRequest::Set(Cents::new(cents)), &Precondition::Is(vec![version]), &x(), &no_answer)
                .await
        };
        let (one, other) = tokio::join!(set(3), set(4));
        let refused = [&one, &other].into_iter().filter(|it| matches!(it, Err(LimitChangeError::Changed))).count();
        assert_eq!((refused, one.is_ok() || other.is_ok()), (1, true), "{one:?} {other:?}");
        assert_eq!(history(&*store, &id).await.len(), 2);
    }
}

async fn lost_answers_make_no_second_limit_and_no_second_change<S: Store + LimitStore + AnswerStore + 'static>(
    store: S,
) {
    let store = Arc::new(store);
    for seed in 0..20 {
        let (lossy, user_id, limit_id) = (lossy(&store, seed, 30), format!("u-{seed}"), format!("l-{seed}"));
        let value = Cents::new(500);
        let new = NewLimit {
            limit_id: limit_id.clone(),
            user_id: user_id.clone(),
            period: OwnPeriod::Day,
            value,
            currency: Currency::USD,
        };
        let shown = changer(&lossy).create(&new, &x(), &no_answer).await.unwrap();
        assert_eq!((shown.version, shown.limit.active_from), (1, Millis::new(NOW_MS)));
        let set = ChangeRequest::Set(Cents::new(400));
        assert_eq!(
            changer(&lossy).change(&limit_id, set, &Precondition::Is(vec![1]), &x(), &no_answer).await.unwrap().version,
            2
        );
        let changes = history(&*store, &limit_id).await;
        assert_eq!(changes.iter().map(|it| it.kind).collect::<Vec<_>>(), [ChangeKind::Created, ChangeKind::Lowered]);
        assert_eq!(store.read_limits(&user_id).await.unwrap().len(), 1);
    }
}

/// A removal that is confirmed 62 days after its wait closes the limit so long ago that the same write drops it.
async fn a_confirmed_removal_is_one_also_if_its_answer_is_lost_and_the_limit_is_gone<S>(store: S)
where
    S: Store + LimitStore + AnswerStore + 'static,
{
    let (store, applies_at) = (Arc::new(store), Millis::new(NOW_MS).plus(-CLOSED_KEPT_MS));
    for seed in 0..20 {
        let (user_id, limit_id) = (format!("u-{seed}"), format!("l-{seed}"));
        let pending = PendingChange { value: None, requested_at: applies_at, applies_at, needs_confirmation: true };
        let waiting = OwnLimit { pending: Some(pending), ..limit(&limit_id, &user_id) };
        store.write(&write_of(&*store, &created(1, waiting, None)).await).await.unwrap();
        let lossy = lossy(&store, seed, 40);
        let confirm = ChangeRequest::Confirm;
        let confirmed =
            changer(&lossy).change(&limit_id, confirm, &Precondition::Unset, &x(), &no_answer).await.unwrap();
        assert_eq!(confirmed.limit.status, OwnLimitStatus::Canceled { at: applies_at });
        assert_eq!(store.read_limits(&user_id).await.unwrap(), []);
        assert_eq!(history(&*store, &limit_id).await.len(), 2);
    }
}

/// A model that applies requests and events one after the other.
#[derive(Default)]
struct Model {
    limit: Option<OwnLimit>,
    mark: Option<u64>,
}

#[tokio::test]
async fn requests_and_events_in_any_order_leave_what_the_model_has() {
    for seed in 0..300 {
        let (mut rng, store, mut model) = (Rng::with_seed(seed), Arc::new(MemoryStore::default()), Model::default());
        for _ in 0..30 {
            if rng.u8(0..3) == 0 {
                let (number, value) = (rng.u64(1..20), Cents::new(rng.u64(1..500)));
                let defined = OwnLimit { value, ..limit("l", "u") };
                applier(&store, rng.u64(..), 20).apply(&created(number, defined.clone(), None)).await.unwrap();
                if model.mark.is_none_or(|mark| number > mark) {
                    model = Model { limit: Some(defined), mark: Some(number) };
                }
                continue;
            }
            let request = match rng.u8(0..5) {
                0 => ChangeRequest::Remove,
                1 => ChangeRequest::Withdraw,
                2 => ChangeRequest::Confirm,
                _ => ChangeRequest::Set(Cents::new(rng.u64(1..500))),
            };
            let lossy = lossy(&store, rng.u64(..), 20);
            let changed = changer(&lossy).change("l", request, &Precondition::Unset, &x(), &no_answer).await;
            match model.limit.as_ref().map(|limit| limit.change(request, Millis::new(NOW_MS), RULE)) {
                None => assert!(matches!(changed, Err(LimitChangeError::Unknown)), "seed {seed}: {changed:?}"),
                Some(Err(error)) => {
                    let refused = matches!(&changed, Err(LimitChangeError::Refused(refused)) if *refused == error);
                    assert!(refused, "seed {seed}: {changed:?}");
                }
                Some(Ok(effect)) => {
                    if let ChangeEffect::Changed(limit) = effect {
                        model.limit = Some(*limit);
                    }
                    assert_eq!(Some(changed.unwrap().limit), model.limit, "seed {seed}");
                }
            }
        }
        let stored = store.read_limits("u").await.unwrap().pop().map(|it| it.known.limit);
        assert_eq!(stored, model.limit, "seed {seed}");
        assert_eq!(store.read_pointer("l").await.unwrap().and_then(|it| it.definition_mark), model.mark);
        assert_eq!(assert_one_history(&history(&*store, "l").await), model.limit);
    }
}
