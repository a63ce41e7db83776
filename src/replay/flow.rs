//! Customers' groups on their way through a store: reads are shared and run ahead, customers go in parallel, each in
//! its own order.
//!
//! Groups wait in the input's order. A read takes as many of them as one request has room for, but none whose customer
//! is still under way with an earlier group: it would read what is about to change, and must not be decided first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::deciding::{Cause, Clock, Consistency, Snapshot, Store, StoreError};
use crate::deciding::{Decider, Group, GroupResult, Undecided, UndecidedReason, lookup};

/// The most keys that are read at once: as many as one `BatchGetItem` takes.
const KEYS_MAX: usize = 100;

/// Number of reads that run ahead of the commits: one comes while the other's groups are being decided.
const READS_MAX: usize = 2;

/// One customer's group of one block.
struct QueuedGroup {
    block: u64,
    customer_id: String,
    group: Group,
}

/// Result of a task.
enum TaskResult {
    Read(Vec<QueuedGroup>, Option<Arc<Snapshot>>),
    RenderedBlock { block: u64, customer_id: String, answer: GroupResult },
}

/// Groups under way.
pub(super) struct Flow<S, C> {
    decider: Arc<Decider<S, C>>,
    /// Number of customers that are decided at once.
    customers_max: usize,
    waiting: VecDeque<QueuedGroup>,
    /// Groups whose read is complete. Without a snapshot a group reads for itself.
    read: VecDeque<(QueuedGroup, Option<Arc<Snapshot>>)>,
    /// Customers under way: being read for, read for, or being decided.
    busy: BTreeSet<String>,
    reading: usize,
    deciding: usize,
    tasks: JoinSet<TaskResult>,
}

impl<S: Store + 'static, C: Clock + 'static> Flow<S, C> {
    pub(super) fn new(decider: Arc<Decider<S, C>>, customers_max: usize) -> Flow<S, C> {
        Flow {
            decider,
            customers_max,
            waiting: VecDeque::new(),
            read: VecDeque::new(),
            busy: BTreeSet::new(),
            reading: 0,
            deciding: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Takes in a block's groups, each of another customer.
    pub(super) fn take(&mut self, block: u64, groups: impl IntoIterator<Item = (String, Group)>) {
        self.waiting.extend(groups.into_iter().map(|(customer_id, group)| QueuedGroup { block, customer_id, group }));
        self.go_on();
    }

    /// Begins nothing any more. Work that has begun ends normally.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.read.clear();
        self.customers_max = 0;
    }

    /// Returns true when nothing is under way, and nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next group that has come to its end, with its block: none if its task broke off, because then nobody knows.
    /// May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<(Option<u64>, GroupResult)> {
        loop {
            match self.tasks.join_next().await? {
                Ok(TaskResult::Read(works, snapshot)) => {
                    self.reading -= 1;
                    self.read.extend(works.into_iter().map(|work| (work, snapshot.clone())));
                    self.go_on();
                }
                Ok(TaskResult::RenderedBlock { block, customer_id, answer }) => {
                    self.deciding -= 1;
                    self.busy.remove(&customer_id);
                    self.go_on();
                    return Some((Some(block), answer));
                }
                Err(error) => return Some((None, Err(Box::new(broken(error))))),
            }
        }
    }

    /// Begins what may be begun.
    fn go_on(&mut self) {
        while self.deciding < self.customers_max
            && let Some((work, snapshot)) = self.read.pop_front()
        {
            self.deciding += 1;
            self.tasks.spawn(decide(Arc::clone(&self.decider), work, snapshot));
        }
        while self.reading < READS_MAX && self.read.len() < self.customers_max {
            let works = self.next_read();
            if works.is_empty() {
                break;
            }
            self.reading += 1;
            self.tasks.spawn(read(Arc::clone(&self.decider), works));
        }
    }

    /// The groups that are read for next.
    fn next_read(&mut self) -> Vec<QueuedGroup> {
        let (mut works, mut held_up, mut keys) = (Vec::new(), Vec::new(), 0);
        while let Some(work) = self.waiting.pop_front() {
            if self.busy.contains(&work.customer_id) {
                held_up.push(work);
                continue;
            }
            keys += keys_of(&work.group);
            if keys > KEYS_MAX && !works.is_empty() {
                held_up.push(work);
                break;
            }
            self.busy.insert(work.customer_id.clone());
            works.push(work);
        }
        for work in held_up.into_iter().rev() {
            self.waiting.push_front(work);
        }
        works
    }
}

/// A record and a row for each delivery, at the most.
fn keys_of(group: &Group) -> usize {
    let wanted = lookup(&group.deliveries);
    wanted.events.len() + wanted.weeks.len()
}

/// Reads for some groups. A read that fails, or a group that is too large for one, is left to [`Decider::decide_all`],
/// which reads as often as it takes.
async fn read<S: Store, C: Clock>(decider: Arc<Decider<S, C>>, works: Vec<QueuedGroup>) -> TaskResult {
    if works.iter().map(|work| keys_of(&work.group)).sum::<usize>() > KEYS_MAX {
        return TaskResult::Read(works, None);
    }
    let wanted = lookup(works.iter().flat_map(|work| &work.group.deliveries));
    let snapshot = decider.store.read(&wanted, Consistency::Eventual).await;
    TaskResult::Read(works, snapshot.ok().map(Arc::new))
}

async fn decide<S: Store, C: Clock>(
    decider: Arc<Decider<S, C>>,
    QueuedGroup { block, customer_id, group }: QueuedGroup,
    snapshot: Option<Arc<Snapshot>>,
) -> TaskResult {
    let answer = decider.decide_all(group, snapshot).await;
    TaskResult::RenderedBlock { block, customer_id, answer }
}

/// A task that came to no end, because of an error in this program: of which line, it cannot say.
fn broken(error: JoinError) -> Undecided {
    let cause = Cause::with("deciding broke off: a defect of loadgate, please report it", error);
    Undecided { deliveries: vec![], stored: vec![], reason: UndecidedReason::Store(StoreError::Unavailable(cause)) }
}
