//! Parsing of a queue message into a load attempt or invalid input.

use std::collections::BTreeMap;

use crate::deciding::consumer::{Message, MessageContent};
use crate::deciding::{DeadLetter, Delivery, MessageSource, Received};
use crate::domain::{LoadAttempt, LoadError};
use crate::wire::read_attempt;

/// Reads a message, which is at this position of its batch.
pub fn message(index: u64, received: Received) -> Message {
    let delivery = read_delivery(index, &received);
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
pub fn read_delivery(index: u64, received: &Received) -> Result<Delivery, LoadError> {
    read_delivery_of(index, received, &received.message_id, &received.group_id)
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
) -> Result<Delivery, LoadError> {
    let written = read_attempt(received.body.as_bytes())?;
    let attempt = LoadAttempt::check_grouped(written.clone(), group_id)?;
    let source = MessageSource {
        message_id: message_id.to_owned(),
        moved_from: received.deduplication_id.clone(),
        // An unreadable count is taken as a redelivery. That costs one write to set the record to pending, and one to
        // confirm it.
        is_redelivery: received.receive_count != Some(1),
    };
    Ok(Delivery::new(index, source, &written, attempt))
}
