//! Application of several events, customers in parallel.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt, stream};

use super::{Applied, ApplyError, LimitApplier, LimitStore};
use crate::deciding::Clock;
use crate::domain::LimitEvent;

/// Maximum number of customers whose events are applied at the same time.
pub const CUSTOMERS_IN_PARALLEL_MAX: usize = 16;

/// Events that are applied in order, each with its place in the batch.
type Group = Vec<(usize, LimitEvent)>;

/// Result of one event, with its place in the batch.
type Placed = (usize, Result<Applied, ApplyError>);

impl<S: LimitStore, C: Clock> LimitApplier<S, C> {
    /// Applies events, and returns their results in the same order. Events of one customer or one limit are applied in
    /// order, others in parallel. So the results do not depend on timing.
    ///
    /// An error of the store ends its customer's events: each later one has the same error.
    pub async fn apply_all(&self, events: Vec<LimitEvent>) -> Vec<Result<Applied, ApplyError>> {
        let groups = stream::iter(groups(events)).map(|group| self.apply_group(group));
        let mut results: Vec<Placed> =
            groups.buffer_unordered(CUSTOMERS_IN_PARALLEL_MAX).collect::<Vec<_>>().await.concat();
        results.sort_unstable_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    async fn apply_group(&self, group: Group) -> Vec<Placed> {
        let (mut results, mut failed) = (Vec::with_capacity(group.len()), None);
        for (place, event) in group {
            let result = match &failed {
                None => self.apply(&event).await,
                Some(error) => Err(ApplyError::Store(Clone::clone(error))),
            };
            if let Err(ApplyError::Store(error)) = &result {
                failed = Some(error.clone());
            }
            results.push((place, result));
        }
        results
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
