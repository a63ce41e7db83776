//! Invalid input as a dead letter of the dead-letter queue.

use std::collections::BTreeMap;

use crate::deciding::{Attribute, Received};
use crate::domain::LoadError;

/// The message attribute that says what is wrong, for machines.
pub const CODE_ATTRIBUTE: &str = "code";
/// The message attribute that says what is wrong, in one sentence.
pub const REASON_ATTRIBUTE: &str = "reason";
/// The message attribute with the id of the message in which it came.
pub const MESSAGE_ID_ATTRIBUTE: &str = "message_id";
/// The message attribute with the message group in which it came.
pub const GROUP_ID_ATTRIBUTE: &str = "group_id";

/// Number of attributes say what is wrong with a dead letter and where it came from.
pub const OWN_ATTRIBUTES: usize = 4;

/// Invalid input on its way to the dead-letter queue: whole, with what is wrong with it.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message in which it came.
    pub message_id: String,
    /// The group in which it came.
    pub group_id: String,
    /// The body.
    pub body: String,
    /// Attributes to keep besides those that say what is wrong.
    pub kept: BTreeMap<String, Attribute>,
    /// The fault.
    pub error: LoadError,
}

impl DeadLetter {
    /// The dead letter's group and deduplication id. Invalid input has no order to keep: in a group of its own it hides
    /// nothing. As SQS itself does when it moves a message to a FIFO dead-letter queue, the message's id becomes the
    /// deduplication id.
    pub fn own_group_id(&self) -> &str {
        &self.message_id
    }

    /// All of its attributes.
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

/// The message id and the group that a dead letter's message had, if it is in a group of its own: if it was put there
/// as invalid.
pub fn origin(letter: &Received) -> Option<(&str, &str)> {
    let message_id = letter.attribute(MESSAGE_ID_ATTRIBUTE)?;
    let is_own = letter.group_id == message_id && letter.deduplication_id.as_deref() == Some(message_id);
    Some((message_id, letter.attribute(GROUP_ID_ATTRIBUTE)?)).filter(|_| is_own)
}
