//! A FIFO queue that treats messages as SQS does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::Attribute;

/// Time during which a second message with the same deduplication id is dropped.
pub const DEDUPLICATION: TimeDelta = TimeDelta::minutes(5);

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub deduplication_id: String,
    pub group: String,
    pub body: String,
    /// Error code, if it is a dead letter for invalid input.
    pub code: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
    pub receive_count: u32,
    pub visible_at: DateTime<Utc>,
    /// Receipt of the latest delivery. An older receipt deletes nothing.
    pub receipt: u64,
}

/// A message to be sent.
pub struct NewMessage {
    pub deduplication_id: String,
    pub group: String,
    pub body: String,
    pub code: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

/// A FIFO queue.
pub struct Fifo {
    name: &'static str,
    pub messages: Vec<Message>,
    /// Number of deliveries after which a message goes to the dead-letter queue.
    receive_max: Option<u32>,
    /// Visibility time-out. It may be shorter than the work on a message, so that some receipts expire.
    pub visibility: TimeDelta,
    /// Time of the last message, by deduplication id.
    recent: BTreeMap<String, DateTime<Utc>>,
    ids: u64,
    receipts: u64,
}

/// Result of a receive.
#[derive(Default)]
pub struct ReceiveResult {
    pub messages: Vec<Message>,
    /// Messages that have reached the maximum number of deliveries. They are removed from the queue.
    pub dead: Vec<Message>,
}

impl Fifo {
    pub fn new(name: &'static str, receive_max: Option<u32>, visibility: TimeDelta) -> Fifo {
        let (messages, recent) = (vec![], BTreeMap::new());
        Fifo { name, messages, receive_max, visibility, recent, ids: 0, receipts: 0 }
    }

    /// Adds a message. Returns its id, or `None` if the message is dropped as a duplicate.
    pub fn send(&mut self, new: NewMessage, now: DateTime<Utc>) -> Option<String> {
        let last = self.recent.get(&new.deduplication_id);
        if last.is_some_and(|last| now - *last < DEDUPLICATION) {
            return None;
        }
        self.recent.insert(new.deduplication_id.clone(), now);
        self.ids += 1;
        let NewMessage { deduplication_id, group, body, code, attributes } = new;
        let id = format!("{} {}", self.name, self.ids);
        let (receive_count, receipt) = (0, 0);
        self.messages.push(Message {
            id: id.clone(),
            deduplication_id,
            group,
            body,
            code,
            attributes,
            receive_count,
            visible_at: now,
            receipt,
        });
        Some(id)
    }

    /// Adds a message that another queue gives up. It keeps its id, which also becomes its deduplication id.
    pub fn move_in(&mut self, dead: Message) {
        let deduplication_id = dead.id.clone();
        self.messages.push(Message { deduplication_id, receive_count: 0, receipt: 0, ..dead });
    }

    /// Receives up to `max` messages, those of a group in order. A group with an invisible message returns none.
    pub fn receive(&mut self, now: DateTime<Utc>, max: usize, visibility: Option<TimeDelta>) -> ReceiveResult {
        let invisible = self.messages.iter().filter(|message| message.visible_at > now);
        let locked: BTreeSet<String> = invisible.map(|message| message.group.clone()).collect();
        let (mut received, mut kept) = (ReceiveResult::default(), Vec::new());
        for mut message in std::mem::take(&mut self.messages) {
            if received.messages.len() < max && !locked.contains(&message.group) {
                if self.receive_max.is_some_and(|max| message.receive_count >= max) {
                    received.dead.push(message);
                    continue;
                }
                self.receipts += 1;
                message.receive_count += 1;
                message.visible_at = now + visibility.unwrap_or(self.visibility);
                message.receipt = self.receipts;
                received.messages.push(message.clone());
            }
            kept.push(message);
        }
        self.messages = kept;
        received
    }

    /// Deletes a message and returns it. Returns `None` if its visibility time-out has run out.
    pub fn delete(&mut self, receipt: u64, now: DateTime<Utc>) -> Option<Message> {
        let is_held = |message: &Message| message.receipt == receipt && message.visible_at > now;
        let place = self.messages.iter().position(is_held)?;
        Some(self.messages.remove(place))
    }

    /// Sets the visibility time-out of a message that is still invisible. Returns false if it is visible.
    pub fn set_visibility(&mut self, receipt: u64, now: DateTime<Utc>, visibility: TimeDelta) -> bool {
        let message = self.messages.iter_mut().find(|message| message.receipt == receipt && message.visible_at > now);
        message.is_some_and(|message| {
            message.visible_at = now + visibility;
            true
        })
    }
}
