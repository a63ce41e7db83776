//! The business rules: load attempts, their days and weeks, the limits, a customer's usage of them, and [`decide()`].
//!
//! The rules are pure and synchronous: no I/O, no clock, no floats, no serde, no SDK. `tests/it/layering.rs` checks
//! that. Time is the load's own, and money is integer cents.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic, clippy::indexing_slicing)]

mod attempt;
mod calendar;
mod change_record;
mod decide;
mod error;
mod history;
mod job;
mod limit_change;
mod limit_event;
mod limit_plan;
mod limit_progress;
mod limits;
mod loads;
mod money;
mod noted_periods;
mod own_limit;
mod own_limits;
mod shadow;
mod stored;
mod usage;
mod window;
mod zone;

pub use attempt::{ATTEMPT_BYTES_MAX, AttemptText, CustomerId, EventId, ID_BYTES_MAX, LoadAttempt, can_be_group};
pub use calendar::{Day, TimeError, TimeReader, Week, parse_time};
pub use change_record::{ChangeKind, ChangeRecord};
pub use decide::{Decision, decide, decide_by_totals, decide_in_week};
pub use error::{Field, IdError, InputError, LoadError};
pub use history::{History, KEPT_LOADS_MAX, WeekHistory};
pub use job::{
    CHUNK_CUSTOMERS_MAX, ChunkResult, CustomerFailure, Job, JobCounts, JobFailure, JobMessage, JobProgress, JobSize,
    JobState, JobTask, LinkBasis, LinkOutcome,
};
pub use limit_change::{ChangeEffect, ChangeError, ChangeRequest, CoolingOff, RAISES_MAX};
pub use limit_event::{Change, LimitEvent, LimitEventError, LimitEventField, Progress};
pub use limit_plan::{LimitOrigin, PlanVersion};
pub use limit_progress::LimitProgress;
pub use limits::{
    BrokenLimits, LIMIT_CODE_BYTES_MAX, LIMITS_MAX, Limit, LimitError, LimitMode, Limits, LimitsInForce, Measure,
    OWN_CODE_PREFIX,
};
pub use loads::AcceptedLoads;
pub use money::{AmountError, Cents, Currency};
pub use own_limit::{
    OWN_LIMITS_KEPT_MAX, OWN_LIMITS_MAX, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod, PendingChange, Raise,
};
pub use own_limits::{OwnLimits, OwnRule};
pub use shadow::{ShadowJudgement, judge_shadow};
pub use stored::{EventKey, LimitUsage, LogEntry, LogPosition, ShadowCodes, StoredDecision, Verdict};
pub use usage::{DayAndWeek, LoadTotal, WeekUsage};
pub use window::{Anchored, DAY_MS, Millis, Period, RollingHours, Span, Window};
pub use zone::Zone;
