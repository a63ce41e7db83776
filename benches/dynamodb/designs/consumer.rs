//! loadgate's own consumer, over queues that accept every message.

use std::io::{Error, Result};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::deciding::consumer::{Consumer, Deadline};
use loadgate::deciding::{
    Clock, DeadLetter, Decider, Delivery, Message, MessageContent, PlanCache, Publisher, QueueError, Units,
};
use loadgate::domain::{Currency, Limits, StoredDecision};

use super::{Decision, Design, TTL};

/// The consumer, and the units that it reports itself.
pub(crate) struct Loadgate {
    consumer: Consumer<DynamoDb, AcceptAll, SystemClock>,
    units: Mutex<Units>,
}

impl Loadgate {
    pub(crate) fn new(store: DynamoDb) -> Loadgate {
        Loadgate::with(store, Limits::default(), false)
    }

    pub(crate) fn with(store: DynamoDb, limits: Limits, has_limit_table: bool) -> Loadgate {
        let decider = Decider {
            store,
            clock: SystemClock,
            limits,
            plans: PlanCache::default(),
            has_limit_table,
            currency: Currency::USD,
            correlation_ttl: TTL,
            log: None,
        };
        Loadgate { consumer: Consumer { decider, publisher: AcceptAll::default() }, units: Mutex::default() }
    }

    /// Returns the units in the consumer's reports since the last call.
    pub(crate) fn units(&self) -> Units {
        std::mem::take(&mut *self.units.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Design for Loadgate {
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>> {
        let message = |(place, delivery): (usize, &Delivery)| {
            let content = MessageContent::Attempt(Box::new(Delivery { index: place as u64, ..delivery.clone() }));
            Message { sent_at: None, group_id: delivery.customer_id().to_owned(), content }
        };
        let messages = batch.iter().enumerate().map(message).collect();
        let now = SystemClock.now();
        let handled = self.consumer.handle(messages, Deadline::before(now + TimeDelta::seconds(30), now)).await;
        if !handled.failed.is_empty() {
            return Err(Error::other(format!("loadgate has not settled {:?}", handled.failed)));
        }
        *self.units.lock().unwrap_or_else(PoisonError::into_inner) += handled.report.units;
        Ok(std::mem::take(&mut *self.consumer.publisher.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Queues that accept every message.
#[derive(Default)]
struct AcceptAll(Mutex<Vec<Decision>>);

impl Publisher for AcceptAll {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<std::result::Result<(), QueueError>> {
        let mut published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.extend(decisions.iter().map(|decision| (decision.key.clone(), decision.verdict.is_accepted())));
        vec![Ok(()); decisions.len()]
    }

    async fn dead_letter(&self, _letter: &DeadLetter) -> std::result::Result<(), QueueError> {
        Ok(())
    }
}
