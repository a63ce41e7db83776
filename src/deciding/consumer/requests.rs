//! Requests that customers share: to the decisions queue, and to the decision log.
//!
//! Each customer's group makes one offer at a time, and waits for its answer. So two decisions of one customer never
//! share a request to the queue, and the second is sent only after the first is confirmed. Offers of distinct customers
//! are gathered into requests.
//!
//! A shared request that has no answer soon, or that fails as a whole, is repeated for each customer alone. Repeating
//! does no harm: a decision keeps its deduplication id, and an entry of the log its bytes. So a request that hangs or
//! fails because of one customer delays the others only briefly. A customer whose own request takes long shares no
//! request afterwards.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use chrono::TimeDelta;
use futures_channel::{mpsc, oneshot};
use futures_util::future::{Either, Fuse, FutureExt, select};
use futures_util::select_biased;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::deciding::Clock;

/// Maximum time that an offer waits for those of other customers. They are usually committed within a few milliseconds
/// of one another.
const GATHER_MAX: Duration = Duration::from_millis(50);

/// Maximum time that a shared request may take: ten times what DynamoDB and SQS usually need. Together with
/// `GATHER_MAX`, it lets a customer's offer be repeated alone well within a second of its commit.
pub const SHARED_WAIT_MAX: Duration = Duration::from_millis(250);

/// Destination of shared requests.
pub trait Target: Sync {
    /// What a request consists of.
    type Item: Clone + Send + Sync;
    /// Reason why an item is not taken.
    type Error: Send;
    /// Maximum number of items in one request.
    const ITEMS_MAX: usize;

    /// Sends a request. Each item may fail alone. The answers are in the order of the items.
    fn send(&self, items: &[&Self::Item]) -> impl Future<Output = Answers<Self>> + Send;

    /// Returns the error of an item without an answer.
    fn no_answer() -> Self::Error;
}

/// Answers to the items of an offer or a request, in order.
pub type Answers<T> = Vec<Result<(), <T as Target>::Error>>;

enum Event<T: Target> {
    Offered(Offer<T>),
    /// A group has no further offers.
    Ended(usize),
}

struct Offer<T: Target> {
    group: usize,
    items: Vec<T::Item>,
    answer: oneshot::Sender<Answers<T>>,
}

/// One group's access to a target.
pub struct Access<T: Target> {
    group: usize,
    events: mpsc::UnboundedSender<Event<T>>,
}

impl<T: Target> Access<T> {
    /// Offers items, at most [`Target::ITEMS_MAX`], and waits for their answers.
    pub async fn offer(&self, items: Vec<T::Item>) -> Answers<T> {
        let (answer, answered) = oneshot::channel();
        let count = items.len();
        let _ = self.events.unbounded_send(Event::Offered(Offer { group: self.group, items, answer }));
        answered.await.unwrap_or_else(|_| no_answers::<T>().take(count).collect())
    }
}

impl<T: Target> Drop for Access<T> {
    fn drop(&mut self) {
        let _ = self.events.unbounded_send(Event::Ended(self.group));
    }
}

/// Gathers the groups' offers into requests.
pub struct Requests<'c, T: Target, C> {
    target: T,
    clock: &'c C,
    events: mpsc::UnboundedReceiver<Event<T>>,
    offers: Offers<T>,
}

/// Offers that are not sent yet.
struct Offers<T: Target> {
    /// Groups that may make an offer soon.
    expected: BTreeSet<usize>,
    /// Groups that no longer share requests.
    slow: BTreeSet<usize>,
    /// Offers that wait to share a request.
    gathered: Vec<Offer<T>>,
    /// Offers that get a request of their own.
    alone: Vec<Offer<T>>,
}

/// Result of one request.
struct Sent<T: Target> {
    /// Groups whose offer was answered.
    answered: Vec<usize>,
    /// Those of them whose unshared request took long.
    slow: Vec<usize>,
    /// Offers that must be repeated alone.
    again: Vec<Offer<T>>,
}

/// Opens a target to `groups` groups.
pub fn open<T: Target, C: Clock>(target: T, clock: &C, groups: usize) -> (Vec<Access<T>>, Requests<'_, T, C>) {
    let (sender, events) = mpsc::unbounded();
    let accesses = (0..groups).map(|group| Access { group, events: sender.clone() }).collect();
    let expected = (0..groups).collect();
    let offers = Offers { expected, slow: BTreeSet::new(), gathered: vec![], alone: vec![] };
    (accesses, Requests { target, clock, events, offers })
}

impl<T: Target, C: Clock> Requests<'_, T, C> {
    /// Sends requests until every group has ended.
    pub async fn run(self) {
        let Requests { target, clock, mut events, mut offers } = self;
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
                sending.push(send(&target, clock, request));
            }
            match (was_gathering, !offers.gathered.is_empty()) {
                (false, true) => gather_time = clock.sleep(GATHER_MAX).boxed().fuse(),
                (true, false) => gather_time = Fuse::terminated(),
                _ => {}
            }
        }
    }
}

impl<T: Target> Offers<T> {
    fn note(&mut self, event: Event<T>) {
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

    fn note_sent(&mut self, sent: Sent<T>) {
        self.expected.extend(sent.answered);
        self.slow.extend(sent.slow);
        self.alone.extend(sent.again);
    }

    /// Returns the requests that are ready to be sent: those with no room for another offer, and the rest once no group
    /// is expected to offer.
    fn due(&mut self) -> Vec<Vec<Offer<T>>> {
        let mut requests: Vec<Vec<Offer<T>>> = self.alone.drain(..).map(|offer| vec![offer]).collect();
        let (mut request, mut items) = (Vec::new(), 0);
        for offer in std::mem::take(&mut self.gathered) {
            items += offer.items.len();
            if items > T::ITEMS_MAX && !request.is_empty() {
                items = offer.items.len();
                requests.push(std::mem::take(&mut request));
            }
            request.push(offer);
        }
        if items >= T::ITEMS_MAX || self.expected.is_empty() && !request.is_empty() {
            requests.push(request);
        } else {
            self.gathered = request;
        }
        requests
    }
}

/// Sends one request, and answers each of its offers.
async fn send<T: Target, C: Clock>(target: &T, clock: &C, offers: Vec<Offer<T>>) -> Sent<T> {
    let begun = clock.now();
    let items: Vec<&T::Item> = offers.iter().flat_map(|offer| &offer.items).collect();
    let request = target.send(&items);
    let answers = if offers.len() == 1 { Some(request.await) } else { shared::<T, C>(request, clock).await };
    drop(items);
    let Some(answers) = answers else { return Sent { answered: vec![], slow: vec![], again: offers } };
    let is_slow = clock.now() - begun > TimeDelta::from_std(SHARED_WAIT_MAX).unwrap_or(TimeDelta::MAX);
    let answered: Vec<usize> = offers.iter().map(|offer| offer.group).collect();
    let slow = if is_slow && offers.len() == 1 { answered.clone() } else { vec![] };
    let mut answers = answers.into_iter().chain(no_answers::<T>());
    for Offer { items, answer, .. } in offers {
        let _ = answer.send(answers.by_ref().take(items.len()).collect());
    }
    Sent { answered, slow, again: vec![] }
}

/// Waits for a shared request. Returns `None` if it must be repeated for each customer alone.
async fn shared<T: Target, C: Clock>(request: impl Future<Output = Answers<T>>, clock: &C) -> Option<Answers<T>> {
    match select(pin!(request), pin!(clock.sleep(SHARED_WAIT_MAX))).await {
        Either::Left((answers, _)) => Some(answers).filter(|answers| answers.iter().any(Result::is_ok)),
        Either::Right(_) => None,
    }
}

fn no_answers<T: Target>() -> impl Iterator<Item = Result<(), T::Error>> {
    std::iter::repeat_with(|| Err(T::no_answer()))
}
