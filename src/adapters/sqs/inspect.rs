//! Inspection of a queue's settings.

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
    /// True for a FIFO queue.
    pub is_fifo: bool,
    /// Time for which a received message is invisible to other receivers.
    pub visibility: Duration,
    /// Time for which a message is kept.
    pub retention: Duration,
    /// Approximate number of messages that can be received.
    pub messages: u64,
    /// Approximate number of messages that have been received and not deleted.
    pub messages_in_flight: u64,
    /// Redrive policy; `None` if the queue has no dead-letter queue.
    pub redrive: Option<RedrivePolicy>,
}

/// Destination of messages that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// ARN of the dead-letter queue.
    pub dead_letter_target_arn: String,
    /// Number of receptions after which a message is moved.
    #[serde(deserialize_with = "number")]
    pub max_receive_count: u64,
}

impl RedrivePolicy {
    /// Returns the name of the dead-letter queue.
    pub fn target(&self) -> &str {
        self.dead_letter_target_arn.rsplit(':').next().unwrap_or_default()
    }

    /// Returns true if the dead-letter queue has this URL. Only the names are compared.
    pub fn leads_to(&self, queue_url: &str) -> bool {
        queue_url.rsplit('/').next() == Some(self.target())
    }
}

/// Parses a number. SQS returns it as it was set: as a number, or as a string of digits.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom("no number"))
}

/// Reads the settings of a queue.
///
/// # Errors
/// [`QueueError`] if the queue does not exist, or its settings must not be read.
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
