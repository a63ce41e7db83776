//! A FIFO queue, with all that SQS does to a message.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::Attribute;

/// For how long a second message with the same deduplication id is dropped.
pub const DEDUPLICATION: TimeDelta = TimeDelta::minutes(5);

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub deduplication_id: String,
    pub group: String,
    pub body: String,
    /// What a dead letter says is wrong with it.
    pub code: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
    pub receive_count: u32,
    pub visible_at: DateTime<Utc>,
    /// Which delivery it is: what an older one holds deletes nothing.
    pub receipt: u64,
}

/// A message to be sent.
pub struct New {
    pub deduplication_id: String,
    pub group: String,
    pub body: String,
    pub code: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

/// A queue.
pub struct Fifo {
    name: &'static str,
    pub messages: Vec<Message>,
    /// After how many deliveries a message goes to the dead-letter queue.
    receive_max: Option<u32>,
    /// How long a received message is invisible. It may be shorter than its work, so that some outlive it.
    pub visibility: TimeDelta,
    /// When what was sent under which deduplication id.
    recent: BTreeMap<String, DateTime<Utc>>,
    ids: u64,
    receipts: u64,
}

/// What a queue gives out.
#[derive(Default)]
pub struct Taken {
    pub messages: Vec<Message>,
    /// What it would have given out once too often.
    pub dead: Vec<Message>,
}

impl Fifo {
    pub fn new(name: &'static str, receive_max: Option<u32>, visibility: TimeDelta) -> Fifo {
        let (messages, recent) = (vec![], BTreeMap::new());
        Fifo { name, messages, receive_max, visibility, recent, ids: 0, receipts: 0 }
    }

    /// The new message's id. `None` where it is taken for a repetition.
    pub fn send(&mut self, new: New, now: DateTime<Utc>) -> Option<String> {
        let last = self.recent.get(&new.deduplication_id);
        if last.is_some_and(|last| now - *last < DEDUPLICATION) {
            return None;
        }
        self.recent.insert(new.deduplication_id.clone(), now);
        self.ids += 1;
        let New { deduplication_id, group, body, code, attributes } = new;
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

    /// Takes in a message that another queue gives up. It keeps its id, which becomes its deduplication id too.
    pub fn take_in(&mut self, dead: Message) {
        let deduplication_id = dead.id.clone();
        self.messages.push(Message { deduplication_id, receive_count: 0, receipt: 0, ..dead });
    }

    /// Gives out up to `max` messages, each group's in order; none of a group of which one is invisible.
    pub fn receive(&mut self, now: DateTime<Utc>, max: usize, visibility: Option<TimeDelta>) -> Taken {
        let invisible = self.messages.iter().filter(|message| message.visible_at > now);
        let locked: BTreeSet<String> = invisible.map(|message| message.group.clone()).collect();
        let (mut taken, mut kept) = (Taken::default(), Vec::new());
        for mut message in std::mem::take(&mut self.messages) {
            if taken.messages.len() < max && !locked.contains(&message.group) {
                if self.receive_max.is_some_and(|max| message.receive_count >= max) {
                    taken.dead.push(message);
                    continue;
                }
                self.receipts += 1;
                message.receive_count += 1;
                message.visible_at = now + visibility.unwrap_or(self.visibility);
                message.receipt = self.receipts;
                taken.messages.push(message.clone());
            }
            kept.push(message);
        }
        self.messages = kept;
        taken
    }

    /// Deletes a message, unless its visibility time-out has run out. Gives it when it is deleted.
    pub fn delete(&mut self, receipt: u64, now: DateTime<Utc>) -> Option<Message> {
        let is_held = |message: &Message| message.receipt == receipt && message.visible_at > now;
        let place = self.messages.iter().position(is_held)?;
        Some(self.messages.remove(place))
    }

    /// Makes a message invisible until then, if it is still invisible. Says whether it is.
    pub fn set_visibility(&mut self, receipt: u64, now: DateTime<Utc>, visibility: TimeDelta) -> bool {
        let message = self.messages.iter_mut().find(|message| message.receipt == receipt && message.visible_at > now);
        message.is_some_and(|message| {
            message.visible_at = now + visibility;
            true
        })
    }
}
