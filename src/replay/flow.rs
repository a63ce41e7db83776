//! Scheduling of customers' groups through a store. Reads are shared and run ahead, customers are decided in
//! parallel, and each customer's groups in order.
//!
//! Groups wait in the input's order. A read takes as many of them as one request has room for, except those whose
//! customer has an earlier group in progress. Such a group would read data that is about to change, and must not be
//! decided first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::deciding::{
    Cause, Clock, Consistency, Decider, Group, GroupResult, READ_KEYS_MAX, Snapshot, Store, StoreError, Undecided,
    UndecidedReason,
};

/// Maximum number of reads that run ahead of the commits. One read arrives while the other's groups are being
/// decided.
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

/// Groups that wait or are in progress.
pub(super) struct Flow<S, C> {
    decider: Arc<Decider<S, C>>,
    /// Maximum number of customers that are decided at once.
    customers_max: usize,
    waiting: VecDeque<QueuedGroup>,
    /// Groups whose read is complete. A group without a snapshot reads for itself.
    read: VecDeque<(QueuedGroup, Option<Arc<Snapshot>>)>,
    /// Customers with a group in progress: being read, read, or being decided.
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

    /// Adds a block's groups, each of a distinct customer.
    pub(super) fn take(&mut self, block: u64, groups: impl IntoIterator<Item = (String, Group)>) {
        self.waiting.extend(groups.into_iter().map(|(customer_id, group)| QueuedGroup { block, customer_id, group }));
        self.go_on();
    }

    /// Begins nothing more. Tasks that have begun are completed.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.read.clear();
        self.customers_max = 0;
    }

    /// Returns true when no group waits or is in progress.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns the next completed group, with its block. The block is `None` if the task panicked, because it is then
    /// unknown. The future may be dropped while it waits.
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

    /// Begins as many reads and decisions as the limits allow.
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

    /// Takes the groups for the next read.
    fn next_read(&mut self) -> Vec<QueuedGroup> {
        let (mut works, mut held_up, mut keys) = (Vec::new(), Vec::new(), 0);
        while let Some(work) = self.waiting.pop_front() {
            if self.busy.contains(&work.customer_id) {
                held_up.push(work);
                continue;
            }
            keys += keys_of(&self.decider, &work.group);
            if keys > READ_KEYS_MAX && !works.is_empty() {
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

/// Returns the number of keys that are read for a group.
fn keys_of<S, C>(decider: &Decider<S, C>, group: &Group) -> usize {
    decider.lookup(&group.deliveries).keys()
}

/// Reads for some groups. A failed read, or a group that is too large for one read, is left to
/// [`Decider::decide_all`], which reads as often as needed.
async fn read<S: Store, C: Clock>(decider: Arc<Decider<S, C>>, works: Vec<QueuedGroup>) -> TaskResult {
    if works.iter().map(|work| keys_of(&decider, &work.group)).sum::<usize>() > READ_KEYS_MAX {
        return TaskResult::Read(works, None);
    }
    let deliveries = works.iter().flat_map(|work| &work.group.deliveries);
    let snapshot = decider.read(deliveries, Consistency::Eventual).await;
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

/// Returns the error for a task that panicked or was cancelled, a defect of this program. Its lines are unknown.
fn broken(error: JoinError) -> Undecided {
    let cause = Cause::with("deciding broke off: a defect of loadgate, please report it", error);
    Undecided { deliveries: vec![], stored: vec![], reason: UndecidedReason::Store(StoreError::Unavailable(cause)) }
}
