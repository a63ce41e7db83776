//! A message of a queue as what it brings: a load attempt, or invalid input.

use crate::app::consumer::{Content, Message};
use crate::app::deciding::{Carrier, Delivery};
use crate::app::{DeadLetter, Received};
use crate::domain::{LoadAttempt, LoadError};
use crate::wire::read_attempt;

/// Reads a message. None when it has no group, and so no customer's order: no FIFO queue has sent it. That is told.
pub fn message(place: u64, received: Received) -> Option<Message> {
    let Received { message_id, group_id, deduplication_id, receive_count, body, .. } = received;
    if group_id.is_empty() {
        let error =
            "the message has no MessageGroupId: its queue is not FIFO; connect a FIFO queue, grouped by customer";
        tracing::error!(message_id, error, "not decided; left for redelivery");
        return None;
    }
    let carrier = Carrier {
        message_id: message_id.clone(),
        moved_from: deduplication_id,
        // Where the count cannot be read, the worst is assumed: it costs a mark and its removal.
        is_redelivery: receive_count != Some(1),
    };
    let content = match delivery(place, carrier, &body, &group_id) {
        Ok(delivery) => Content::Attempt(Box::new(delivery)),
        Err(error) => Content::Invalid(Box::new(DeadLetter { message_id, group_id: group_id.clone(), body, error })),
    };
    Some(Message { place, group_id, content })
}

fn delivery(place: u64, carrier: Carrier, body: &str, group_id: &str) -> Result<Delivery, LoadError> {
    let written = read_attempt(body.as_bytes())?;
    let attempt = LoadAttempt::check_grouped(written.clone(), group_id)?;
    Ok(Delivery::new(place, carrier, &written, attempt))
}
