//! Dead letters of the stream of limit events, in a standard queue. They need no order: marks keep each limit's newest event.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::queue_error;
use super::{find, from_attribute};
use crate::deciding::{Attribute, QueueError};
use crate::limits::{LimitLetter, LimitLetters};

/// Body of the letter of an empty record: SQS takes no empty body. As Base64, it is nothing.
const NOTHING: &str = "\n";

/// A standard queue of dead letters.
#[derive(Clone, Debug)]
pub struct SqsLimitLetters {
    client: Client,
    url: String,
}

impl SqsLimitLetters {
    /// Creates a sender to this queue.
    pub fn new(config: &SdkConfig, url: String) -> SqsLimitLetters {
        SqsLimitLetters { client: Client::new(config), url }
    }

    /// Opens the connection, and checks that the queue exists.
    ///
    /// # Errors
    /// [`QueueError`], which is not retryable for a missing queue. The permission to send is not checked; only sending
    /// shows it.
    pub async fn connect(&self) -> Result<(), QueueError> {
        find(&self.client, &self.url).await
    }
}

impl LimitLetters for SqsLimitLetters {
    async fn send(&self, letter: LimitLetter<'_>) -> Result<(), QueueError> {
        let data = letter.data();
        let body = if data.is_empty() { NOTHING.to_owned() } else { STANDARD.encode(data) };
        let mut request = self.client.send_message().queue_url(&self.url).message_body(body);
        for (name, value) in letter.attributes() {
            request = request.message_attributes(name, from_attribute(Attribute::text(value))?);
        }
        request.send().await.map(drop).map_err(|error| queue_error("SendMessage", &self.url, &error))
    }
}
