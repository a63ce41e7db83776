//! Messages as a queue delivers them.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

/// The most messages in one answer (the SQS API reference, `ReceiveMessage`).
pub const RECEIVE_MAX: usize = 10;

/// A message as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub message_id: String,
    /// Its group. Empty in a queue that is not FIFO.
    pub group_id: String,
    /// Its deduplication id.
    pub deduplication_id: Option<String>,
    /// Number of times that it has been received, this time included.
    pub receive_count: Option<u64>,
    /// Instant at which it was sent, or moved to this queue.
    pub sent_at: Option<DateTime<Utc>>,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Its body.
    pub body: String,
    /// Receipt of this delivery.
    pub receipt: Receipt,
}

impl Received {
    /// An attribute's text. `None` if there is no such attribute, or its value is binary.
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
    /// Its type as the sender named it: `String`, `Number` or `Binary`, with whatever follows behind a point.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Text: also a number.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Attribute {
    /// An attribute of type `String`.
    pub fn text(value: impl Into<String>) -> Attribute {
        Attribute { data_type: "String".to_owned(), value: AttributeValue::Text(value.into()) }
    }
}

/// Receipt handle of one delivery of a message. A later delivery has another.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub String);

/// Receipts are long, and whoever has one can delete its message: none stands in a log.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}
