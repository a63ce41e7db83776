//! JSON shapes of the answers over HTTP. Amounts are decimal numbers with two decimals in strings, instants are RFC 3339 in
//! UTC with milliseconds.

mod body;
mod changes;
mod check;
mod decisions;
mod jobs;
mod problem;
mod runs;
mod usage;

pub use body::{BodyError, Fields, read_plan_version};
pub use changes::{ChangeListView, ChangeView, NewLimitRequest, NewValueRequest};
pub use check::{CheckRequest, CheckView, read_check};
pub use decisions::{DecisionListView, DecisionView};
pub use jobs::{AssignmentRequest, JobFailureListView, JobListView, read_assignment};
pub use problem::{ProblemCode, ProblemView};
pub use runs::{LogEntryView, RunDecisionListView};
pub use usage::{CustomerUsageView, UsageView};
