//! Messages of queues: as received, as read, and as sent.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::deciding::{DeadLetter, Delivery, MessageSource};
use crate::domain::{Currency, LoadAttempt, LoadError};
use crate::wire::read_attempt;

/// A received message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub message_id: String,
    /// Its group. Empty in a queue that is not FIFO.
    pub group_id: String,
    /// Its deduplication id.
    pub deduplication_id: Option<String>,
    /// Number of times that it was received, including this one.
    pub receive_count: Option<u64>,
    /// The instant at which it was sent, or moved to this queue.
    pub sent_at: Option<DateTime<Utc>>,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Its body.
    pub body: String,
    /// Identifies this delivery of the message.
    pub receipt: Receipt,
}

impl Received {
    /// Returns an attribute's text; `None` if the attribute is missing or binary.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        match &self.attributes.get(name)?.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Binary(_) => None,
        }
    }
}

/// An attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its type as the sender named it: `String`, `Number` or `Binary`, optionally with a suffix after a point.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text, or a number as text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Attribute {
    /// Creates an attribute of type `String`.
    pub fn text(value: impl Into<String>) -> Attribute {
        Attribute { data_type: "String".to_owned(), value: AttributeValue::Text(value.into()) }
    }
}

/// Identifies one delivery of a message. A later delivery has another receipt.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub String);

/// Keeps receipts out of logs: they are long, and anyone who has one can delete its message.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}

/// A message of a batch: what was received, read.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its customer. The messages of one customer are settled in order.
    pub group_id: String,
    /// The instant at which it was sent, if known.
    pub sent_at: Option<DateTime<Utc>>,
    /// Its content.
    pub content: MessageContent,
}

/// Content of a message.
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

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its group. Messages of one group keep their order.
    pub group_id: String,
    /// Its deduplication id. The queue drops a second message with the same id within five minutes.
    pub deduplication_id: String,
    /// Its body.
    pub body: String,
}

/// Reads a message, which is at this position of its batch.
pub fn message(index: u64, received: Received, currency: Currency) -> Message {
    let delivery = read_delivery(index, &received, currency);
    let Received { message_id, group_id, sent_at, body, .. } = received;
    let content = match delivery {
        // Without a group there is no customer's order: no FIFO queue has sent the message.
        _ if group_id.is_empty() => MessageContent::Ungrouped { message_id },
        Ok(delivery) => MessageContent::Attempt(Box::new(delivery)),
        Err(error) => {
            // SQS allows ten attributes. The original ones would leave too little room for those that describe the
            // error.
            let (group_id, kept) = (group_id.clone(), BTreeMap::new());
            MessageContent::Invalid(Box::new(DeadLetter { message_id, group_id, body, kept, error }))
        }
    };
    Message { group_id, sent_at, content }
}

/// Reads the load attempt in a message.
///
/// # Errors
/// [`LoadError`] when the body is not a valid attempt, or names another customer than the message's group.
pub fn read_delivery(index: u64, received: &Received, currency: Currency) -> Result<Delivery, LoadError> {
    read_delivery_of(index, received, &received.message_id, &received.group_id, currency)
}

/// Reads the load attempt in a message that was moved, given the message id and the group that it had before.
///
/// # Errors
/// See [`read_delivery`].
pub fn read_delivery_of(
    index: u64,
    received: &Received,
    message_id: &str,
    group_id: &str,
    currency: Currency,
) -> Result<Delivery, LoadError> {
    let written = read_attempt(received.body.as_bytes())?;
    let attempt = LoadAttempt::check_grouped(written.clone(), group_id, currency)?;
    let source = MessageSource {
        message_id: message_id.to_owned(),
        moved_from: received.deduplication_id.clone(),
        // An unreadable count is taken as a redelivery. That costs one write to set the record to pending, and one to
        // confirm it.
        is_redelivery: received.receive_count != Some(1),
    };
    Ok(Delivery::new(index, source, &written, attempt, currency))
}
