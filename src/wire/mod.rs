//! The JSON shapes, in and out. Only here does the crate know how an attempt, a decision or a reject is written.

mod attempt;
mod decision;
#[cfg(feature = "cli")]
mod reject;

pub use attempt::parse_attempt;
pub use decision::{Reasons, write_decision};
#[cfg(feature = "cli")]
pub use reject::RejectWriter;
