//! Configuration of the cooling-off rule.

use std::env::VarError;

use super::reader::Reader;
use crate::domain::CoolingOff;

/// Variable for the wait of an increase or a removal of a customer's own limit, in hours.
pub const INCREASE_DELAY_HOURS: &str = "LOADGATE_INCREASE_DELAY_HOURS";
/// Variable that is `true` if an increase or a removal must be confirmed after the wait.
pub const INCREASE_NEEDS_CONFIRMATION: &str = "LOADGATE_INCREASE_NEEDS_CONFIRMATION";

/// Default wait, in hours.
pub const INCREASE_DELAY_HOURS_DEFAULT: i64 = 24;

/// Maximum wait, in hours: a year.
pub const INCREASE_DELAY_HOURS_MAX: i64 = 366 * 24;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Returns the rule with a wait of so many hours.
pub const fn cooling_off(delay_hours: i64, needs_confirmation: bool) -> CoolingOff {
    CoolingOff { delay_ms: delay_hours.saturating_mul(HOUR_MS), needs_confirmation }
}

/// Reads the rule through a reader, which collects the errors.
pub(super) fn read_cooling_off<G, L>(reader: &mut Reader<G, L>) -> CoolingOff
where
    G: Fn(&str) -> Result<String, VarError>,
    L: Fn(&str) -> String,
{
    let hours = reader.number(INCREASE_DELAY_HOURS, INCREASE_DELAY_HOURS_DEFAULT, 0..=INCREASE_DELAY_HOURS_MAX);
    cooling_off(hours, reader.flag(INCREASE_NEEDS_CONFIRMATION))
}
