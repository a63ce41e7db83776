//! Taking messages from a queue.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use aws_sdk_sqs::{Client, config};

use super::error::{queue_error, refused};
use super::incomplete;
use crate::adapters::aws::long_poll_timeouts;
use crate::app::QueueError;

/// The most messages in one answer (the SQS API reference, `ReceiveMessage`).
const RECEIVE_MAX: i32 = 10;

/// The longest that SQS waits for messages, in seconds.
const WAIT_MAX_S: i32 = 20;

/// A queue from which messages are taken.
#[derive(Clone, Debug)]
pub struct Inbox {
    client: Client,
    url: String,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub message_id: String,
    /// Its group. Empty in a queue that is not FIFO.
    pub group_id: String,
    /// Its text attributes, by name.
    pub attributes: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// What deletes it.
    receipt_handle: String,
}

impl Inbox {
    /// A queue.
    pub fn new(sdk: &SdkConfig, url: String) -> Inbox {
        let config = config::Builder::from(sdk).timeout_config(long_poll_timeouts()).build();
        Inbox { client: Client::from_conf(config), url }
    }

    /// Waits up to so many seconds for messages, at most `max` of them.
    ///
    /// # Errors
    /// [`QueueError`] when the queue cannot be asked.
    pub async fn receive(&self, max: u64, wait_s: u64) -> Result<Vec<Received>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(RECEIVE_MAX).clamp(1, RECEIVE_MAX))
            .wait_time_seconds(i32::try_from(wait_s).unwrap_or(WAIT_MAX_S).min(WAIT_MAX_S))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await
            .map_err(|error| queue_error("ReceiveMessage", &self.url, &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(Received::from).collect())
    }

    /// Deletes messages that were received, at most ten.
    ///
    /// # Errors
    /// [`QueueError`] when one of them is not deleted: it will come again.
    pub async fn delete(&self, messages: &[Received]) -> Result<(), QueueError> {
        let entry = |(place, message): (usize, &Received)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry.receipt_handle(&message.receipt_handle).build().map_err(incomplete)
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let answer = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| queue_error("DeleteMessageBatch", &self.url, &error))?;
        answer.failed().first().map_or(Ok(()), |entry| Err(refused("DeleteMessageBatch", &self.url, entry)))
    }
}

impl From<Message> for Received {
    fn from(mut message: Message) -> Received {
        let group = message.attributes.as_mut().and_then(|all| all.remove(&MessageSystemAttributeName::MessageGroupId));
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        Received {
            message_id: message.message_id.unwrap_or_default(),
            group_id: group.unwrap_or_default(),
            attributes: attributes.filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
        }
    }
}
