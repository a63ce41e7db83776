//! Invalid input as a message of the dead-letter queue.

use std::collections::BTreeMap;

use crate::deciding::{Attribute, Received};
use crate::domain::LoadError;

/// Message attribute that holds the error's code, for machines.
pub const CODE_ATTRIBUTE: &str = "code";
/// Message attribute that describes the error in one sentence.
pub const REASON_ATTRIBUTE: &str = "reason";
/// Message attribute that holds the id of the original message.
pub const MESSAGE_ID_ATTRIBUTE: &str = "message_id";
/// Message attribute that holds the group of the original message.
pub const GROUP_ID_ATTRIBUTE: &str = "group_id";

/// Number of attributes that describe a dead letter's error and origin.
pub const OWN_ATTRIBUTES: usize = 4;

/// A dead letter: invalid input, unabridged, with its error.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Id of the message that brought it.
    pub message_id: String,
    /// Group of the message that brought it.
    pub group_id: String,
    /// The body.
    pub body: String,
    /// Attributes to keep besides those that describe the error and the origin.
    pub kept: BTreeMap<String, Attribute>,
    /// The reason why it is invalid.
    pub error: LoadError,
}

impl DeadLetter {
    /// Returns the dead letter's group and deduplication id. Invalid input has no order to keep, and in a group of
    /// its own it delays no other message. The message's id becomes the deduplication id, as when SQS itself moves a
    /// message to a FIFO dead-letter queue.
    pub fn own_group_id(&self) -> &str {
        &self.message_id
    }

    /// Returns all attributes of the dead letter.
    pub fn attributes(&self) -> BTreeMap<String, Attribute> {
        let own: [(&str, &str); OWN_ATTRIBUTES] = [
            (CODE_ATTRIBUTE, self.error.code()),
            (REASON_ATTRIBUTE, &self.error.to_string()),
            (MESSAGE_ID_ATTRIBUTE, &self.message_id),
            (GROUP_ID_ATTRIBUTE, &self.group_id),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), Attribute::text(value)));
        self.kept.clone().into_iter().chain(own).collect()
    }
}

/// Returns the id and the group of the original message, if the dead letter is in a group of its own, as an invalid
/// one is.
pub fn origin(letter: &Received) -> Option<(&str, &str)> {
    let message_id = letter.attribute(MESSAGE_ID_ATTRIBUTE)?;
    let is_own = letter.group_id == message_id && letter.deduplication_id.as_deref() == Some(message_id);
    Some((message_id, letter.attribute(GROUP_ID_ATTRIBUTE)?)).filter(|_| is_own)
}
