//! The queue of assignments: a standard queue. Jobs need no order, and no message must wait for another.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::error::{queue_error, refused};
use super::{find, in_order, unbuilt};
use crate::deciding::{QueueError, SEND_MAX};
use crate::domain::JobMessage;
use crate::limits::jobs::JobQueue;
use crate::wire::job_message;

/// Maximum number of times that messages are sent of which a request refuses some.
const OFFERS_MAX: u32 = 5;

/// Delay before the second try. It doubles before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The queue of assignments.
#[derive(Clone, Debug)]
pub struct SqsJobQueue {
    client: Client,
    url: String,
}

impl SqsJobQueue {
    /// Creates a sender to this queue.
    pub fn new(config: &SdkConfig, url: String) -> SqsJobQueue {
        SqsJobQueue { client: Client::new(config), url }
    }

    /// Opens the connection, and checks that the queue exists.
    ///
    /// # Errors
    /// [`QueueError`], which is not retryable for a missing queue. The permission to send is not checked; only sending
    /// shows it.
    pub async fn connect(&self) -> Result<(), QueueError> {
        find(&self.client, &self.url).await
    }

    /// Sends up to ten messages in one request. The answers are in the messages' order.
    async fn request(&self, messages: &[&JobMessage], delay_s: i32) -> Result<Vec<Result<(), QueueError>>, QueueError> {
        let entry = |(place, message): (usize, &&JobMessage)| {
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).delay_seconds(delay_s);
            entry.message_body(job_message(message)).build().map_err(unbuilt)
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| queue_error("SendMessageBatch", &self.url, &error))?;
        let taken = answer.successful().iter().map(|entry| (entry.id(), Ok(())));
        let failed =
            answer.failed().iter().map(|entry| (entry.id(), Err(refused("SendMessageBatch", &self.url, entry))));
        Ok(in_order(messages.len(), taken.chain(failed), || Err(QueueError::no_answer())))
    }

    /// Sends up to ten messages, and those that the queue refuses for the moment once more.
    async fn send_some(&self, messages: &[JobMessage], delay_s: i32) -> Result<(), QueueError> {
        let (mut left, mut wait) = (messages.iter().collect::<Vec<_>>(), FIRST_WAIT);
        for offer in 1..=OFFERS_MAX {
            let answers = self.request(&left, delay_s).await?;
            let mut refused = Vec::new();
            for (message, answer) in left.into_iter().zip(answers) {
                match answer {
                    Ok(()) => {}
                    Err(error) if error.is_retryable && offer < OFFERS_MAX => refused.push(message),
                    Err(error) => return Err(error),
                }
            }
            left = refused;
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
        }
        Ok(())
    }
}

impl JobQueue for SqsJobQueue {
    async fn send(&self, messages: &[JobMessage], delay: Duration) -> Result<(), QueueError> {
        // Rounded up: an early message is what the delay is there to avoid.
        let delay_s = i32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        for some in messages.chunks(SEND_MAX) {
            self.send_some(some, delay_s).await?;
        }
        Ok(())
    }
}
