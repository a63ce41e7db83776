//! The queue's door: an SQS event into messages, and what became of them into the answer.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};

use crate::app::consumer::{Consumer, Content, Deadline, Message, Report};
use crate::app::deciding::{Carrier, Delivery};
use crate::app::{Clock, DeadLetter, Queues, Store};
use crate::domain::{LoadAttempt, LoadError};
use crate::wire::read_attempt;

/// An event that cannot be answered message by message: the whole batch has to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A record without an id could not be reported if it failed.
    #[error("record {number} of the event has no messageId, so that it could not be reported; is this an SQS event?")]
    NoMessageId {
        /// Its number in the event, from 1.
        number: usize,
    },
}

/// Handles one event. `end` is when the invocation is killed.
///
/// # Errors
/// [`EventError`] before anything has been done.
pub async fn handle<S: Store, Q: Queues, C: Clock>(
    consumer: &Consumer<S, Q, C>,
    event: SqsEvent,
    end: DateTime<Utc>,
) -> Result<(SqsBatchResponse, Report), EventError> {
    let deadline = Deadline::before(end, consumer.decider.clock.now());
    let ids = message_ids(&event)?;
    let (mut messages, mut failed) = (Vec::new(), Vec::new());
    for (place, record) in (0..).zip(event.records) {
        match message(place, record) {
            Some(message) => messages.push(message),
            None => failed.push(place),
        }
    }
    let mut handled = consumer.handle(messages, deadline).await;
    handled.report.failed += failed.len() as u64;
    failed.extend(handled.failed);
    failed.sort_unstable();
    let mut response = SqsBatchResponse::default();
    for place in failed {
        let id = usize::try_from(place).ok().and_then(|place| ids.get(place));
        if let Some(id) = id {
            response.add_failure(id.clone());
        }
    }
    Ok((response, handled.report))
}

fn message_ids(event: &SqsEvent) -> Result<Vec<String>, EventError> {
    let id = |(number, record): (usize, &SqsMessage)| {
        let id = record.message_id.clone().filter(|id| !id.is_empty());
        id.ok_or(EventError::NoMessageId { number })
    };
    (1..).zip(&event.records).map(id).collect()
}

/// A record as a message. None when it has no group, and so no customer's order: no FIFO queue has sent it.
fn message(place: u64, record: SqsMessage) -> Option<Message> {
    let SqsMessage { message_id, body, mut attributes, .. } = record;
    let (message_id, body) = (message_id.unwrap_or_default(), body.unwrap_or_default());
    let Some(group_id) = attributes.remove("MessageGroupId").filter(|group| !group.is_empty()) else {
        let error =
            "the message has no MessageGroupId: its queue is not FIFO; connect a FIFO queue, grouped by customer";
        tracing::error!(message_id, error, "not decided; left for redelivery");
        return None;
    };
    // Where the count cannot be read, the worst is assumed: it costs a mark and its removal.
    let receive_count = attributes.get("ApproximateReceiveCount").and_then(|count| count.parse::<u64>().ok());
    let carrier = Carrier {
        message_id: message_id.clone(),
        moved_from: attributes.remove("MessageDeduplicationId"),
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
