//! Sender of messages to a FIFO queue, in each group's order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use futures_util::{StreamExt, stream};

use super::send_batch;
use crate::deciding::{Outgoing, QueueError, SEND_MAX, Sender};

/// Maximum size of one request's messages, in bytes. SQS now accepts more, but many emulators do not.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// Maximum number of concurrent requests. They hold messages of distinct groups.
const REQUESTS_MAX: usize = 8;

/// Maximum number of times that a refused message is sent.
const OFFERS_MAX: u32 = 5;

/// Delay before the second try. It doubles before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Sender to a FIFO queue.
#[derive(Clone, Debug)]
pub struct SqsSender {
    client: Client,
    url: String,
}

impl SqsSender {
    /// Creates a sender to a queue.
    pub fn new(config: &SdkConfig, url: String) -> SqsSender {
        SqsSender { client: Client::new(config), url }
    }

    async fn request(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueError>> {
        send_batch(&self.client, &self.url, messages).await
    }
}

impl Sender for SqsSender {
    /// Sends the messages. Two messages of one group never share a request, because a queue may refuse one message of a
    /// request and accept the others.
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        let mut groups = in_groups(messages);
        while !groups.is_empty() {
            let first: Vec<&Outgoing> = groups.iter().filter_map(|group| group.messages.front()).collect();
            let requests = requests(&first).into_iter().map(|request| request.into_iter().cloned().collect());
            let requests = stream::iter(requests.collect::<Vec<_>>()).map(|request| self.request(request));
            let answers: Vec<_> =
                requests.buffered(REQUESTS_MAX).collect::<Vec<_>>().await.into_iter().flatten().collect();
            for (group, answer) in groups.iter_mut().zip(answers) {
                group.note(answer)?;
            }
            groups.retain(|group| !group.messages.is_empty());
            let refusals = groups.iter().map(|group| group.refusals).max().unwrap_or(0);
            if refusals > 0 {
                tokio::time::sleep(FIRST_WAIT * (1 << (refusals - 1))).await;
            }
        }
        Ok(())
    }
}

/// Messages of one group, in order.
struct Group {
    messages: VecDeque<Outgoing>,
    /// Number of times that the first message was refused.
    refusals: u32,
}

impl Group {
    /// Records the queue's answer to the first message. Fails if the message must not be sent again.
    fn note(&mut self, answer: Result<(), QueueError>) -> Result<(), QueueError> {
        match answer {
            Ok(()) => {
                self.messages.pop_front();
                self.refusals = 0;
            }
            Err(error) if error.is_retryable && self.refusals + 1 < OFFERS_MAX => self.refusals += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Groups messages, in the order of the groups' first messages.
fn in_groups(messages: Vec<Outgoing>) -> Vec<Group> {
    let (mut places, mut groups) = (BTreeMap::new(), Vec::<Group>::new());
    for message in messages {
        let place = *places.entry(message.group_id.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.messages.push_back(message),
            None => groups.push(Group { messages: [message].into(), refusals: 0 }),
        }
    }
    groups
}

/// Splits messages into requests, in order.
fn requests<'m>(messages: &[&'m Outgoing]) -> Vec<Vec<&'m Outgoing>> {
    let mut requests: Vec<Vec<&Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        bytes += message.body.len();
        match requests.last_mut() {
            Some(request) if request.len() < SEND_MAX && bytes <= REQUEST_BYTES_MAX => request.push(message),
            _ => {
                bytes = message.body.len();
                requests.push(vec![message]);
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(group: &str, body: &str) -> Outgoing {
        Outgoing { group_id: group.to_owned(), deduplication_id: body.to_owned(), body: body.to_owned() }
    }

    #[test]
    fn groups_keep_their_order_and_requests_their_bounds() {
        let groups = in_groups(vec![message("b", "1"), message("a", "2"), message("b", "3")]);
        let bodies: Vec<Vec<&str>> =
            groups.iter().map(|group| group.messages.iter().map(|m| m.body.as_str()).collect()).collect();
        assert_eq!(bodies, [vec!["1", "3"], vec!["2"]]);

        let many: Vec<Outgoing> = (0..25).map(|n| message(&n.to_string(), "x")).collect();
        let sizes: Vec<usize> = requests(&many.iter().collect::<Vec<_>>()).iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 5]);
        let large = message("a", &"x".repeat(REQUEST_BYTES_MAX));
        let small = message("b", "x");
        assert_eq!(requests(&[&large, &small, &small, &large]).len(), 3);
    }
}
