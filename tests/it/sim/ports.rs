//! Queues as the consumers see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::sqs::deduplication_id;
use loadgate::deciding::{
    Attribute, Cause, CorrelationRecord, DeadLetter, Outgoing, Publisher, QueueError, Receipt, Received, Receiver,
    Sender,
};
use loadgate::domain::StoredDecision;
use loadgate::wire::decision_message;

use super::consumers::Invocation;
use super::queue::{DEDUPLICATION, Message, NewMessage};
use super::sabotage::Sabotage;
use super::simulation::{Chance, Simulation, State};

/// A message that the decisions queue has stored.
#[derive(Clone, Debug)]
pub struct Publication {
    pub at: DateTime<Utc>,
    pub deduplication_id: String,
    pub body: String,
}

/// The decisions queue.
#[derive(Default)]
pub struct DecisionsQueue {
    pub stored: Vec<Publication>,
    /// Number of messages that were offered to it, stored or not.
    pub offers: u64,
}

impl DecisionsQueue {
    /// Returns true if the queue has ever stored the decision.
    pub fn has_stored(&self, decision: &StoredDecision) -> bool {
        let body = decision_message(decision);
        self.stored.iter().any(|stored| stored.body == body)
    }

    fn add(&mut self, decision: &StoredDecision, at: DateTime<Utc>) {
        let deduplication_id = deduplication_id(&decision.key);
        let is_recent =
            |known: &&Publication| known.deduplication_id == deduplication_id && at - known.at < DEDUPLICATION;
        if self.stored.iter().rev().find(is_recent).is_none() {
            self.stored.push(Publication { at, deduplication_id, body: decision_message(decision) });
        }
    }
}

/// Publisher of decisions and dead letters.
#[derive(Clone)]
pub struct SimPublisher {
    pub simulation: Arc<Simulation>,
    /// Actor that publishes.
    pub actor: String,
    /// Invocation that publishes, if it is known.
    pub invocation: Option<Arc<Invocation>>,
}

impl Publisher for SimPublisher {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        let customers: BTreeSet<&str> = decisions.iter().map(|decision| decision.key.customer_id.as_str()).collect();
        assert!(decisions.len() <= 10 && customers.len() == decisions.len(), "{decisions:?}");
        let customers: Vec<&str> = customers.into_iter().collect();
        let mut rng = self.simulation.state().draw(&self.actor, &format!("publish {}", customers.join(",")));
        if self.simulation.state().sabotage == Sabotage::ImpatientPublishing {
            for decision in decisions {
                self.publish_later((*decision).clone());
            }
            return vec![Ok(()); decisions.len()];
        }
        let is_hanging = self.simulation.hangs(&mut rng, &customers).await;
        self.simulation.delay(&mut rng).await;
        let mut state = self.simulation.state();
        let refused_whole = state.chances.refused_whole;
        let is_refused_whole = state.happens(&mut rng, refused_whole) || is_hanging;
        let is_answer_lost = is_refused_whole && rng.bool();
        let mut answers = Vec::new();
        for decision in decisions {
            let refused = state.chances.refused;
            let is_refused = state.happens(&mut rng, refused) || (is_refused_whole && !is_answer_lost);
            self.check_cause(&mut state, decision);
            if let Some(invocation) = &self.invocation {
                invocation.note_handled(&decision.key);
            }
            state.decisions.offers += 1;
            state.trace(|| format!("published: {decision:?}, refused {is_refused}, lost {is_answer_lost}"));
            state.count("refused", u64::from(is_refused || is_answer_lost));
            if !is_refused {
                let now = state.now();
                state.decisions.add(decision, now);
            }
            answers.push(if is_refused || is_answer_lost { Err(refusal(&mut rng)) } else { Ok(()) });
        }
        if state.sabotage == Sabotage::NoStop {
            answers = vec![Ok(()); answers.len()];
        }
        answers
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        let mut rng = self.simulation.state().draw(&self.actor, &format!("dead letter {}", letter.message_id));
        self.simulation.delay(&mut rng).await;
        let mut state = self.simulation.state();
        let (refused, now) = (state.chances.refused, state.now());
        let is_refused = state.happens(&mut rng, refused);
        if is_refused && rng.bool() {
            return Err(refusal(&mut rng));
        }
        let (deduplication_id, group) = (letter.own_group_id().to_owned(), letter.own_group_id().to_owned());
        let (code, attributes) = (Some(letter.error.code().to_owned()), letter.attributes());
        state.dead.send(NewMessage { deduplication_id, group, body: letter.body.clone(), code, attributes }, now);
        if is_refused { Err(refusal(&mut rng)) } else { Ok(()) }
    }
}

impl SimPublisher {
    /// Checks that a decision is published for the message that brought its event, or because its record was pending.
    /// A duplicate is no cause.
    fn check_cause(&self, state: &mut State, decision: &StoredDecision) {
        let Some(invocation) = &self.invocation else { return };
        let owners = &invocation.owners;
        let is_its_own = |record: &&CorrelationRecord| record.decision == *decision;
        let brought_by = state.tables.committed().filter(is_its_own).last().map(|record| record.message_id.clone());
        let was_pending = state.tables.pending.contains_key(&decision.key);
        if !was_pending && !brought_by.as_ref().is_some_and(|message_id| owners.contains(message_id)) {
            state.violation(format!("{:?}, of {brought_by:?}, was published for one of {owners:?}", decision.key));
        }
    }

    /// Publishes as if several decisions of a customer shared a request, and refused ones were offered again. Refused
    /// decisions lose their order.
    fn publish_later(&self, decision: StoredDecision) {
        let simulation = Arc::clone(&self.simulation);
        let mut rng = simulation.state().draw(&self.actor, &format!("publish later {}", decision.key.customer_id));
        tokio::spawn(async move {
            loop {
                simulation.delay(&mut rng).await;
                let mut state = simulation.state();
                let (refused, now) = (state.chances.refused, state.now());
                if !state.happens(&mut rng, refused) {
                    state.decisions.offers += 1;
                    state.decisions.add(&decision, now);
                    return;
                }
                state.count("refused", 1);
            }
        });
    }
}

fn refusal(rng: &mut Chance) -> QueueError {
    QueueError { cause: Cause::new("refused"), is_retryable: rng.bool() }
}

/// Interval at which a waiting receive checks the queue for visible messages.
const POLL: Duration = Duration::from_secs(3);

/// Queue from which messages are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Input,
    DeadLetters,
}

/// Receiver of one queue.
#[derive(Clone)]
pub struct SimReceiver {
    pub simulation: Arc<Simulation>,
    /// Actor that receives.
    pub actor: String,
    pub source: Source,
}

impl SimReceiver {
    /// Sends a request to the queue and returns its answer. The request or its answer may be lost.
    async fn ask<T: Default>(
        &self,
        purpose: &str,
        effect: impl FnOnce(&mut State, &mut Chance) -> T,
    ) -> Result<T, QueueError> {
        let mut rng = self.simulation.state().draw(&self.actor, &format!("{purpose} {:?}", self.source));
        self.simulation.delay(&mut rng).await;
        let answer = {
            let mut state = self.simulation.state();
            let (lost_before, lost_after) = (state.chances.lost_before, state.chances.lost_after);
            if state.happens(&mut rng, lost_before) {
                return Err(refusal(&mut rng));
            }
            let answer = effect(&mut state, &mut rng);
            if state.happens(&mut rng, lost_after) { Err(refusal(&mut rng)) } else { Ok(answer) }
        };
        self.simulation.delay(&mut rng).await;
        answer
    }

    /// Sends a request for several messages. Each of them may fail alone.
    async fn ask_for_each(
        &self,
        purpose: &str,
        receipts: &[Receipt],
        mut effect: impl FnMut(&mut State, u64) -> bool,
    ) -> Vec<Result<(), QueueError>> {
        let each = |state: &mut State, rng: &mut Chance| {
            let one = |receipt: &Receipt| {
                let refused = state.chances.refused;
                let is_refused = state.happens(rng, refused) || !effect(state, receipt.0.parse().unwrap());
                if is_refused { Err(refusal(rng)) } else { Ok(()) }
            };
            receipts.iter().map(one).collect::<Vec<_>>()
        };
        match self.ask(purpose, each).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); receipts.len()],
        }
    }
}

impl Receiver for SimReceiver {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Received>, QueueError> {
        let visibility = visibility.map(|visibility| TimeDelta::from_std(visibility).unwrap());
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < wait && !self.simulation.state().has_visible(self.source) {
            tokio::time::sleep(POLL).await;
        }
        let received = self.ask("receive", |state, _| state.receive(self.source, max, visibility)).await?;
        Ok(received.into_iter().map(received_as).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        self.ask_for_each("delete", receipts, |state, receipt| state.delete(self.source, receipt)).await
    }

    async fn set_visibility(&self, receipts: &[Receipt], visibility: Duration) -> Vec<Result<(), QueueError>> {
        let visibility = TimeDelta::from_std(visibility).unwrap();
        self.ask_for_each("set visibility", receipts, |state, receipt| {
            let now = state.now();
            state.count(if visibility.is_zero() { "returned" } else { "extended" }, 1);
            state.queue(self.source).set_visibility(receipt, now, visibility)
        })
        .await
    }
}

fn received_as(message: Message) -> Received {
    let code = message.code.map(|code| ("code".to_owned(), Attribute::text(code)));
    let attributes = code.into_iter().chain(message.attributes).collect();
    Received {
        message_id: message.id,
        group_id: message.group,
        deduplication_id: Some(message.deduplication_id),
        sent_at: None,
        receive_count: Some(u64::from(message.receive_count)),
        attributes,
        body: message.body,
        receipt: Receipt(message.receipt.to_string()),
    }
}

/// Sender of the input queue, to which a redrive sends messages back.
#[derive(Clone)]
pub struct SimSender(pub Arc<Simulation>);

impl Sender for SimSender {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        for Outgoing { group_id, deduplication_id, body } in messages {
            let mut rng = self.0.state().draw("operator", &format!("send {deduplication_id}"));
            self.0.delay(&mut rng).await;
            let mut state = self.0.state();
            let (refused, lost_after) = (state.chances.refused, state.chances.lost_after);
            if state.happens(&mut rng, refused) {
                return Err(refusal(&mut rng));
            }
            state.count("sent_back", 1);
            state.trace(|| format!("sent back: {group_id}, {deduplication_id}, {body}"));
            let origin = state.origins.get(&deduplication_id).cloned();
            state.send(
                NewMessage { deduplication_id, group: group_id, body, code: None, attributes: BTreeMap::new() },
                origin,
            );
            if state.happens(&mut rng, lost_after) {
                return Err(refusal(&mut rng));
            }
        }
        Ok(())
    }
}
