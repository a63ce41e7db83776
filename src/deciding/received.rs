//! Messages as a queue delivers them.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

/// Maximum number of messages in one answer (the SQS API reference, `ReceiveMessage`).
pub const RECEIVE_MAX: usize = 10;

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
