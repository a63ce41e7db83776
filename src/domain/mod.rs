//! The business rules: load attempts, their days and weeks, the limits, a customer's usage of them, and [`decide()`].
//!
//! The rules are pure and synchronous: no I/O, no clock, no floats, no serde, no SDK. `tests/it/layering.rs` checks
//! that. Time is the load's own, and money is integer cents.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic, clippy::indexing_slicing)]

mod attempt;
mod calendar;
mod decide;
mod error;
mod limits;
mod money;
mod stored;
mod usage;

pub use attempt::{ATTEMPT_BYTES_MAX, AttemptText, CustomerId, EventId, ID_BYTES_MAX, LoadAttempt, can_be_group};
pub use calendar::{Day, TimeError, Week, parse_time};
pub use decide::{Decision, decide};
pub use error::{Field, IdError, LoadError};
pub use limits::{BrokenLimits, LIMIT_CODE_BYTES_MAX, LIMITS_MAX, Limit, LimitError, Limits, Measure, Window};
pub use money::{AmountError, Cents};
pub use stored::{EventKey, LimitUsage, StoredDecision, Verdict};
pub use usage::{DayUsage, WeekUsage};
