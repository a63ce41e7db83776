//! One round of read, decide, commit, for several customers at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::{Decider, Delivery, Outcome, Plan, plan};
use crate::app::{Clock, Consistency, Lookup, Snapshot, Store, StoreError, Units};

/// How long to wait before the second round; each further wait is twice as long. No jitter: those who conflict over one
/// customer are two at the most, a consumer whose visibility time-out has run out and its successor.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// One customer's deliveries, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
}

/// A customer whose round failed, with what was not settled.
#[derive(Clone, Debug)]
pub struct Troubled {
    /// What is left to settle.
    pub group: Group,
    /// Why.
    pub error: StoreError,
}

/// How a round ended.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// What has become of each delivery that was settled, customer by customer.
    pub settled: Vec<Vec<(Delivery, Outcome)>>,
    /// What was not reached: one commit could not take it, or it may not begin any more.
    pub rest: Vec<Group>,
    /// What failed.
    pub troubled: Vec<Troubled>,
    /// What it cost.
    pub units: Units,
    /// How long reading took.
    pub read_time: Duration,
    /// How long committing took.
    pub commit_time: Duration,
}

impl<S: Store, C: Clock> Decider<S, C> {
    /// Goes through one round. Customers are committed in parallel; `may_begin` is asked before each.
    pub async fn round(&self, groups: Vec<Group>, records: Consistency, may_begin: impl Fn() -> bool) -> Round {
        let begun = self.clock.now();
        let snapshot = match self.store.read(&lookup(&groups), records).await {
            Ok(snapshot) => snapshot,
            Err(error) => return Round::failed(groups, &error),
        };
        let read_time = since(begun, self.clock.now());
        let mut round = self.decide_and_commit(groups, &snapshot, may_begin).await;
        round.units += snapshot.units;
        round.read_time = read_time;
        round
    }

    /// The rest of a round, after its read.
    pub(super) async fn decide_and_commit(
        &self,
        groups: Vec<Group>,
        snapshot: &Snapshot,
        may_begin: impl Fn() -> bool,
    ) -> Round {
        let (begun, mut round) = (self.clock.now(), Round::default());
        let (now, later): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|_| may_begin());
        round.rest = later;
        let commits = join_all(now.into_iter().map(|group| self.settle(group, snapshot))).await;
        round.commit_time = since(begun, self.clock.now());
        for (settled, rest, units) in commits {
            round.units += units;
            round.settled.extend(Some(settled).filter(|settled| !settled.is_empty()));
            match rest {
                Rest::Nothing => {}
                Rest::More(group) => round.rest.push(group),
                Rest::Failed(troubled) => round.troubled.push(troubled),
            }
        }
        round
    }

    /// Settles what one commit takes of a customer's deliveries.
    async fn settle(&self, group: Group, snapshot: &Snapshot) -> (Vec<(Delivery, Outcome)>, Rest, Units) {
        let plan = plan(&self.limits, self.correlation_ttl, &group.deliveries, snapshot, self.clock.now());
        let Plan { outcomes, commit } = match plan {
            Ok(plan) => plan,
            Err(error) => return (vec![], Rest::Failed(Troubled { group, error }), Units::default()),
        };
        let units = match commit {
            None => Ok(Units::default()),
            Some(commit) => self.store.commit(&commit).await,
        };
        match units {
            Ok(units) => {
                let mut deliveries = group.deliveries.into_iter();
                let settled = deliveries.by_ref().take(outcomes.len()).zip(outcomes).collect();
                let rest = Group { deliveries: deliveries.collect() };
                (settled, if rest.deliveries.is_empty() { Rest::Nothing } else { Rest::More(rest) }, units)
            }
            Err(error) => (vec![], Rest::Failed(Troubled { group, error }), Units::default()),
        }
    }
}

/// Waits after so many rounds without success, before the next.
pub async fn wait_after(clock: &impl Clock, rounds: u32) {
    clock.sleep(FIRST_WAIT.saturating_mul(1 << rounds.saturating_sub(1).min(8))).await;
}

enum Rest {
    Nothing,
    More(Group),
    Failed(Troubled),
}

impl Round {
    fn failed(groups: Vec<Group>, error: &StoreError) -> Round {
        let troubled = groups.into_iter().map(|group| Troubled { group, error: error.clone() }).collect();
        Round { troubled, ..Round::default() }
    }
}

/// What has to be read before these groups can be decided.
pub fn lookup<'g>(groups: impl IntoIterator<Item = &'g Group>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in groups.into_iter().flat_map(|group| &group.deliveries) {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}

/// How long ago `begun` was, by a clock that may be set back.
pub fn since(begun: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - begun).to_std().unwrap_or_default()
}
