//! A message of a queue as what it brings: a load attempt, or invalid input.

use std::collections::BTreeMap;

use crate::deciding::consumer::{Message, MessageContent};
use crate::deciding::{DeadLetter, Received};
use crate::deciding::{Delivery, MessageSource};
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
            // Its own attributes, ten at the most, would leave no room for those that say what is wrong.
            let (group_id, kept) = (group_id.clone(), BTreeMap::new());
            MessageContent::Invalid(Box::new(DeadLetter { message_id, group_id, body, kept, error }))
        }
    };
    Message { group_id, sent_at, content }
}

/// Reads the load attempt that a message brings.
///
/// # Errors
/// [`LoadError`] when it brings none, or that of a customer who is not its group.
pub fn read_delivery(index: u64, received: &Received) -> Result<Delivery, LoadError> {
    read_delivery_of(index, received, &received.message_id, &received.group_id)
}

/// The same of a message that had another id, and came in another group, before it was put elsewhere.
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
        // Where the count cannot be read, a redelivery is assumed: that costs two writes of the record's publication.
        is_redelivery: received.receive_count != Some(1),
    };
    Ok(Delivery::new(index, source, &written, attempt))
}
