//! Texts of amounts and instants, for people and programs that read limits.

#[cfg(any(feature = "cli", feature = "http"))]
use chrono::{DateTime, SecondsFormat, Utc};

/// Returns an amount as a decimal number with two decimals.
pub(super) fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Returns an instant of the years 0 to 9999 as RFC 3339 in UTC, with milliseconds.
#[cfg(any(feature = "cli", feature = "http"))]
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
