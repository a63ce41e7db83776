//! Configuration of changes of customers' own limits.

use std::env::VarError;

use super::reader::Reader;
use super::{CURRENCY, ConfigError};
use crate::domain::{CoolingOff, Currency};

/// Variable for the wait of an increase or a removal of a customer's own limit, in hours.
pub const INCREASE_DELAY_HOURS: &str = "LOADGATE_INCREASE_DELAY_HOURS";
/// Variable that is `true` if an increase or a removal must be confirmed after the wait.
pub const INCREASE_NEEDS_CONFIRMATION: &str = "LOADGATE_INCREASE_NEEDS_CONFIRMATION";

/// Default wait, in hours.
const DELAY_HOURS_DEFAULT: i64 = 24;

/// Maximum wait, in hours: a year.
const DELAY_HOURS_MAX: i64 = 366 * 24;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Configuration of a command that changes customers' own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeConfig {
    /// Currency of all amounts.
    pub currency: Currency,
    /// The rule for changes of own limits.
    pub cooling_off: CoolingOff,
}

impl ChangeConfig {
    /// Reads the process's environment, with some settings that have been given otherwise.
    ///
    /// # Errors
    /// [`ConfigError`] with every setting that is wrong.
    pub fn with(given: impl Fn(&str) -> Option<String>) -> Result<ChangeConfig, ConfigError> {
        let get = |name: &str| given(name).map_or_else(|| std::env::var(name), Ok);
        let mut reader = Reader::new(get, str::to_owned);
        let config = ChangeConfig { currency: reader.currency(CURRENCY), cooling_off: read_cooling_off(&mut reader) };
        reader.end(config)
    }
}

/// Reads the rule through a reader, which collects the errors.
pub(super) fn read_cooling_off<G, L>(reader: &mut Reader<G, L>) -> CoolingOff
where
    G: Fn(&str) -> Result<String, VarError>,
    L: Fn(&str) -> String,
{
    let delay_hours = reader.number(INCREASE_DELAY_HOURS, DELAY_HOURS_DEFAULT, 0..=DELAY_HOURS_MAX);
    let needs_confirmation = reader.flag(INCREASE_NEEDS_CONFIRMATION);
    CoolingOff { delay_ms: delay_hours.saturating_mul(HOUR_MS), needs_confirmation }
}
