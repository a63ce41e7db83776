//! Queue of assignments, as command-line arguments.

use anyhow::anyhow;
use loadgate::adapters::sqs::SqsJobQueue;
use loadgate::config::{ASSIGNMENT_QUEUE_URL, is_fifo, is_url};

use crate::cloud::{sdk_for_queue, url};
use crate::outcome::Failure;

/// Queue of assignments, as command-line arguments.
#[derive(clap::Args)]
pub struct JobQueueArgs {
    /// URL of the standard queue through which assignment jobs proceed
    #[arg(long, value_name = "URL", env = ASSIGNMENT_QUEUE_URL)]
    assignment_queue_url: Option<String>,

    /// SQS endpoint [default: AWS's own, or the queue's host if that is this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    sqs_endpoint_url: Option<String>,
}

impl JobQueueArgs {
    /// Returns the queue; `None` if none is named.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the URL is not that of a standard queue.
    pub async fn open(&self) -> Result<Option<SqsJobQueue>, Failure> {
        // A variable that is set to nothing counts as not set.
        let Some(queue_url) = self.assignment_queue_url.as_deref().filter(|url| !url.trim().is_empty()) else {
            return Ok(None);
        };
        if !is_url(queue_url) || is_fifo(queue_url) {
            return Err(Failure::Usage(anyhow!(
                "--assignment-queue-url, or {ASSIGNMENT_QUEUE_URL}, is not the URL of a standard queue"
            )));
        }
        let sdk = sdk_for_queue(queue_url, self.sqs_endpoint_url.as_deref()).await;
        Ok(Some(SqsJobQueue::new(&sdk, queue_url.to_owned())))
    }
}
