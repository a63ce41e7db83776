//! Which limits apply to a customer: limit events, and the definitions that they leave.
//!
//! A stream of events defines customers' own limits and reports their progress. Events arrive repeated, reordered and
//! late. Each limit has two marks, one for its definition and one for its reported progress, and each takes an event
//! only if its sequence number is above the mark. So the order of the events has no effect on the result.
//!
//! Plans, programmes and links (`plans`) determine the limits that apply before a customer's own.
//!
//! [`judge()`] has the rules. [`LimitBook`] applies events in memory; [`LimitApplier`] applies them to a store, which any
//! number of appliers share. [`LimitConsumer`] takes the events from a stream.

use std::time::Duration;

use crate::deciding::backoff::Backoff;

mod answer;
mod applier;
mod batch;
mod book;
mod change_attempt;
mod changer;
mod customer;
mod in_force;
pub mod jobs;
mod judge;
mod letter;
mod plans;
mod ports;
mod precondition;
mod progress;
mod stream;

pub use answer::{ANSWER_KEPT, AnswerStore, Keep, KeptAnswer, RequestKey};
pub use applier::{ApplyError, LimitApplier};
pub use batch::CUSTOMERS_IN_PARALLEL_MAX;
pub use book::{LimitBook, LimitEntry};
pub use changer::{LimitChangeError, LimitChanger, NewLimit};
pub use customer::{CLOSED_KEPT_MS, CustomerLimits, VersionedLimit};
pub use in_force::AllLimits;
pub use judge::{Applied, Judgement, LimitChange, LimitPointer, judge};
pub use letter::{
    LimitLetter, LimitLetters, PART_BYTES, RECORD_BYTES_ATTRIBUTE, SEQUENCE_NUMBER_ATTRIBUTE, SHARD_ID_ATTRIBUTE,
    WHOLE_BYTES_MAX,
};
pub use plans::{
    Author, Enrollment, Link, LinkStore, Membership, PlanError, PlanPage, PlanStore, Plans, Program, ProgramStore,
    PutPlan, ROSTER_SHARDS, StoredPlan, roster_shard,
};
pub use ports::{ChangePage, CustomerWrite, LimitStore, LimitWrite, PointerWrite, ReportedLimit, StoredLimit};
pub use precondition::Precondition;
pub use progress::LimitReader;
pub use stream::{AppliedRecords, CORRUPT_ITEM, LimitConsumer, LimitRecord, LimitReport};

/// Tries of a request to the store for a message or a record, with the waits between them: 7.2 s in all.
pub(crate) const TRIES: Backoff = Backoff::new(10, Duration::from_millis(25), Duration::from_secs(2));

/// Tries of a request to the store for which a caller waits, with the waits between them: 1.3 s in all.
const CALLER_TRIES: Backoff = Backoff::new(10, Duration::from_millis(20), Duration::from_millis(200));
