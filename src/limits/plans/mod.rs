//! Plans, programmes and links: which plan version applies to a customer, and the changes of it.
//!
//! Every change is conditional on what it was based on, so that two people never overwrite each other silently.

mod change;
mod ports;
mod programs;
mod records;
mod service;

pub use change::PlanError;
pub use ports::{LinkStore, PlanStore, ProgramStore};
pub use records::{Author, Enrollment, Link, Membership, PlanPage, Program, ROSTER_SHARDS, StoredPlan, roster_shard};
pub use service::{Plans, PutPlan};
