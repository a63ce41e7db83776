//! Progress of one batch: its unsettled messages, and its report.

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::FutureExt;
use futures_util::future::{Either, join_all, join3, select};

use crate::deciding::consumer::group::GroupPublisher;
use crate::deciding::consumer::requests::SHARED_WAIT_MAX;
use crate::deciding::consumer::targets::{DecisionsQueue, Log};
use crate::deciding::consumer::{BatchReport, Consumer, Deadline, Handled, requests};
use crate::deciding::{
    Clock, Cost, DeadLetter, Delivery, Group, Message, MessageContent, Outcome, Publisher, Run, Snapshot, Store,
    consistency, since, with_sources,
};

/// A batch in progress.
pub struct Batch<'c, S, Q, C> {
    consumer: &'c Consumer<S, Q, C>,
    deadline: Deadline,
    /// The instant at which the batch began, in whole milliseconds, the precision of a decision's date.
    begun: DateTime<Utc>,
    progress: Mutex<Progress>,
}

/// Current progress of the batch. It is valid at any moment, so that a batch can end at its deadline.
#[derive(Default)]
struct Progress {
    /// Unsettled messages, by their indexes in the batch.
    unsettled: BTreeMap<u64, Unsettled>,
    report: BatchReport,
    /// Time spent on each group, by the group's number.
    times: BTreeMap<usize, Times>,
}

/// Progress of a message. It is settled once it is both published and logged, as far as it needs to be.
#[derive(Clone, Copy)]
struct Unsettled {
    /// The instant at which it was sent.
    sent_at: Option<DateTime<Utc>>,
    is_published: bool,
    is_logged: bool,
}

#[derive(Clone, Copy, Default)]
struct Times {
    read: Duration,
    commit: Duration,
    publish: Duration,
}

/// Sorts a batch into dead letters and, for each customer, a group of deliveries in order. New decisions are logged under
/// the run, if there is one.
pub fn sort(messages: Vec<Message>, run: Option<&Run>) -> (Vec<(u64, DeadLetter)>, Vec<Group>) {
    let group = || Group { run: run.cloned(), ..Group::default() };
    let (mut letters, mut groups) = (Vec::new(), BTreeMap::<String, Group>::new());
    for (index, message) in (0..).zip(messages) {
        match message.content {
            MessageContent::Invalid(letter) => letters.push((index, *letter)),
            MessageContent::Attempt(delivery) => {
                groups.entry(message.group_id).or_insert_with(group).deliveries.push(*delivery);
            }
            MessageContent::Ungrouped { message_id } => log_ungrouped(&message_id),
        }
    }
    (letters, groups.into_values().collect())
}

fn log_ungrouped(message_id: &str) {
    let error = "the message has no MessageGroupId: its queue is not FIFO; connect a FIFO queue, grouped by customer";
    tracing::error!(message_id, error, "not decided; left for redelivery");
}

impl<'c, S: Store, Q: Publisher, C: Clock> Batch<'c, S, Q, C> {
    pub fn new(consumer: &'c Consumer<S, Q, C>, messages: &[Message], deadline: Deadline, run: Option<&Run>) -> Self {
        let unsettled =
            |message: &Message| Unsettled { sent_at: message.sent_at, is_published: false, is_logged: false };
        let unsettled = (0..).zip(messages.iter().map(unsettled)).collect();
        let report = BatchReport { run_id: run.map(|run| run.id.clone()), ..BatchReport::default() };
        let progress = Mutex::new(Progress { unsettled, report, ..Progress::default() });
        let begun = consumer.decider.clock.now().trunc_subsecs(3);
        Batch { consumer, deadline, begun, progress }
    }

    /// Ends the batch and returns its result. Logs the cutoff, because no caller does.
    pub fn end(self, is_cut_short: bool) -> Handled {
        let now = self.now();
        let Progress { unsettled, mut report, times } =
            self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.count_failed(unsettled.values().map(|message| message.sent_at), now);
        let longest = |time: fn(&Times) -> Duration| times.values().map(time).max().unwrap_or_default();
        report.read_time += longest(|times| times.read);
        report.commit_time = longest(|times| times.commit);
        report.publish_time = longest(|times| times.publish);
        if is_cut_short {
            let error = "the deadline was reached before they were settled";
            tracing::error!(messages = unsettled.len(), error, "cut short; left for redelivery");
        }
        Handled { failed: unsettled.into_keys().collect(), report }
    }

    pub fn store(&self) -> &S {
        &self.consumer.decider.store
    }

    pub fn clock(&self) -> &C {
        &self.consumer.decider.clock
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock().now()
    }

    /// Returns true while another request may begin.
    pub fn may_begin(&self) -> bool {
        self.now() < self.deadline.begin_until
    }

    /// Notes that a message's decision is published, or need not be: counts its outcome. Settles it if it is logged.
    pub fn note_published(&self, index: u64, outcome: &Outcome) {
        self.progress(|progress| {
            progress.report.count(outcome, self.begun);
            progress.advance(index, |message| message.is_published = true);
        });
    }

    /// Notes that a message's decision is logged, or need not be. Settles it if it is published.
    pub fn note_logged(&self, index: u64) {
        self.progress(|progress| progress.advance(index, |message| message.is_logged = true));
    }

    /// Updates the report.
    pub fn note(&self, add: impl FnOnce(&mut BatchReport)) {
        self.progress(|progress| add(&mut progress.report));
    }

    /// Adds the cost of one step of a group.
    pub fn note_cost(&self, group: usize, cost: Cost) {
        self.progress(|progress| {
            progress.report.units += cost.units;
            progress.report.conflicts += cost.conflicts;
            let times = progress.times.entry(group).or_default();
            times.read += cost.read_time;
            times.commit += cost.commit_time;
        });
    }

    pub fn note_publish_time(&self, group: usize, time: Duration) {
        self.progress(|progress| progress.times.entry(group).or_default().publish += time);
    }

    fn progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts invalid messages in the dead-letter queue. They have no place in their customer's order, so no other
    /// message waits for them.
    pub async fn reject(&self, letters: Vec<(u64, DeadLetter)>) {
        join_all(letters.into_iter().map(|(index, letter)| self.reject_one(index, letter))).await;
    }

    async fn reject_one(&self, index: u64, letter: DeadLetter) {
        let (code, reason) = (letter.error.code(), letter.error.to_string());
        match self.consumer.publisher.dead_letter(&letter).await {
            Ok(()) => {
                tracing::warn!(message_id = letter.message_id, code, reason, "invalid: sent to the dead-letter queue");
                self.progress(|progress| {
                    progress.report.invalid += 1;
                    progress.unsettled.remove(&index);
                });
            }
            Err(error) => {
                let error = with_sources(&error);
                tracing::error!(
                    message_id = letter.message_id,
                    code,
                    error,
                    "invalid, and not sent; left for redelivery"
                );
            }
        }
    }

    /// Decides, publishes and logs all groups. The groups share only their first read, and their requests to the
    /// decisions queue and to the decision log. All of these have a short time-out.
    pub async fn decide(&self, groups: Vec<Group>) {
        let first = self.read_together(&groups).await;
        let queue = DecisionsQueue(&self.consumer.publisher);
        let (publishers, publishing) = requests::open(queue, self.clock(), groups.len());
        let (logs, logging) = requests::open(Log(self), self.clock(), groups.len());
        let has_log = self.consumer.decider.log.is_some();
        let publisher =
            |(number, (queue, log))| GroupPublisher { batch: self, number, queue, log: Some(log).filter(|_| has_log) };
        let publishers = publishers.into_iter().zip(logs).enumerate().map(publisher);
        let groups = groups.into_iter().zip(publishers);
        let groups = groups.map(|(group, publisher)| self.decide_group(group, publisher, first.clone()));
        join3(join_all(groups), publishing.run(), logging.run()).await;
    }

    /// Reads for all groups at once. Returns `None` when the read fails or takes too long. Then each group reads for
    /// itself.
    async fn read_together(&self, groups: &[Group]) -> Option<Arc<Snapshot>> {
        if groups.len() < 2 || !self.may_begin() {
            return None;
        }
        let begun = self.now();
        let deliveries = || groups.iter().flat_map(|group| &group.deliveries);
        let read = pin!(self.consumer.decider.read(deliveries(), consistency(deliveries())));
        let snapshot = match select(read, pin!(self.clock().sleep(SHARED_WAIT_MAX))).await {
            Either::Left((read, _)) => read.ok(),
            Either::Right(_) => None,
        };
        self.note(|report| {
            report.read_time = since(begun, self.now());
            report.units += snapshot.as_ref().map(|snapshot| snapshot.units).unwrap_or_default();
        });
        snapshot.map(Arc::new)
    }

    /// Decides, publishes and logs one group. A failure, even a panic, affects no other group.
    async fn decide_group(
        &self,
        group: Group,
        mut publisher: GroupPublisher<'_, 'c, S, Q, C>,
        first: Option<Arc<Snapshot>>,
    ) {
        let messages = group.deliveries.len();
        let decided = async {
            if let Err(unsettled) = self.consumer.decider.decide_group(group, first, &mut publisher).await {
                publisher.leave(*unsettled).await;
            }
        };
        if AssertUnwindSafe(decided).catch_unwind().await.is_err() {
            tracing::error!(messages, "a customer's work has panicked; left for redelivery");
        }
    }
}

impl Progress {
    /// Advances an unsettled message. Settles it if nothing is left to do for it.
    fn advance(&mut self, index: u64, step: impl FnOnce(&mut Unsettled)) {
        let Some(message) = self.unsettled.get_mut(&index) else { return };
        step(message);
        if message.is_published && message.is_logged {
            self.unsettled.remove(&index);
        }
    }
}

/// Logs the ids of messages that are left for redelivery, and the reason. Each failure is logged once, where it is
/// handled.
pub fn log_failed<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>, what: &str, error: &dyn Error) {
    let ids: Vec<&str> = deliveries.into_iter().map(|delivery| delivery.source.message_id.as_str()).collect();
    tracing::error!(message_id = ids.join(","), error = with_sources(error), "{what}; left for redelivery");
}
