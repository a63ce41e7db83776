//! Requests to the decisions queue, which customers share.
//!
//! Each customer's group offers one decision at a time, and waits for its answer: so two decisions of one customer
//! never share a request, and the second does not go before the first is confirmed. Distinct customers' decisions are
//! gathered into requests.
//!
//! A shared request that has no answer soon is repeated for each customer alone, under the same deduplication ids, and
//! so is one that fails as a whole: a request that hangs or fails because of one customer delays the others only
//! briefly. A customer whose own request takes long shares none afterwards.

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

/// Time that a decision waits for those of other customers at most. They are usually committed within a few
/// milliseconds of one another.
const GATHER_MAX: Duration = Duration::from_millis(50);

/// Longest time that a request that customers share may go without an answer. Ten times what DynamoDB and SQS usually
/// take; with the wait before it, a customer's decision is repeated alone well within a second of its commit.
pub const SHARED_WAIT_MAX: Duration = Duration::from_millis(250);

/// Answer to an offer.
pub type GroupResult = Result<(), QueueError>;

enum Event {
    Offered(Offer),
    /// A group offers nothing more.
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
    /// Publishes a decision.
    pub async fn publish(&self, decision: &StoredDecision) -> GroupResult {
        let (answer, answered) = oneshot::channel();
        let _ =
            self.events.unbounded_send(Event::Offered(Offer { group: self.group, decision: decision.clone(), answer }));
        answered.await.unwrap_or_else(|_| Err(QueueError::no_answer()))
    }
}

impl Drop for SharedPublisher {
    fn drop(&mut self) {
        let _ = self.events.unbounded_send(Event::Ended(self.group));
    }
}

/// Gathers what groups offer into requests.
pub struct Requests<'q, Q, C> {
    publisher: &'q Q,
    clock: &'q C,
    events: mpsc::UnboundedReceiver<Event>,
    offers: Offers,
}

/// Decisions that wait to be sent.
struct Offers {
    /// Groups that may offer something soon.
    expected: BTreeSet<usize>,
    /// Groups that share no requests any more.
    slow: BTreeSet<usize>,
    /// Offers that wait for company.
    gathered: Vec<Offer>,
    /// Offers that go alone.
    alone: Vec<Offer>,
}

/// Result of one request.
#[derive(Default)]
struct Sent {
    /// The groups that have their answer.
    answered: Vec<usize>,
    /// Those of them that had a request of their own, which took long.
    slow: Vec<usize>,
    /// Offers that have to be made alone.
    again: Vec<Offer>,
}

/// Opens the decisions queue to so many groups.
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
    /// Sends until every group has ended.
    pub async fn run(self) {
        let Requests { publisher, clock, mut events, mut offers } = self;
        let (mut sending, mut gather_time) = (FuturesUnordered::new(), Fuse::terminated());
        loop {
            let was_gathering = !offers.gathered.is_empty();
            select_biased! {
                // First: who has an answer is expected again, or ends.
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
                offers.push(offer);
            }
        }
    }

    fn note_sent(&mut self, sent: Sent) {
        self.expected.extend(sent.answered);
        self.slow.extend(sent.slow);
        self.alone.extend(sent.again);
    }

    /// Requests that wait for nothing more.
    fn due(&mut self) -> Vec<Vec<Offer>> {
        let mut requests: Vec<Vec<Offer>> = self.alone.drain(..).map(|offer| vec![offer]).collect();
        if self.gathered.len() >= SEND_MAX || self.expected.is_empty() && !self.gathered.is_empty() {
            requests.push(std::mem::take(&mut self.gathered));
        }
        requests
    }
}

/// Makes one request, and answers each offer.
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

/// Waits for a shared request. `None` if it has to be repeated for each customer alone.
async fn shared<C: Clock>(request: impl Future<Output = Vec<GroupResult>>, clock: &C) -> Option<Vec<GroupResult>> {
    match select(pin!(request), pin!(clock.sleep(SHARED_WAIT_MAX))).await {
        Either::Left((answers, _)) => Some(answers).filter(|answers| answers.iter().any(Result::is_ok)),
        Either::Right(_) => None,
    }
}
