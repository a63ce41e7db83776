//! Which limits apply to a customer: limit events, and the definitions that they leave.
//!
//! A stream of events defines customers' own limits and reports their progress. Events arrive repeated, reordered and
//! late. Each limit has two marks, one for its definition and one for its reported progress, and each takes an event
//! only if its sequence number is above the mark. So the order of the events has no effect on the result.

mod book;
mod in_force;

pub use book::{Applied, LimitBook, LimitEntry};
pub use in_force::AllLimits;
