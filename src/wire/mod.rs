//! JSON forms of input and output. Only this module knows the form of an attempt, a decision or a reject.

mod attempt;
mod decision;
mod json;
mod limit_event;
#[cfg(feature = "cli")]
mod limit_progress;
#[cfg(feature = "replay")]
pub(crate) mod lines;
#[cfg(feature = "replay")]
mod reject;

pub use attempt::{parse_attempt, read_attempt};
pub use decision::{Reasons, can_be_body, decision_message, write_decision};
pub use limit_event::parse_limit_event;
#[cfg(feature = "cli")]
pub use limit_progress::limit_progress_json;
#[cfg(feature = "replay")]
pub use reject::RejectWriter;

/// Returns true if a byte must be escaped in a JSON string (RFC 8259, section 7).
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}
