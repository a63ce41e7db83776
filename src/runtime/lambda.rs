//! Handler of the Lambda: turns an SQS event into messages, and their results into the response.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};

use crate::deciding::consumer::{BatchReport, Consumer, Deadline};
use crate::deciding::{Clock, Publisher, Received, Store, message};

/// Error of a whole event, for which no response by message is possible. The whole batch is delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not an SQS event. Its contents may be anything, and are not repeated.
    #[error(
        "this is not an SQS event (line {line}, column {column}), and nothing was decided; connect the function to a FIFO queue, \
         or invoke it with an event such as events/one-customer.json"
    )]
    NotSqs {
        /// Line of the event's JSON at which the error was found, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A record has no id, so its failure could not be reported.
    #[error("record {number} of the event has no messageId, so that it could not be reported; is this an SQS event?")]
    NoMessageId {
        /// Number of the record in the event, from 1.
        number: usize,
    },
}

/// Parses an event's JSON.
///
/// # Errors
/// [`EventError::NotSqs`].
pub fn read_event(json: &str) -> Result<SqsEvent, EventError> {
    serde_json::from_str(json).map_err(|error| EventError::NotSqs { line: error.line(), column: error.column() })
}

/// Handles one event. `end` is the instant at which Lambda kills the invocation.
///
/// # Errors
/// [`EventError`], before anything is changed.
pub async fn handle<S: Store, Q: Publisher, C: Clock>(
    consumer: &Consumer<S, Q, C>,
    event: SqsEvent,
    end: DateTime<Utc>,
) -> Result<(SqsBatchResponse, BatchReport), EventError> {
    let deadline = Deadline::before(end, consumer.decider.clock.now());
    let ids = message_ids(&event)?;
    let currency = consumer.decider.currency;
    let messages = (0..).zip(event.records).map(|(index, record)| message(index, received(record), currency));
    let handled = consumer.handle(messages.collect(), deadline).await;
    let mut response = SqsBatchResponse::default();
    let failed = handled.failed.iter().filter_map(|index| ids.get(usize::try_from(*index).ok()?));
    failed.for_each(|id| response.add_failure(id.clone()));
    Ok((response, handled.report))
}

/// Returns the ids of the records.
///
/// # Errors
/// [`EventError::NoMessageId`].
pub(super) fn message_ids(event: &SqsEvent) -> Result<Vec<String>, EventError> {
    let id = |(number, record): (usize, &SqsMessage)| {
        let id = record.message_id.clone().filter(|id| !id.is_empty());
        id.ok_or(EventError::NoMessageId { number })
    };
    (1..).zip(&event.records).map(id).collect()
}

/// Converts a record of an event to a received message. Fields that Lambda does not provide stay empty; no caller needs
/// them.
fn received(record: SqsMessage) -> Received {
    let SqsMessage { message_id, body, mut attributes, .. } = record;
    Received {
        message_id: message_id.unwrap_or_default(),
        group_id: attributes.remove("MessageGroupId").unwrap_or_default(),
        deduplication_id: attributes.remove("MessageDeduplicationId"),
        receive_count: attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()),
        sent_at: attributes
            .get("SentTimestamp")
            .and_then(|ms| ms.parse().ok())
            .and_then(DateTime::<Utc>::from_timestamp_millis),
        body: body.unwrap_or_default(),
        ..Received::default()
    }
}
