//! A message of a queue as what it brings: a load attempt, or invalid input.

use crate::app::consumer::{Content, Message};
use crate::app::deciding::{Carrier, Delivery};
use crate::app::{DeadLetter, Received};
use crate::domain::{LoadAttempt, LoadError};
use crate::wire::read_attempt;

/// Reads a message. None when it has no group, and so no customer's order: no FIFO queue has sent it. That is told.
pub fn message(place: u64, received: Received) -> Option<Message> {
    if received.group_id.is_empty() {
        let error =
            "the message has no MessageGroupId: its queue is not FIFO; connect a FIFO queue, grouped by customer";
        tracing::error!(message_id = received.message_id, error, "not decided; left for redelivery");
        return None;
    }
    let delivery = read_delivery(place, &received);
    let Received { message_id, group_id, body, .. } = received;
    let content = match delivery {
        Ok(delivery) => Content::Attempt(Box::new(delivery)),
        Err(error) => Content::Invalid(Box::new(DeadLetter { message_id, group_id: group_id.clone(), body, error })),
    };
    Some(Message { place, group_id, content })
}

/// Reads the load attempt that a message brings.
///
/// # Errors
/// [`LoadError`] when it brings none, or that of a customer who is not its group.
pub fn read_delivery(place: u64, received: &Received) -> Result<Delivery, LoadError> {
    let written = read_attempt(received.body.as_bytes())?;
    let attempt = LoadAttempt::check_grouped(written.clone(), &received.group_id)?;
    let carrier = Carrier {
        message_id: received.message_id.clone(),
        moved_from: received.deduplication_id.clone(),
        // Where the count cannot be read, the worst is assumed: it costs a mark and its removal.
        is_redelivery: received.receive_count != Some(1),
    };
    Ok(Delivery::new(place, carrier, &written, attempt))
}
