//! Processing of a batch of queue messages. Invalid messages go to the dead-letter queue; the others are decided,
//! committed, published, and written to the decision log where there is one.
//!
//! Customers are processed in parallel, and the messages of one customer in order. Customers share their first read
//! and their requests to the decisions queue and to the log. A shared request without an answer is soon repeated for each customer
//! alone. So no customer waits long for another's request, and no customer's failure fails another.
//!
//! A message is *settled* when nothing is left to do for it. A message that is not settled when the batch ends, for
//! whatever reason, is reported as failed, and the queue delivers it again.

mod batch;
mod group;
mod report;
mod requests;
mod targets;

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, join, select};

use crate::deciding::consumer::batch::Batch;
pub use crate::deciding::consumer::report::BatchReport;
use crate::deciding::{Clock, Decider, Message, Publisher, Store};

/// Time before the deadline from which no customer is begun: the time that a commit and its publishing may take. If
/// less than three times as much is left in all, it is a third of what is left.
const BEGIN_RESERVE: TimeDelta = TimeDelta::seconds(10);

/// Time before the deadline at which the batch answers, whatever is still in progress. If less than ten times as much
/// is left in all, it is a tenth of what is left.
const ANSWER_RESERVE: TimeDelta = TimeDelta::milliseconds(500);

/// Instants by which a batch must stop beginning work, and by which it must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The instant from which no customer is begun.
    pub begin_until: DateTime<Utc>,
    /// The instant at which the batch answers.
    pub answer_by: DateTime<Utc>,
}

impl Deadline {
    /// Returns the deadline of an invocation that is killed at `end`.
    pub fn before(end: DateTime<Utc>, now: DateTime<Utc>) -> Deadline {
        let left = (end - now).max(TimeDelta::zero());
        Deadline { begin_until: end - BEGIN_RESERVE.min(left / 3), answer_by: end - ANSWER_RESERVE.min(left / 10) }
    }
}

/// Result of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// The indexes of the messages that must be delivered again, in order.
    pub failed: Vec<u64>,
    /// Counts, costs and times of the batch.
    pub report: BatchReport,
}

/// Consumes batches of messages.
#[derive(Clone, Debug)]
pub struct Consumer<S, Q, C> {
    /// Decides the messages.
    pub decider: Decider<S, C>,
    /// Publishes decisions and dead letters.
    pub publisher: Q,
}

impl<S: Store, Q: Publisher, C: Clock> Consumer<S, Q, C> {
    /// Settles as many of the messages as possible until the deadline. Groups are processed in parallel, each in its
    /// own order.
    pub async fn handle(&self, messages: Vec<Message>, deadline: Deadline) -> Handled {
        let run = self.decider.new_run();
        if let Some(run) = &run {
            tracing::Span::current().record("run_id", &run.id);
        }
        let batch = Batch::new(self, &messages, deadline, run.as_ref());
        let (letters, groups) = batch::sort(messages, run.as_ref());
        let work = join(batch.reject(letters), batch.decide(groups));
        let time_left = (deadline.answer_by - self.decider.clock.now()).to_std().unwrap_or(Duration::ZERO);
        let is_cut_short = match select(pin!(work), pin!(self.decider.clock.sleep(time_left))).await {
            Either::Left(_) => false,
            Either::Right(_) => true,
        };
        batch.end(is_cut_short)
    }
}
