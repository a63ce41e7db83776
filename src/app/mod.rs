//! The use cases over the rules, and the ports through which they reach the world.
//!
//! - [`consumer`]: a batch of messages from a queue: decided, committed, published.
//! - [`deciding`]: read first, decide purely, commit once.
//! - [`redrive`]: what becomes of dead letters.
//! - [`ledger`]: the same decisions in memory, for files.

mod backoff;
pub mod consumer;
pub mod dead_letter;
pub mod deciding;
mod digest;
mod inbox;
#[cfg(feature = "replay")]
pub mod ledger;
#[cfg(feature = "cli")]
mod manifest;
mod outgoing;
mod ports;
mod records;
pub mod redrive;
#[cfg(feature = "replay")]
mod tally;

pub use dead_letter::DeadLetter;
pub use digest::digest_hex;
pub use inbox::{Attribute, AttributeValue, Inbox, RECEIVE_MAX, Receipt, Received};
#[cfg(feature = "cli")]
pub use manifest::{Comparison, Entered, Manifest, ManifestCheck, ManifestEntry};
pub use outgoing::{Outbox, Outgoing, SEND_MAX, can_be_body};
pub use ports::{
    Cause, Clock, Consistency, Lookup, QueueError, Queues, Remark, Snapshot, Store, StoreError, Units, with_sources,
};
pub use records::{Commit, CorrelationRecord, UsageChange, UsageCheck, UsageKey, UsageRow, WRITTEN_BYTES_MAX, Writes};
#[cfg(feature = "replay")]
pub use tally::Tally;
