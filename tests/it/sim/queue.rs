//! The queues: FIFO, with all that SQS does to a message.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::sqs::deduplication_id;
use loadgate::app::{Cause, DeadLetter, QueueError, Queues};
use loadgate::domain::StoredDecision;
use loadgate::wire::decision_message;

use super::world::{Sabotage, World};

/// For how long the decisions queue drops a second message with the same deduplication id.
const DEDUPLICATION: TimeDelta = TimeDelta::minutes(5);

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub deduplication_id: String,
    pub group: String,
    pub body: String,
    pub receive_count: u32,
    pub visible_at: DateTime<Utc>,
    /// Which delivery it is: what an older one holds deletes nothing.
    pub receipt: u64,
}

/// The input queue and its dead-letter queue.
pub struct InputQueue {
    pub messages: Vec<Message>,
    pub dead: Vec<Message>,
    /// What consumers have put in the dead-letter queue, by its message id: as SQS would, a second one is dropped.
    pub letters: Vec<DeadLetter>,
    receive_max: u32,
    /// How long a received message is invisible. It may be shorter than an invocation, so that some outlive it.
    visibility: TimeDelta,
    /// Whether a redrive keeps the deduplication id that the move into the dead-letter queue has made.
    pub redrive_keeps_id: bool,
    /// How many messages have been moved to the dead-letter queue since somebody asked.
    pub moved: u64,
    receipts: u64,
    ids: u64,
    /// Customers of whom a message has lost its place by way of the dead-letter queue.
    pub disordered: BTreeSet<String>,
}

impl InputQueue {
    pub fn new(receive_max: u32, visibility: TimeDelta, redrive_keeps_id: bool) -> InputQueue {
        InputQueue {
            messages: vec![],
            dead: vec![],
            letters: vec![],
            receive_max,
            visibility,
            redrive_keeps_id,
            moved: 0,
            receipts: 0,
            ids: 0,
            disordered: BTreeSet::new(),
        }
    }

    pub fn send(&mut self, group: String, body: String, now: DateTime<Utc>) {
        let id = self.next_id();
        let deduplication_id = format!("producer's {id}");
        let message = Message { id, deduplication_id, group, body, receive_count: 0, visible_at: now, receipt: 0 };
        self.messages.push(message);
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("message {}", self.ids)
    }

    /// Up to ten messages, each group's in order; none of a group of which one is invisible.
    pub fn receive(&mut self, now: DateTime<Utc>) -> Vec<Message> {
        let invisible = self.messages.iter().filter(|message| message.visible_at > now);
        let locked: BTreeSet<String> = invisible.map(|message| message.group.clone()).collect();
        let (mut received, mut kept) = (Vec::new(), Vec::new());
        for mut message in std::mem::take(&mut self.messages) {
            if received.len() < 10 && !locked.contains(&message.group) {
                if message.receive_count >= self.receive_max {
                    self.disordered.insert(message.group.clone());
                    // As SQS does.
                    message.deduplication_id.clone_from(&message.id);
                    self.dead.push(message);
                    self.moved += 1;
                    continue;
                }
                self.receipts += 1;
                message.receive_count += 1;
                message.visible_at = now + self.visibility;
                message.receipt = self.receipts;
                received.push(message.clone());
            }
            kept.push(message);
        }
        self.messages = kept;
        received
    }

    /// Deletes a message, unless it has been received again since. Says whether it has.
    pub fn delete(&mut self, id: &str, receipt: u64) -> bool {
        let before = self.messages.len();
        self.messages.retain(|message| message.id != id || message.receipt != receipt);
        self.messages.len() < before
    }

    /// Moves everything back from the dead-letter queue, under new ids.
    pub fn redrive(&mut self, now: DateTime<Utc>) -> u64 {
        let dead = std::mem::take(&mut self.dead);
        let count = dead.len() as u64;
        for message in dead {
            let id = self.next_id();
            let deduplication_id =
                if self.redrive_keeps_id { message.deduplication_id } else { format!("redrive's {id}") };
            let redriven = Message { id, deduplication_id, receive_count: 0, visible_at: now, receipt: 0, ..message };
            self.messages.push(redriven);
        }
        count
    }
}

/// The decisions queue.
#[derive(Default)]
pub struct DecisionsQueue {
    /// What it has taken: when, under which deduplication id, which decision, in which bytes.
    pub taken: Vec<(DateTime<Utc>, String, StoredDecision, String)>,
    /// What was offered to it altogether.
    pub offers: u64,
}

impl DecisionsQueue {
    fn take(&mut self, decision: &StoredDecision, now: DateTime<Utc>) {
        let id = deduplication_id(&decision.key);
        let is_known = |(taken_at, taken, ..): &&(DateTime<Utc>, String, StoredDecision, String)| {
            *taken == id && now - *taken_at < DEDUPLICATION
        };
        if self.taken.iter().find(is_known).is_none() {
            self.taken.push((now, id, decision.clone(), decision_message(decision)));
        }
    }
}

/// The queues as a consumer sees them.
#[derive(Clone)]
pub struct SimQueues(pub Arc<World>);

impl Queues for SimQueues {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        let customers: BTreeSet<&str> = decisions.iter().map(|decision| decision.key.customer_id.as_str()).collect();
        assert!(decisions.len() <= 10 && customers.len() == decisions.len(), "{decisions:?}");
        self.0.delay().await;
        let mut state = self.0.state();
        let (now, refused_whole) = (state.now(), state.chances.refused_whole);
        let is_refused_whole = state.happens(refused_whole);
        let is_answer_lost = is_refused_whole && state.rng.bool();
        let mut answers = Vec::new();
        for decision in decisions {
            let refused = state.chances.refused;
            let is_refused = state.happens(refused) || (is_refused_whole && !is_answer_lost);
            state.decisions.offers += 1;
            state.count("refused", u64::from(is_refused || is_answer_lost));
            if !is_refused {
                state.decisions.take(decision, now);
            }
            answers.push(if is_refused || is_answer_lost { Err(refusal(&mut state.rng)) } else { Ok(()) });
        }
        if state.sabotage == Sabotage::NoStop {
            answers = vec![Ok(()); answers.len()];
        }
        answers
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        self.0.delay().await;
        let mut state = self.0.state();
        let refused = state.chances.refused;
        if state.happens(refused) {
            return Err(refusal(&mut state.rng));
        }
        if state.input.letters.iter().all(|known| known.message_id != letter.message_id) {
            state.input.letters.push(letter.clone());
        }
        Ok(())
    }
}

fn refusal(rng: &mut fastrand::Rng) -> QueueError {
    QueueError { cause: Cause::new("refused"), is_retryable: rng.bool() }
}
