//! One customer's deliveries, the receiver of their outcomes, and the reasons why some cannot be settled.

use std::ops::AddAssign;
use std::time::Duration;

use crate::deciding::{CorrelationRecord, Delivery, Outcome, Run, StoreError, Units};

/// One customer's deliveries, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// The run under which their decisions are logged; `None` if new decisions are not logged.
    pub run: Option<Run>,
}

/// Receives the outcomes of one customer's deliveries.
pub trait Sink: Send {
    /// Takes the next outcomes, in order, as soon as they are stored. After [`Stopped`], nothing more of this
    /// customer is decided.
    fn take(&mut self, settled: Vec<(Delivery, Outcome)>) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// Returns true while another request may begin.
    fn may_begin(&self) -> bool {
        true
    }

    /// Receives the cost of one step.
    fn spent(&self, _cost: Cost) {}
}

/// Outcomes of one customer's deliveries, in order; or the first delivery that could not be settled, and those behind
/// it.
pub type GroupResult = Result<Vec<(Delivery, Outcome)>, Box<Undecided>>;

/// Signal that a sink takes nothing more of its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Cost of reading and committing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Capacity consumed.
    pub units: Units,
    /// Commits that lost to another writer.
    pub conflicts: u64,
    /// Time spent reading.
    pub read_time: Duration,
    /// Time spent committing.
    pub commit_time: Duration,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.units += other.units;
        self.conflicts += other.conflicts;
        self.read_time += other.read_time;
        self.commit_time += other.commit_time;
    }
}

/// Deliveries that could not be settled.
#[derive(Clone, Debug)]
pub struct Undecided {
    /// The deliveries, in order. None before them is among them.
    pub deliveries: Vec<Delivery>,
    /// Records of those of them whose decision is already stored, and must still be published.
    pub stored: Vec<CorrelationRecord>,
    /// The reason why they could not be settled.
    pub reason: UndecidedReason,
}

/// Reason why deliveries could not be settled.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UndecidedReason {
    /// The store failed, and retries did not help or cannot help.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decisions are stored, and are not known to be logged.
    #[error("decided, but not written to the decision log")]
    Log(#[source] StoreError),
    /// The deadline is near.
    #[error("the deadline is near")]
    Deadline,
    /// An earlier decision of the customer is not published.
    #[error("an earlier decision of the customer is not published")]
    Stopped,
}
