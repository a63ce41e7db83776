//! The loop that settles one customer's deliveries: read, decide, commit, and pass on the stored outcomes. The queue
//! consumer and the replay through a store share it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::deciding::backoff::Backoff;
use crate::deciding::fence::check_age;
use crate::deciding::{
    Clock, Commit, Consistency, CorrelationRecord, Cost, Decider, Delivery, Group, GroupResult, Outcome, Plan, Planner,
    Remedy, Run, Sink, Snapshot, Stopped, Store, StoreError, Undecided, UndecidedReason, Units, consistency,
    judge_seen, remedy, write_log,
};
use crate::domain::Millis;

/// Maximum number of failed commits in a row, after which a customer's deliveries are left to a later delivery.
pub const COMMITS_MAX: u32 = 6;

/// Wait before the second try. Each further wait is twice as long, up to `WAIT_MAX`.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Maximum number of deliveries that are read and planned together: as many as one commit may take.
const PART_MAX: usize = 98;

/// Sink that collects all outcomes.
struct Collector(Vec<(Delivery, Outcome)>);

impl Sink for Collector {
    async fn take(&mut self, settled: Vec<(Delivery, Outcome)>) -> Result<(), Stopped> {
        self.0.extend(settled);
        Ok(())
    }
}

/// Progress of one customer's deliveries.
struct GroupProgress {
    waiting: VecDeque<Delivery>,
    run: Option<Run>,
    /// Result of the last read, if no step has used it yet.
    fresh: Option<Arc<Snapshot>>,
    /// Result of the last read.
    known: Option<Arc<Snapshot>>,
    /// True when records of the customer were found in the store.
    has_stored: bool,
    records: Consistency,
}

/// Reason why a step failed.
pub(super) enum Failure {
    Store(StoreError),
    Ended(Ended),
}

/// Reason why no further step helps.
pub(super) enum Ended {
    Deadline,
    Stopped,
    NoCommitLeft,
}

impl<S: Store, C: Clock> Decider<S, C> {
    /// Settles all deliveries of one customer, in order, as many as it can in one commit.
    ///
    /// `first` is the result of a read for all of them together, with the keys of [`Decider::lookup`], if there was one.
    ///
    /// # Errors
    /// [`Undecided`], with the first delivery that could not be settled, and all behind it.
    pub async fn decide_group(
        &self,
        group: Group,
        first: Option<Arc<Snapshot>>,
        sink: &mut impl Sink,
    ) -> Result<(), Box<Undecided>> {
        let mut work = GroupProgress::new(group, first);
        // The last failed commit is followed by one more read, because the commit may have succeeded all the same.
        let tries = Backoff::new(COMMITS_MAX + 1, FIRST_WAIT, WAIT_MAX);
        let (mut left, mut last_error) = (tries, None);
        while !work.waiting.is_empty() {
            match self.step(&mut work, !left.is_last(), sink).await {
                Ok(()) => left = tries,
                Err(Failure::Store(error)) => {
                    if remedy(&error) == Remedy::GiveUp || !left.again(&self.clock).await {
                        return Err(Box::new(work.unsettled(UndecidedReason::Store(error), self.clock.now())));
                    }
                    last_error = Some(error);
                }
                Err(Failure::Ended(ended)) => {
                    let reason = match (ended, last_error) {
                        (Ended::NoCommitLeft, Some(error)) => UndecidedReason::Store(error),
                        (Ended::Stopped, _) => UndecidedReason::Stopped,
                        (Ended::Deadline | Ended::NoCommitLeft, _) => UndecidedReason::Deadline,
                    };
                    return Err(Box::new(work.unsettled(reason, self.clock.now())));
                }
            }
        }
        Ok(())
    }

    /// Settles all deliveries of one customer, logs their decisions, and collects their outcomes.
    ///
    /// # Errors
    /// See [`Decider::decide_group`]. Where the log fails, no delivery is settled.
    pub async fn decide_all(&self, group: Group, first: Option<Arc<Snapshot>>) -> GroupResult {
        let mut settled = Collector(Vec::with_capacity(group.deliveries.len()));
        self.decide_group(group, first, &mut settled).await?;
        let records = settled.0.iter().filter_map(|(_, outcome)| outcome.record());
        let entries =
            if self.log.is_some() { records.filter_map(CorrelationRecord::log_entry).collect() } else { vec![] };
        match write_log(&self.store, &self.clock, entries).await {
            Ok(_) => Ok(settled.0),
            Err(error) => Err(Box::new(Undecided {
                deliveries: settled.0.into_iter().map(|(delivery, _)| delivery).collect(),
                stored: vec![],
                reason: UndecidedReason::Log(error),
            })),
        }
    }

    /// Reads, passes on the stored outcomes, decides the rest, commits it, and passes that on.
    async fn step(&self, work: &mut GroupProgress, may_commit: bool, sink: &mut impl Sink) -> Result<(), Failure> {
        let snapshot = self.read_next(work, sink).await?;
        let run = work.run.clone();
        let planner = Planner::new(&snapshot, work.has_stored, self.correlation_ttl, self.clock.now());
        let mut planner = planner.logged_under(run.as_ref());
        let part = work.part().len();
        let stored = planner.stored(work.part());
        let left = part - stored.len();
        work.has_stored = planner.has_stored();
        // Stored decisions wait for nothing that the others need.
        work.hand_over(stored, sink).await?;
        if left == 0 {
            return Ok(());
        }
        if !may_commit {
            return Err(Failure::Ended(Ended::NoCommitLeft));
        }
        // Deliveries behind this part were not among the keys of the read.
        let deliveries = work.first(left);
        let customer_id = deliveries.first().map(Delivery::customer_id).unwrap_or_default();
        let rules = self.rules(customer_id, &snapshot, sink).await?;
        let limits = rules.in_force();
        let instants: Vec<Millis> = deliveries.iter().map(|delivery| Millis::of(delivery.attempt.time)).collect();
        let (count, usage) = self.read_usage(customer_id, &instants, limits, &snapshot, sink).await?;
        let deliveries = deliveries.get(..count).unwrap_or(deliveries);
        let Plan { outcomes, has_stored, commit } = planner.decide(deliveries, limits, &rules.origin, usage)?;
        work.has_stored = has_stored;
        if let Some(commit) = commit {
            check_age(&commit, &snapshot, self.clock.now())?;
            self.commit(&commit, sink).await?;
        }
        work.hand_over(outcomes, sink).await
    }

    async fn read_next(&self, work: &mut GroupProgress, sink: &impl Sink) -> Result<Arc<Snapshot>, Failure> {
        let records = std::mem::replace(&mut work.records, Consistency::Strong);
        if let Some(snapshot) = work.fresh.take() {
            return Ok(snapshot);
        }
        may_begin(sink)?;
        let begun = self.clock.now();
        let read = self.read(work.part(), records).await;
        let units = read.as_ref().map_or(Units::default(), |snapshot| snapshot.units);
        sink.spent(Cost { units, read_time: since(begun, self.clock.now()), ..Cost::default() });
        let snapshot = Arc::new(read?);
        work.known = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    async fn commit(&self, commit: &Commit, sink: &impl Sink) -> Result<(), Failure> {
        may_begin(sink)?;
        let begun = self.clock.now();
        let committed = self.store.commit(commit).await;
        sink.spent(Cost {
            units: committed.as_ref().copied().unwrap_or_default(),
            conflicts: u64::from(matches!(committed, Err(StoreError::Conflict(_)))),
            commit_time: since(begun, self.clock.now()),
            ..Cost::default()
        });
        Ok(committed.map(drop)?)
    }
}

/// Returns an error when the deadline is near.
pub(super) fn may_begin(sink: &impl Sink) -> Result<(), Failure> {
    if sink.may_begin() { Ok(()) } else { Err(Failure::Ended(Ended::Deadline)) }
}

impl GroupProgress {
    fn new(group: Group, first: Option<Arc<Snapshot>>) -> GroupProgress {
        let records = consistency(&group.deliveries);
        GroupProgress {
            waiting: group.deliveries.into(),
            run: group.run,
            known: first.clone(),
            fresh: first,
            has_stored: false,
            records,
        }
    }

    /// Returns the deliveries that are read and planned together.
    fn part(&mut self) -> &[Delivery] {
        self.first(PART_MAX)
    }

    /// Returns the next deliveries, at most `count`.
    fn first(&mut self, count: usize) -> &[Delivery] {
        let waiting = self.waiting.make_contiguous();
        waiting.get(..count).unwrap_or(waiting)
    }

    /// Passes the outcomes of the next deliveries to the sink, if there are any.
    async fn hand_over(&mut self, outcomes: Vec<Outcome>, sink: &mut impl Sink) -> Result<(), Failure> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let settled = self.waiting.drain(..outcomes.len()).zip(outcomes).collect();
        sink.take(settled).await.map_err(|Stopped| Failure::Ended(Ended::Stopped))
    }

    /// Returns the remaining deliveries, with those of their records that are known to be stored.
    fn unsettled(self, reason: UndecidedReason, now: DateTime<Utc>) -> Undecided {
        let deliveries: Vec<Delivery> = self.waiting.into();
        let known = |delivery: &Delivery| self.known.as_ref()?.records.get(&delivery.event())?.as_ref().ok();
        let stored = |delivery: &Delivery| {
            let record = known(delivery).filter(|record| !record.is_expired(now))?;
            judge_seen(delivery, record).record().cloned()
        };
        let stored = deliveries.iter().filter_map(stored).collect();
        Undecided { deliveries, stored, reason }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

/// Returns the time since `begun`; zero if the clock was set back.
pub fn since(begun: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - begun).to_std().unwrap_or_default()
}
