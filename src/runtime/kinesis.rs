//! Handler of the Lambda on the stream of limit events: turns a Kinesis event into records, and the first failure into the response.

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::event::streams::KinesisEventResponse;
use chrono::{DateTime, Utc};

use crate::deciding::consumer::Deadline;
use crate::deciding::{Clock, Store};
use crate::limits::{LimitConsumer, LimitLetters, LimitRecord, LimitReport, LimitStore};
use crate::wire::parse_limit_event;

/// Error of a whole event, for which no response by record is possible. The stream repeats the whole batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamEventError {
    /// It is not a Kinesis event. Its contents may be anything, and are not repeated.
    #[error(
        "this is not a Kinesis event (line {line}, column {column}), and nothing was applied; connect the function to a data \
         stream, or invoke it with an event such as events/kinesis/created.json"
    )]
    NotKinesis {
        /// Line of the event's JSON at which the error was found, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A record has no sequence number, so its failure could not be reported.
    #[error(
        "record {number} of the event has no sequenceNumber, so that it could not be reported; is this a Kinesis event?"
    )]
    NoSequenceNumber {
        /// Number of the record in the event, from 1.
        number: usize,
    },
}

/// Parses an event's JSON.
///
/// # Errors
/// [`StreamEventError::NotKinesis`].
pub fn read_event(json: &str) -> Result<KinesisEvent, StreamEventError> {
    let not_kinesis =
        |error: serde_json::Error| StreamEventError::NotKinesis { line: error.line(), column: error.column() };
    serde_json::from_str(json).map_err(not_kinesis)
}

/// Handles one event, whose records are of one shard. `end` is the instant at which Lambda kills the invocation.
///
/// The response names the first record that is to be repeated: from there on, the stream repeats all of them, so that no
/// other identifier has a meaning.
///
/// # Errors
/// [`StreamEventError`], before anything is changed.
pub async fn handle<S: Store + LimitStore, Q: LimitLetters, C: Clock>(
    consumer: &LimitConsumer<S, Q, C>,
    event: KinesisEvent,
    end: DateTime<Utc>,
) -> Result<(KinesisEventResponse, LimitReport), StreamEventError> {
    let deadline = Deadline::before(end, consumer.applier.clock.now());
    let is_unnumbered = |record: &KinesisEventRecord| record.kinesis.sequence_number.is_empty();
    if let Some(place) = event.records.iter().position(is_unnumbered) {
        return Err(StreamEventError::NoSequenceNumber { number: place.saturating_add(1) });
    }
    let numbers: Vec<String> = event.records.iter().map(|record| record.kinesis.sequence_number.clone()).collect();
    let applied = consumer.handle(event.records.into_iter().map(record).collect(), deadline).await;
    let mut response = KinesisEventResponse::default();
    if let Some(number) = applied.first_failed.and_then(|place| numbers.get(place)) {
        response.add_failure(number);
    }
    Ok((response, applied.report))
}

/// Converts a record of an event. Its id is that of the shard, a colon, and the sequence number.
fn record(KinesisEventRecord { event_id, kinesis, .. }: KinesisEventRecord) -> LimitRecord {
    let shard_id = event_id.as_deref().and_then(|id| id.split_once(':')).map_or("", |(shard_id, _)| shard_id);
    let data = kinesis.data.0;
    LimitRecord {
        shard_id: shard_id.to_owned(),
        sequence_number: kinesis.sequence_number,
        event: parse_limit_event(&data),
        data,
    }
}
