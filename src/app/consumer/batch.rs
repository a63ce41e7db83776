//! One batch under way: which messages are settled, and the rounds that settle them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, join_all};

use super::{Consumer, Content, Deadline, Handled, Message, Report};
use crate::app::deciding::{Delivery, Group, Outcome, ROUNDS_MAX, Remedy, Round, Troubled, remedy, wait_after};
use crate::app::{Clock, Consistency, DeadLetter, Queues, Store, StoreError, with_sources};

/// A batch under way.
pub struct Batch<'c, S, Q, C> {
    pub consumer: &'c Consumer<S, Q, C>,
    deadline: Deadline,
    /// When it was begun, in whole milliseconds, as decisions are dated.
    pub begun: DateTime<Utc>,
    progress: Mutex<Progress>,
}

/// What is known of the batch at any moment: also when the deadline cuts it short.
#[derive(Default)]
struct Progress {
    unsettled: BTreeSet<u64>,
    report: Report,
}

/// Takes a batch apart: letters for the dead-letter queue, and each customer's deliveries in order.
pub fn sort(messages: Vec<Message>) -> (Vec<(u64, DeadLetter)>, Vec<Group>) {
    let (mut letters, mut groups) = (Vec::new(), BTreeMap::<String, Group>::new());
    for message in messages {
        match message.content {
            Content::Invalid(letter) => letters.push((message.place, *letter)),
            Content::Attempt(delivery) => groups.entry(message.group_id).or_default().deliveries.push(*delivery),
        }
    }
    (letters, groups.into_values().collect())
}

impl<'c, S: Store, Q: Queues, C: Clock> Batch<'c, S, Q, C> {
    pub fn new(consumer: &'c Consumer<S, Q, C>, messages: &[Message], deadline: Deadline) -> Self {
        let unsettled = messages.iter().map(|message| message.place).collect();
        let progress = Mutex::new(Progress { unsettled, report: Report::default() });
        let begun = consumer.decider.clock.now().trunc_subsecs(3);
        Batch { consumer, deadline, begun, progress }
    }

    /// What is to be reported. If the batch was cut short, that is told: nobody else does.
    pub fn end(self, is_cut_short: bool) -> Handled {
        let Progress { unsettled, mut report } = self.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.failed = unsettled.len() as u64;
        if is_cut_short {
            let error = "the deadline was reached before they were settled";
            tracing::error!(messages = unsettled.len(), error, "cut short; left for redelivery");
        }
        Handled { failed: unsettled.into_iter().collect(), report }
    }

    /// Nothing is left to do for a message.
    pub fn settle(&self, place: u64) {
        self.progress(|progress| progress.unsettled.remove(&place));
    }

    /// Adds to the report.
    pub fn note(&self, add: impl FnOnce(&mut Report)) {
        self.progress(|progress| add(&mut progress.report));
    }

    fn progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts invalid input in the dead-letter queue. It holds nobody up: it has no place in its customer's order.
    pub async fn reject(&self, letters: Vec<(u64, DeadLetter)>) {
        join_all(letters.into_iter().map(|(place, letter)| self.reject_one(place, letter))).await;
    }

    async fn reject_one(&self, place: u64, letter: DeadLetter) {
        let (code, reason) = (letter.error.code(), letter.error.to_string());
        match self.consumer.queues.dead_letter(&letter).await {
            Ok(()) => {
                tracing::warn!(message_id = letter.message_id, code, reason, "invalid: sent to the dead-letter queue");
                self.note(|report| report.invalid += 1);
                self.settle(place);
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

    /// Decides and publishes all groups.
    pub async fn decide(&self, groups: Vec<Group>) {
        if !groups.is_empty() {
            self.round(groups, Consistency::Eventual, 1).await;
        }
    }

    /// One round; then what it settled is published, while those in trouble go through further rounds.
    fn round(&self, groups: Vec<Group>, records: Consistency, rounds: u32) -> BoxFuture<'_, ()> {
        async move {
            if !self.may_begin() {
                return tell_failed(
                    groups.iter().flat_map(|group| &group.deliveries),
                    "the deadline is near",
                    NOT_DECIDED,
                );
            }
            let round = self.consumer.decider.round(groups, records, || self.may_begin()).await;
            self.note(|report| count(report, &round));
            let Round { settled, rest, troubled, .. } = round;
            join(self.publish_and_go_on(settled, rest), self.retry(troubled, rounds)).await;
        }
        .boxed()
    }

    /// Publishes, and goes on with what one commit could not take, unless its customer's earlier decisions are not out.
    async fn publish_and_go_on(&self, settled: Vec<Vec<(Delivery, Outcome)>>, mut rest: Vec<Group>) {
        let stopped = self.publish(settled).await;
        let is_stopped = |group: &Group| group.deliveries.iter().any(|next| stopped.contains(next.customer_id()));
        for group in rest.extract_if(.., |group| is_stopped(group)) {
            tell_failed(&group.deliveries, "an earlier decision of the customer is not published", NOT_DECIDED);
        }
        if !rest.is_empty() {
            self.round(rest, Consistency::Strong, 1).await;
        }
    }

    /// Goes through another round with those customers to whom that may help.
    async fn retry(&self, troubled: Vec<Troubled>, rounds: u32) {
        let mut again = Vec::new();
        for Troubled { group, error } in troubled {
            if rounds < ROUNDS_MAX && remedy(&error) == Remedy::AnotherRound {
                again.push(group);
            } else {
                tell_failed(&group.deliveries, &with_sources(&error), NOT_DECIDED);
            }
        }
        if !again.is_empty() {
            wait_after(&self.consumer.decider.clock, rounds).await;
            self.round(again, Consistency::Strong, rounds + 1).await;
        }
    }

    fn may_begin(&self) -> bool {
        self.consumer.decider.clock.now() < self.deadline.begin_until
    }
}

fn count(report: &mut Report, round: &Round) {
    let is_conflict = |troubled: &&Troubled| matches!(troubled.error, StoreError::Conflict(_));
    report.conflicts += round.troubled.iter().filter(is_conflict).count() as u64;
    report.units += round.units;
    report.read_time += round.read_time;
    report.commit_time += round.commit_time;
}

const NOT_DECIDED: &str = "not decided";

/// Says which messages are left for redelivery, and why: once, where they are given up.
pub fn tell_failed<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>, error: &str, what: &str) {
    let ids: Vec<&str> = deliveries.into_iter().map(|delivery| delivery.carrier.message_id.as_str()).collect();
    tracing::error!(message_id = ids.join(","), error, "{what}; left for redelivery");
}
