//! Receiver of messages from an SQS queue.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName,
};
use aws_sdk_sqs::{Client, config};
use chrono::DateTime;
use futures_util::{StreamExt, stream};

use super::error::queue_error;
use super::in_order;
use super::unbuilt;
use crate::adapters::aws::long_poll_timeouts;
use crate::config::is_fifo;
use crate::deciding::{Attribute, AttributeValue, QueueError, RECEIVE_MAX, Receipt, Received, Receiver, SEND_MAX};

/// Maximum time that SQS waits for messages, in seconds (the SQS API reference, `ReceiveMessage`).
pub const WAIT_MAX_S: u64 = 20;

/// Maximum number of concurrent requests.
const REQUESTS_MAX: usize = 8;

/// Attributes requested with each message.
const ATTRIBUTES: [MessageSystemAttributeName; 4] = [
    MessageSystemAttributeName::ApproximateReceiveCount,
    MessageSystemAttributeName::MessageDeduplicationId,
    MessageSystemAttributeName::MessageGroupId,
    MessageSystemAttributeName::SentTimestamp,
];

/// Receiver of an SQS queue.
#[derive(Clone, Debug)]
pub struct SqsReceiver {
    client: Client,
    url: String,
}

impl SqsReceiver {
    /// Creates a receiver for a queue.
    pub fn new(sdk: &SdkConfig, url: String) -> SqsReceiver {
        SqsReceiver { client: Client::new(sdk), url }
    }

    async fn delete_some(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        let entry = |(place, receipt): (usize, &Receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&receipt.0).build().map_err(unbuilt)
        };
        let request = async {
            let entries = receipts.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            request.send().await.map_err(|error| queue_error("DeleteMessageBatch", &self.url, &error))
        };
        match request.await {
            Ok(answer) => self.answers("DeleteMessageBatch", receipts, answer.failed()),
            Err(error) => vec![Err(error); receipts.len()],
        }
    }

    async fn set_visibility_of_some(&self, receipts: &[Receipt], visibility: Duration) -> Vec<Result<(), QueueError>> {
        let entry = |(place, receipt): (usize, &Receipt)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&receipt.0).visibility_timeout(seconds(visibility)).build().map_err(unbuilt)
        };
        let request = async {
            let entries = receipts.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
            let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            request.send().await.map_err(|error| queue_error("ChangeMessageVisibilityBatch", &self.url, &error))
        };
        match request.await {
            Ok(answer) => self.answers("ChangeMessageVisibilityBatch", receipts, answer.failed()),
            Err(error) => vec![Err(error); receipts.len()],
        }
    }

    fn answers(
        &self,
        operation: &str,
        receipts: &[Receipt],
        failed: &[BatchResultErrorEntry],
    ) -> Vec<Result<(), QueueError>> {
        let answers = failed.iter().map(BatchResultErrorEntry::id).zip(failed);
        let failed = answers.map(|(id, entry)| (id, Err(super::error::refused(operation, &self.url, entry))));
        in_order(receipts.len(), failed, || Ok(()))
    }
}

impl Receiver for SqsReceiver {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Received>, QueueError> {
        let wait = wait.min(Duration::from_secs(WAIT_MAX_S));
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max.clamp(1, RECEIVE_MAX)).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .set_visibility_timeout(visibility.map(seconds))
            .set_receive_request_attempt_id(is_fifo(&self.url).then(attempt_id).flatten())
            .message_attribute_names("All")
            .set_message_system_attribute_names(Some(ATTRIBUTES.to_vec()))
            .customize()
            .config_override(config::Config::builder().timeout_config(long_poll_timeouts(wait)))
            .send()
            .await
            .map_err(|error| queue_error("ReceiveMessage", &self.url, &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(received).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<(), QueueError>> {
        let requests = receipts.chunks(SEND_MAX).map(|some| self.delete_some(some)).collect::<Vec<_>>();
        stream::iter(requests).buffered(REQUESTS_MAX).concat().await
    }

    async fn set_visibility(&self, receipts: &[Receipt], visibility: Duration) -> Vec<Result<(), QueueError>> {
        let requests = receipts.chunks(SEND_MAX).map(|some| self.set_visibility_of_some(some, visibility));
        stream::iter(requests.collect::<Vec<_>>()).buffered(REQUESTS_MAX).concat().await
    }
}

/// Identifies a receive request when the client repeats it: where the answer was lost, the same messages come
/// again, instead of being out of sight for their visibility time-out (the SQS API reference,
/// `ReceiveRequestAttemptId`).
fn attempt_id() -> Option<String> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).ok()?;
    Some(base16ct::lower::encode_string(&id))
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn to_attribute(value: MessageAttributeValue) -> Attribute {
    let MessageAttributeValue { data_type, string_value, binary_value, .. } = value;
    let value = match binary_value {
        Some(bytes) => AttributeValue::Binary(bytes.into_inner()),
        None => AttributeValue::Text(string_value.unwrap_or_default()),
    };
    Attribute { data_type, value }
}

fn received(message: Message) -> Received {
    let mut system = message.attributes.unwrap_or_default();
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    let receive_count = system.remove(&MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at_ms = system.remove(&MessageSystemAttributeName::SentTimestamp);
    Received {
        message_id: message.message_id.unwrap_or_default(),
        group_id: system.remove(&MessageSystemAttributeName::MessageGroupId).unwrap_or_default(),
        deduplication_id: system.remove(&MessageSystemAttributeName::MessageDeduplicationId),
        receive_count: receive_count.and_then(|count| count.parse().ok()),
        sent_at: sent_at_ms.and_then(|ms| DateTime::from_timestamp_millis(ms.parse().ok()?)),
        attributes: attributes.map(|(name, value)| (name, to_attribute(value))).collect(),
        body: message.body.unwrap_or_default(),
        receipt: Receipt(message.receipt_handle.unwrap_or_default()),
    }
}
