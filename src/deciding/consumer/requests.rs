//! Requests to the decisions queue that customers share.
//!
//! Each customer's group offers one decision at a time, and waits for its answer. So two decisions of one customer
//! never share a request, and the second is sent only after the first is confirmed. Decisions of distinct customers
//! are gathered into requests.
//!
//! A shared request that has no answer soon, or that fails as a whole, is repeated for each customer alone, under the
//! same deduplication ids. So a request that hangs or fails because of one customer delays the others only briefly. A
//! customer whose own request takes long shares no request afterwards.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use chrono::TimeDelta;
use futures_channel::{mpsc, oneshot};
use futures_util::future::{Either, Fuse, FutureExt, select};
use futures_util::select_biased;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::deciding::{Clock, Publisher, QueueError, SEND_MAX};
use crate::domain::StoredDecision;

/// Maximum time that a decision waits for those of other customers. They are usually committed within a few
/// milliseconds of one another.
const GATHER_MAX: Duration = Duration::from_millis(50);

/// Maximum time that a shared request may take: ten times what DynamoDB and SQS usually need. Together with
/// `GATHER_MAX`, it lets a customer's decision be repeated alone well within a second of its commit.
pub const SHARED_WAIT_MAX: Duration = Duration::from_millis(250);

/// Result of one offer.
pub type GroupResult = Result<(), QueueError>;

enum Event {
    Offered(Box<Offer>),
    /// A group has no further offers.
    Ended(usize),
}

struct Offer {
    group: usize,
    decision: StoredDecision,
    answer: oneshot::Sender<GroupResult>,
}

/// One group's access to the decisions queue.
pub struct SharedPublisher {
    group: usize,
    events: mpsc::UnboundedSender<Event>,
}

impl SharedPublisher {
    /// Publishes a decision and waits for the queue's answer.
    pub async fn publish(&self, decision: &StoredDecision) -> GroupResult {
        let (answer, answered) = oneshot::channel();
        let offer = Offer { group: self.group, decision: decision.clone(), answer };
        let _ = self.events.unbounded_send(Event::Offered(Box::new(offer)));
        answered.await.unwrap_or_else(|_| Err(QueueError::no_answer()))
    }
}

impl Drop for SharedPublisher {
    fn drop(&mut self) {
        let _ = self.events.unbounded_send(Event::Ended(self.group));
    }
}

/// Gathers the groups' offers into requests.
pub struct Requests<'q, Q, C> {
    publisher: &'q Q,
    clock: &'q C,
    events: mpsc::UnboundedReceiver<Event>,
    offers: Offers,
}

/// Offers that are not sent yet.
struct Offers {
    /// Groups that may make an offer soon.
    expected: BTreeSet<usize>,
    /// Groups that no longer share requests.
    slow: BTreeSet<usize>,
    /// Offers that wait to share a request.
    gathered: Vec<Offer>,
    /// Offers that get a request of their own.
    alone: Vec<Offer>,
}

/// Result of one request.
#[derive(Default)]
struct Sent {
    /// Groups whose offer was answered.
    answered: Vec<usize>,
    /// Those of them whose unshared request took long.
    slow: Vec<usize>,
    /// Offers that must be repeated alone.
    again: Vec<Offer>,
}

/// Opens the decisions queue to `groups` groups.
pub fn open<'q, Q: Publisher, C: Clock>(
    publisher: &'q Q,
    clock: &'q C,
    groups: usize,
) -> (Vec<SharedPublisher>, Requests<'q, Q, C>) {
    let (sender, events) = mpsc::unbounded();
    let lines = (0..groups).map(|group| SharedPublisher { group, events: sender.clone() }).collect();
    let expected = (0..groups).collect();
    let offers = Offers { expected, slow: BTreeSet::new(), gathered: vec![], alone: vec![] };
    (lines, Requests { publisher, clock, events, offers })
}

impl<Q: Publisher, C: Clock> Requests<'_, Q, C> {
    /// Sends requests until every group has ended.
    pub async fn run(self) {
        let Requests { publisher, clock, mut events, mut offers } = self;
        let (mut sending, mut gather_time) = (FuturesUnordered::new(), Fuse::terminated());
        loop {
            let was_gathering = !offers.gathered.is_empty();
            select_biased! {
                // Answers come first: an answered group is expected to offer again, or to end.
                sent = sending.select_next_some() => offers.note_sent(sent),
                event = events.select_next_some() => offers.note(event),
                () = gather_time => offers.expected.clear(),
                complete => return,
            }
            for request in offers.due() {
                sending.push(send(publisher, clock, request));
            }
            match (was_gathering, !offers.gathered.is_empty()) {
                (false, true) => gather_time = clock.sleep(GATHER_MAX).boxed().fuse(),
                (true, false) => gather_time = Fuse::terminated(),
                _ => {}
            }
        }
    }
}

impl Offers {
    fn note(&mut self, event: Event) {
        match event {
            Event::Ended(group) => {
                self.expected.remove(&group);
            }
            Event::Offered(offer) => {
                self.expected.remove(&offer.group);
                let offers = if self.slow.contains(&offer.group) { &mut self.alone } else { &mut self.gathered };
                offers.push(*offer);
            }
        }
    }

    fn note_sent(&mut self, sent: Sent) {
        self.expected.extend(sent.answered);
        self.slow.extend(sent.slow);
        self.alone.extend(sent.again);
    }

    /// Returns the requests that are ready to be sent.
    fn due(&mut self) -> Vec<Vec<Offer>> {
        let mut requests: Vec<Vec<Offer>> = self.alone.drain(..).map(|offer| vec![offer]).collect();
        if self.gathered.len() >= SEND_MAX || self.expected.is_empty() && !self.gathered.is_empty() {
            requests.push(std::mem::take(&mut self.gathered));
        }
        requests
    }
}

/// Sends one request, and answers each of its offers.
async fn send<Q: Publisher, C: Clock>(publisher: &Q, clock: &C, offers: Vec<Offer>) -> Sent {
    let begun = clock.now();
    let decisions: Vec<&StoredDecision> = offers.iter().map(|offer| &offer.decision).collect();
    let request = publisher.publish(&decisions);
    let answers = if offers.len() == 1 { Some(request.await) } else { shared(request, clock).await };
    drop(decisions);
    let Some(answers) = answers else { return Sent { again: offers, ..Sent::default() } };
    let is_slow = clock.now() - begun > TimeDelta::from_std(SHARED_WAIT_MAX).unwrap_or(TimeDelta::MAX);
    let answered: Vec<usize> = offers.iter().map(|offer| offer.group).collect();
    let slow = if is_slow && offers.len() == 1 { answered.clone() } else { vec![] };
    let answers = answers.into_iter().chain(std::iter::repeat_with(|| Err(QueueError::no_answer())));
    for (offer, answer) in offers.into_iter().zip(answers) {
        let _ = offer.answer.send(answer);
    }
    Sent { answered, slow, again: vec![] }
}

/// Waits for a shared request. Returns `None` if it must be repeated for each customer alone.
async fn shared<C: Clock>(request: impl Future<Output = Vec<GroupResult>>, clock: &C) -> Option<Vec<GroupResult>> {
    match select(pin!(request), pin!(clock.sleep(SHARED_WAIT_MAX))).await {
        Either::Left((answers, _)) => Some(answers).filter(|answers| answers.iter().any(Result::is_ok)),
        Either::Right(_) => None,
    }
}
