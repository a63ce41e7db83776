//! JSON forms of input and output. Only this module knows the form of an attempt, a decision or a reject.

#[cfg(feature = "http")]
pub mod api;
mod attempt;
mod decision;
#[cfg(any(feature = "cli", feature = "http"))]
mod job;
#[cfg(any(feature = "aws", feature = "http"))]
mod job_message;
mod json;
mod limit_event;
#[cfg(any(feature = "cli", feature = "http"))]
mod limit_progress;
mod limits;
#[cfg(feature = "replay")]
pub(crate) mod lines;
#[cfg(any(feature = "cli", feature = "http"))]
mod plan;
#[cfg(feature = "replay")]
mod reject;
mod text;

pub use attempt::{attempt_line, parse_attempt, read_attempt};
pub use decision::{Explanation, Reasons, can_be_body, decision_message, write_decision};
#[cfg(any(feature = "cli", feature = "http"))]
pub use job::{CustomerFailureView, JobView, job_failure_json, job_json};
#[cfg(any(feature = "aws", feature = "http"))]
pub use job_message::{job_message, parse_job_id, parse_job_message};
pub use limit_event::parse_limit_event;
#[cfg(any(feature = "cli", feature = "http"))]
pub use limit_progress::{LimitView, PendingView, limit_progress_json};
pub use limits::{LimitJson, LimitsJson, LimitsTextError, limits_json, parse_limits, parse_limits_json};
#[cfg(any(feature = "cli", feature = "http"))]
pub use plan::{DefaultPlanView, EnrollmentView, LinkView, PlanListView, PlanVersionView, PlanView, view_json};
#[cfg(feature = "replay")]
pub use reject::RejectWriter;

/// Returns true if a byte must be escaped in a JSON string (RFC 8259, section 7).
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}
