//! A local SQS server with FIFO semantics. All tests of this process share one server.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::SqsReceiver;
use loadgate::deciding::{Received, Receiver};

use super::local::{Guarded, tool, wait_for_port};
use super::{free_port, fresh_names};

pub fn sqs() -> &'static str {
    static SERVER: OnceLock<(String, Guarded)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let server = Guarded::start(&tool("venv").join("bin/ministack"), |ministack| {
            ministack.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
            ministack.env("IOT_MTLS_ENABLED", "0").env("AWS_ENDPOINT_URL", &url);
            ministack.stdout(Stdio::null()).stderr(Stdio::null());
        });
        wait_for_port(port);
        (url, server)
    });
    url
}

/// Creates a FIFO queue that no other test uses, and returns its URL.
pub async fn fresh_queue() -> String {
    fresh_queue_with(&[]).await
}

/// Creates such a queue with further attributes. The attribute `DelaySeconds` makes it a standard queue.
pub async fn fresh_queue_with(attributes: &[(QueueAttributeName, &str)]) -> String {
    let client = Client::new(&aws::load(Some(sqs())).await);
    let mut attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let is_fifo = !attributes.contains_key(&QueueAttributeName::DelaySeconds);
    let name = if is_fifo { format!("{}.fifo", fresh_names().load) } else { fresh_names().load };
    if is_fifo {
        attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
    }
    let queue = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
    queue.queue_url.unwrap().replace("localhost", "127.0.0.1")
}

/// Queues of one consumer.
pub struct Queues {
    pub input: String,
    pub decisions: String,
    pub dead_letters: String,
}

impl Queues {
    /// Creates queues that no other test uses. They have the template's settings, except for this visibility time-out
    /// and maximum number of deliveries.
    pub async fn fresh(visibility_s: u32, receive_max: u32) -> Queues {
        let fortnight = "1209600";
        let keeps = |time| [(QueueAttributeName::MessageRetentionPeriod, time)];
        let (decisions, dead_letters) =
            (fresh_queue_with(&keeps(fortnight)).await, fresh_queue_with(&keeps(fortnight)).await);
        let name = dead_letters.rsplit('/').next().unwrap();
        let redrive = format!(
            r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{name}","maxReceiveCount":{receive_max}}}"#
        );
        let input = fresh_queue_with(&[
            (QueueAttributeName::MessageRetentionPeriod, fortnight),
            (QueueAttributeName::VisibilityTimeout, &visibility_s.to_string()),
            (QueueAttributeName::RedrivePolicy, &redrive),
        ])
        .await;
        Queues { input, decisions, dead_letters }
    }
}

/// Receives and deletes all visible messages of a queue.
pub async fn drain(url: &str) -> Vec<Received> {
    let queue = SqsReceiver::new(&aws::load(Some(sqs())).await, url.to_owned());
    let mut all = Vec::new();
    loop {
        let received = queue.receive(10, Duration::ZERO, None).await.unwrap();
        if received.is_empty() {
            return all;
        }
        let receipts: Vec<_> = received.iter().map(|message| message.receipt.clone()).collect();
        assert!(queue.delete(&receipts).await.iter().all(Result::is_ok));
        all.extend(received);
    }
}
