//! Jobs that link every customer of a programme to a plan version.
//!
//! 1. [`JobStarter`] draws the job's number, sends the first message, and stores the job: a stored job always has its message.
//! 2. A message for each **page** reads up to [`PAGE_CUSTOMERS_MAX`] customers of the roster and saves them, sends them in
//!    **chunks**, and then sends the next page's message. A saved page never changes, so that a page that is read again after a
//!    crash has the same chunks. A page whose successor is saved has sent its chunks.
//! 3. A message for each chunk links its customers, each by one conditional write: only over a lower number, and only if the
//!    customer is still in the programme. Then it stores the chunk's result, once.
//! 4. The last page makes the job `RUNNING` and sends the message that **finishes** the job once every chunk has its result.
//!
//! Each step may be repeated, at any time and by any number of workers: [`JobWorker`]. Progress is a query of the results:
//! [`JobReader`]. A link that carries the job's number was made by the job, so that a repeated chunk counts it as it did before.

use std::time::Duration;

use super::TRIES;

mod chunk;
mod enumerate;
mod local;
mod ports;
mod reader;
mod roster;
mod start;
mod worker;

pub use chunk::{CORRUPT_ITEM_CODE, NO_TIME_CODE};
pub use local::{LocalError, LocalQueue, run_job};
pub use ports::{JobChange, JobQueue, JobStore, ResultList};
pub use reader::{Canceled, FailureList, JobList, JobReader};
pub use roster::{RosterCursor, RosterPage, RosterShard};
pub use start::{JobStarter, NewJob, StartError};
pub use worker::{HandledJobs, JobDelivery, JobError, JobReport, JobWorker};

/// Maximum number of customers of a page. Every page but a job's last one has this number. With ids of 128 bytes, a page takes
/// 64 KiB.
pub const PAGE_CUSTOMERS_MAX: usize = 500;

/// Number of receipts after which the queue gives up a message: `maxReceiveCount` in template.yaml. At the last one, a chunk's
/// customers that cannot be linked are recorded as failed.
pub const RECEIVES_MAX: u64 = 5;

/// Maximum number of a chunk's customers that are linked at the same time. With the number of workers it bounds the capacity
/// that a job takes from decisions.
pub const LINKS_IN_PARALLEL_MAX: usize = 8;

/// Delay of a job's first message: time for storing the job.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);

/// Delay before a job is examined for its end. It is a tenth of the job's age, within these bounds. The upper one is the
/// longest of SQS (the SQS API reference, `DelaySeconds`).
pub const FINISH_DELAY_MIN: Duration = Duration::from_secs(15);
/// Longest delay before a job is examined for its end.
pub const FINISH_DELAY_MAX: Duration = Duration::from_mins(15);

/// Age from which a message whose job does not exist is dropped: its starter has failed before it stored the job.
pub const ORPHAN_AGE: Duration = Duration::from_mins(15);
