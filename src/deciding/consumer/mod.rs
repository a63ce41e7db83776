//! A batch of messages from a queue: invalid ones to the dead-letter queue, the others decided, committed, published.
//!
//! Customers go in parallel, each in its own order. They share their first read and their requests to the decisions
//! queue; a shared request without an answer is soon repeated for each customer alone, so that no customer waits long
//! for another's requests, and none fails for them.
//!
//! A message is *settled* when nothing is left to do for it. Whatever is not settled when the batch ends, for whatever
//! reason, is reported as failed and will be delivered again: nothing is taken for done by default.

mod batch;
mod group;
mod report;
mod requests;

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, join, select};

use crate::deciding::consumer::batch::Batch;
pub use crate::deciding::consumer::report::BatchReport;
use crate::deciding::{Clock, DeadLetter, Publisher, Store};
use crate::deciding::{Decider, Delivery};

/// Longest time that before the deadline no customer is begun any more: what a commit and its publishing may take. With
/// less time in all, a third of it.
const BEGIN_RESERVE: TimeDelta = TimeDelta::seconds(10);

/// Time that before the deadline the answer is given, whatever is still under way. With less time in all, a tenth of
/// it.
const ANSWER_RESERVE: TimeDelta = TimeDelta::milliseconds(500);

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its customer, in whose order it is settled.
    pub group_id: String,
    /// Instant at which it was sent, if known.
    pub sent_at: Option<DateTime<Utc>>,
    /// Contents of the message.
    pub content: MessageContent,
}

/// Contents of a message.
#[derive(Clone, Debug)]
pub enum MessageContent {
    /// A valid load attempt.
    Attempt(Box<Delivery>),
    /// Anything else.
    Invalid(Box<DeadLetter>),
    /// A message without a group, which no FIFO queue sends: it has no place in any customer's order.
    Ungrouped {
        /// The message's id.
        message_id: String,
    },
}

/// Deadline of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// From when on no customer is begun.
    pub begin_until: DateTime<Utc>,
    /// Instant of the response.
    pub answer_by: DateTime<Utc>,
}

impl Deadline {
    /// The deadline of an invocation that is killed at `end`.
    pub fn before(end: DateTime<Utc>, now: DateTime<Utc>) -> Deadline {
        let left = (end - now).max(TimeDelta::zero());
        Deadline { begin_until: end - BEGIN_RESERVE.min(left / 3), answer_by: end - ANSWER_RESERVE.min(left / 10) }
    }
}

/// Result of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// The places of the messages that have to be delivered again, in order.
    pub failed: Vec<u64>,
    /// Counts, costs and times of the batch.
    pub report: BatchReport,
}

/// Consumes batches of messages.
#[derive(Clone, Debug)]
pub struct Consumer<S, Q, C> {
    /// Decides attempts.
    pub decider: Decider<S, C>,
    /// Publishes decisions and dead letters.
    pub publisher: Q,
}

impl<S: Store, Q: Publisher, C: Clock> Consumer<S, Q, C> {
    /// Settles as many of the messages as it can until the deadline. Groups go in parallel, each in its own order.
    pub async fn handle(&self, messages: Vec<Message>, deadline: Deadline) -> Handled {
        let batch = Batch::new(self, &messages, deadline);
        let (letters, groups) = batch::sort(messages);
        let work = join(batch.reject(letters), batch.decide(groups));
        let time_left = (deadline.answer_by - self.decider.clock.now()).to_std().unwrap_or(Duration::ZERO);
        let is_cut_short = match select(pin!(work), pin!(self.decider.clock.sleep(time_left))).await {
            Either::Left(_) => false,
            Either::Right(_) => true,
        };
        batch.end(is_cut_short)
    }
}
