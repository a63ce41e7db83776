//! Application of several events, customers in parallel.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::select;
use futures_util::{StreamExt, stream};

use super::{Applied, ApplyError, LimitApplier, LimitStore};
use crate::deciding::{Clock, Remedy, remedy};
use crate::domain::LimitEvent;

/// Maximum number of customers whose events are applied at the same time.
pub const CUSTOMERS_IN_PARALLEL_MAX: usize = 16;

/// Events that are applied in order, each with its place in the batch.
type Group = Vec<(usize, LimitEvent)>;

/// Results of a batch, by place; `None` for an event that has none yet.
type Results = Mutex<Vec<Option<Result<Applied, ApplyError>>>>;

impl<S: LimitStore, C: Clock> LimitApplier<S, C> {
    /// Applies events, and returns their results in the same order. Events of one customer or one limit are applied in
    /// order, others in parallel. So the results do not depend on timing.
    ///
    /// An error of the store that retries have not mended ends its customer's events: each later one has the same error.
    pub async fn apply_all(&self, events: Vec<LimitEvent>) -> Vec<Result<Applied, ApplyError>> {
        // Nothing stops it, so that every event has a result.
        self.apply_until(events, pending()).await.into_iter().flatten().collect()
    }

    /// Applies events as [`LimitApplier::apply_all`] does, until `stop` is done. An event without a result was not
    /// reached, or was being applied at that moment: it can be applied again.
    pub async fn apply_until(
        &self,
        events: Vec<LimitEvent>,
        stop: impl Future<Output = ()>,
    ) -> Vec<Option<Result<Applied, ApplyError>>> {
        let results: Results = Mutex::new(events.iter().map(|_| None).collect());
        let work = stream::iter(groups(events)).for_each_concurrent(CUSTOMERS_IN_PARALLEL_MAX, async |group| {
            self.apply_group(group, &results).await;
        });
        select(pin!(work), pin!(stop)).await;
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn apply_group(&self, group: Group, results: &Results) {
        let mut failed = None;
        for (place, event) in group {
            let result = match &failed {
                None => self.apply(&event).await,
                Some(error) => Err(ApplyError::Store(Clone::clone(error))),
            };
            if let Err(ApplyError::Store(error)) = &result
                && remedy(error) == Remedy::TryAgain
            {
                failed = Some(error.clone());
            }
            if let Some(of_event) = results.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                *of_event = Some(result);
            }
        }
    }
}

/// Splits events into groups. Two events of one customer are in one group, and so are two of one limit: where customers
/// claim the same limit, the first event decides whose it is.
fn groups(events: Vec<LimitEvent>) -> impl Iterator<Item = Group> {
    let mut groups = BTreeMap::<usize, Group>::new();
    // The group of each customer and of each limit.
    let mut of_key = HashMap::<(bool, String), usize>::new();
    for (place, event) in events.into_iter().enumerate() {
        let ids = event.change.as_ref().map(|change| [(false, change.limit_id()), (true, change.user_id())]);
        let keys = ids.into_iter().flatten().map(|(is_user, id)| (is_user, id.to_owned()));
        let keys: Vec<_> = keys.collect();
        let known: Vec<usize> = keys.iter().filter_map(|key| of_key.get(key).copied()).collect();
        let into = known.iter().copied().min().unwrap_or(place);
        for merged in known.into_iter().filter(|group| *group != into) {
            of_key.values_mut().filter(|group| **group == merged).for_each(|group| *group = into);
            let moved = groups.remove(&merged).unwrap_or_default();
            groups.entry(into).or_default().extend(moved);
        }
        of_key.extend(keys.into_iter().map(|key| (key, into)));
        groups.entry(into).or_default().push((place, event));
    }
    groups.into_values().map(|mut group| {
        group.sort_unstable_by_key(|(place, _)| *place);
        group
    })
}
