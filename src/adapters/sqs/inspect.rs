//! Looking at how a queue is set.

use std::str::FromStr;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;

use super::error::queue_error;
use crate::deciding::{Cause, QueueError};

/// Settings of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// True when it keeps the order of its groups.
    pub is_fifo: bool,
    /// Time that a received message is invisible to others.
    pub visibility: Duration,
    /// Time that a message is kept.
    pub retention: Duration,
    /// About how many messages can be received.
    pub messages: u64,
    /// About how many have been received and are not deleted.
    pub messages_in_flight: u64,
    /// Redrive policy; `None` when messages stay in the queue however often they are received.
    pub redrive: Option<RedrivePolicy>,
}

/// Destination of messages that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The dead-letter queue.
    pub dead_letter_target_arn: String,
    /// Number of times that a message is received before.
    #[serde(deserialize_with = "number")]
    pub max_receive_count: u64,
}

impl RedrivePolicy {
    /// The dead-letter queue's name.
    pub fn target(&self) -> &str {
        self.dead_letter_target_arn.rsplit(':').next().unwrap_or_default()
    }

    /// Returns true when the dead-letter queue is the one with this URL. Of both, only the name tells.
    pub fn leads_to(&self, queue_url: &str) -> bool {
        queue_url.rsplit('/').next() == Some(self.target())
    }
}

/// SQS gives it back as it was set: as a number, or as a string of digits.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom("no number"))
}

/// Asks how a queue is set.
///
/// # Errors
/// [`QueueError`] when there is no such queue, or it may not be asked.
pub async fn queue_settings(sdk: &SdkConfig, url: &str) -> Result<QueueSettings, QueueError> {
    let request = Client::new(sdk).get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let answer = request.send().await.map_err(|error| queue_error("GetQueueAttributes", url, &error))?;
    let attributes = answer.attributes.unwrap_or_default();
    let text = |name| attributes.get(&name).map_or("", String::as_str);
    let redrive = text(QueueAttributeName::RedrivePolicy);
    let redrive = match redrive {
        "" => None,
        policy => Some(serde_json::from_str(policy).map_err(|error| {
            let what = format!("GetQueueAttributes on {url}: its redrive policy cannot be understood");
            QueueError { cause: Cause::with(what, error), is_retryable: false }
        })?),
    };
    Ok(QueueSettings {
        is_fifo: text(QueueAttributeName::FifoQueue) == "true",
        visibility: seconds(text(QueueAttributeName::VisibilityTimeout)),
        retention: seconds(text(QueueAttributeName::MessageRetentionPeriod)),
        messages: parsed(text(QueueAttributeName::ApproximateNumberOfMessages)),
        messages_in_flight: parsed(text(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)),
        redrive,
    })
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(parsed(text))
}

fn parsed<T: FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}
