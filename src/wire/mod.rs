//! The JSON shapes, in and out. Only here does the crate know how an attempt, a decision or a reject is written.

mod attempt;
mod decision;
#[cfg(feature = "replay")]
pub(crate) mod lines;
mod message;
#[cfg(feature = "replay")]
mod reject;

pub use attempt::{parse_attempt, read_attempt};
pub use decision::{Reasons, write_decision};
pub use message::decision_message;
#[cfg(feature = "replay")]
pub use reject::RejectWriter;

/// Returns true when a byte cannot stand for itself in a JSON string (RFC 8259, section 7).
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}
