//! The exactly-once protocol: read first, decide purely, commit once, publish.
//!
//! Each customer's deliveries pass through rounds of their own ([`Decider::decide_group`]):
//! 1. **Read** the correlation records of the deliveries, the usage rows of their weeks, and the customer's settings:
//!    its own limits, and the plan version and programme that it is linked to.
//! 2. **Pass on** the leading deliveries whose decision is already stored. They never wait for the ones behind them.
//! 3. **Read again**, for a customer with a long limit: its fence and all weeks that the windows touch, in one transaction.
//! 4. **Decide** the deliveries in order, purely: [`Planner`].
//! 5. **Commit** the new records and changed rows conditionally, all or nothing. Then pass those on too.
//!
//! Decisions that are passed on are published, and written to the decision log where there is one.
//!
//! A conflict, a throttled request or an unknown outcome leads to another round, which reads strongly consistent. So
//! an outcome is looked up, never assumed. A commit whose answer was lost is found in the store under the message's
//! own id, and passed on as stored.
//!
//! [`consumer`] runs the protocol for a batch of messages from a queue.

pub(crate) mod backoff;
pub mod consumer;
pub mod dead_letter;
mod decider;
mod delivery;
mod digest;
mod error;
mod fence;
mod group;
#[cfg(feature = "http")]
mod inspect;
mod log;
mod message;
mod plan;
mod plans;
mod ports;
mod publication;
mod records;
#[cfg(feature = "http")]
mod remembered;
mod round;
mod settled_read;
mod usage;
mod usage_read;

pub use dead_letter::DeadLetter;
use decider::expiry;
pub use decider::{Decider, Outcome, PENDING_TTL, Remedy, remedy};
pub use delivery::{Delivery, MessageSource};
pub use digest::digest_hex;
pub use error::{Cause, QueueError, StoreError, with_sources};
pub use fence::{
    AllRows, FENCE_SETTLES_IN, FENCED_WEEKS_MAX, Fence, FenceWrite, FencedLookup, FencedSnapshot, FencedUsage,
    SNAPSHOT_AGE_MAX, endless, touched_weeks,
};
pub use group::{Cost, Group, GroupResult, Sink, Stopped, Undecided, UndecidedReason};
#[cfg(feature = "http")]
pub use inspect::{Checked, InForce, LimitInForce, LoadToCheck};
#[cfg(feature = "cli")]
pub use log::scan_pause;
pub use log::{DecisionLog, LogPage, LogReader, LogScan, LogStart, Run, delete_run, run_page, write_log};
pub use message::{
    Attribute, AttributeValue, Message, MessageContent, Outgoing, Receipt, Received, message, read_delivery,
    read_delivery_of,
};
pub use plan::{Plan, Planner, consistency, judge_seen};
pub use plans::{DEFAULT_PLAN_KEPT, PlanCache};
pub use ports::{
    COMMIT_ACTIONS_MAX, Clock, LOG_ENTRIES_MAX, Publisher, READ_KEYS_MAX, RECEIVE_MAX, Receiver, SEND_MAX, Sender,
    Store,
};
pub use publication::{confirmed, confirmed_and_kept, is_pending_long_enough, pending, write_publication};
pub use records::{
    Commit, Consistency, CorrelationRecord, CustomerSettings, Lookup, Metered, Publication, PublicationChange,
    Snapshot, Units, UsageChange, UsageCheck, UsageKey, UsageRow, WRITTEN_BYTES_MAX, Writes,
};
#[cfg(feature = "http")]
pub use remembered::{DecisionPage, RecordPage, RecordReader};
pub use round::{COMMITS_MAX, since};
pub use settled_read::read_settled;
