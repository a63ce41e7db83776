//! Queues in SQS.

mod error;
#[cfg(feature = "cli")]
mod inspect;
mod job_queue;
#[cfg(feature = "lambda")]
mod limit_letters;
#[cfg(feature = "cli")]
mod receiver;
#[cfg(feature = "cli")]
mod sender;

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesError;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};

use crate::deciding::{Attribute, AttributeValue, Cause, DeadLetter, Outgoing, Publisher, QueueError, digest_hex};
use crate::domain::{EventKey, StoredDecision};
use crate::wire::decision_message;
use error::queue_error;
use futures_util::future::try_join;
#[cfg(feature = "cli")]
pub use inspect::{QueueSettings, RedrivePolicy, queue_settings};
pub use job_queue::SqsJobQueue;
#[cfg(feature = "lambda")]
pub use limit_letters::SqsLimitLetters;
#[cfg(feature = "cli")]
pub use receiver::{SqsReceiver, WAIT_MAX_S};
#[cfg(feature = "cli")]
pub use sender::SqsSender;

/// Publisher to the decisions queue and the dead-letter queue.
#[derive(Clone, Debug)]
pub struct SqsPublisher {
    client: Client,
    decisions_url: String,
    dead_letters_url: String,
}

impl SqsPublisher {
    /// Creates a publisher to these queues.
    pub fn new(config: &SdkConfig, decisions_url: String, dead_letters_url: String) -> SqsPublisher {
        SqsPublisher { client: Client::new(config), decisions_url, dead_letters_url }
    }

    /// Opens the connection, and checks that both queues exist.
    ///
    /// # Errors
    /// [`QueueError`], which is not retryable for a missing queue. The permission to send is not checked; only sending
    /// shows it.
    pub async fn connect(&self) -> Result<(), QueueError> {
        let found = |url| find(&self.client, url);
        try_join(found(&self.decisions_url), found(&self.dead_letters_url)).await.map(drop)
    }
}

/// Opens the connection, and checks that a queue exists.
async fn find(client: &Client, url: &str) -> Result<(), QueueError> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    let Err(error) = request.send().await else { return Ok(()) };
    let is_absent = error.as_service_error().is_some_and(GetQueueAttributesError::is_queue_does_not_exist);
    let is_answered = error.as_service_error().is_some();
    let error = queue_error("GetQueueAttributes", url, &error);
    match (is_absent, is_answered) {
        (true, _) => Err(error),
        // A refused inspection does not mean that sending is refused.
        (false, true) => Ok(()),
        (false, false) => Err(QueueError { is_retryable: true, ..error }),
    }
}

/// Returns the deduplication id of an event's decision. It is the same for every publication.
pub fn deduplication_id(key: &EventKey) -> String {
    digest_hex(&[key.customer_id.as_bytes(), key.event_id.as_bytes()])
}

impl Publisher for SqsPublisher {
    async fn publish(&self, decisions: &[&StoredDecision]) -> Vec<Result<(), QueueError>> {
        let entry = |decision: &&StoredDecision| Outgoing {
            group_id: decision.key.customer_id.clone(),
            deduplication_id: deduplication_id(&decision.key),
            body: decision_message(decision),
        };
        send_batch(&self.client, &self.decisions_url, decisions.iter().map(entry).collect()).await
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> Result<(), QueueError> {
        let attributes = letter.attributes().into_iter().map(|(name, value)| Ok((name, from_attribute(value)?)));
        let attributes = attributes.collect::<Result<HashMap<_, _>, QueueError>>()?;
        let request = self
            .client
            .send_message()
            .queue_url(&self.dead_letters_url)
            .message_group_id(letter.own_group_id())
            .message_deduplication_id(letter.own_group_id())
            .message_body(&letter.body)
            .set_message_attributes(Some(attributes));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| queue_error("SendMessage", &self.dead_letters_url, &error))
    }
}

/// Sends up to ten messages in one request. The answers are in the messages' order.
async fn send_batch(client: &Client, url: &str, messages: Vec<Outgoing>) -> Vec<Result<(), QueueError>> {
    let count = messages.len();
    let entries: Result<Vec<_>, _> = messages.into_iter().enumerate().map(entry).collect();
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return vec![Err(error); count],
    };
    let answer = match client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await {
        Ok(answer) => answer,
        Err(error) => return vec![Err(queue_error("SendMessageBatch", url, &error)); count],
    };
    let taken = answer.successful().iter().map(|entry| (entry.id(), Ok(())));
    let refused = |entry| Err(error::refused("SendMessageBatch", url, entry));
    let refused = answer.failed().iter().map(|entry| (entry.id(), refused(entry)));
    in_order(count, taken.chain(refused), || Err(QueueError::no_answer()))
}

/// Sorts the answers of a batch request into the order of its entries, whose ids are their places. An entry without an answer gets the result of `unmentioned`.
fn in_order<'a>(
    count: usize,
    answers: impl Iterator<Item = (&'a str, Result<(), QueueError>)>,
    unmentioned: impl Fn() -> Result<(), QueueError>,
) -> Vec<Result<(), QueueError>> {
    let mut answers: BTreeMap<&str, Result<(), QueueError>> = answers.collect();
    (0..count).map(|place| answers.remove(place.to_string().as_str()).unwrap_or_else(&unmentioned)).collect()
}

/// Converts a message to an entry of a batch request. The entry's id is its place.
fn entry((place, message): (usize, Outgoing)) -> Result<SendMessageBatchRequestEntry, QueueError> {
    SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_group_id(message.group_id)
        .message_deduplication_id(message.deduplication_id)
        .message_body(message.body)
        .build()
        .map_err(unbuilt)
}

fn from_attribute(Attribute { data_type, value }: Attribute) -> Result<MessageAttributeValue, QueueError> {
    let builder = MessageAttributeValue::builder().data_type(data_type);
    let builder = match value {
        AttributeValue::Text(text) => builder.string_value(text),
        AttributeValue::Binary(bytes) => builder.binary_value(Blob::new(bytes)),
    };
    builder.build().map_err(unbuilt)
}

/// Converts the error of a request without a required field. This program always sets these fields, so the error is a
/// defect, and a retry does not help.
fn unbuilt(error: aws_sdk_sqs::error::BuildError) -> QueueError {
    let what = "a request could not be built: this is a defect of loadgate, please report it";
    QueueError { cause: Cause::with(what, error), is_retryable: false }
}
