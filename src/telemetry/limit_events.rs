//! Metrics of a batch of limit events.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::milliseconds;
use crate::limits::LimitReport;

/// Returns the counters: the name that alarms and the dashboard use, the value, and the description.
fn counters(report: &LimitReport) -> [(&'static str, u64, &'static str); 5] {
    [
        ("limits_changed", report.changed, "Limit events that changed a limit or its reported progress"),
        ("limits_outdated", report.outdated, "Limit events that came after one with the same or a higher number"),
        ("limits_ignored", report.ignored, "Limit events of types without an effect"),
        ("limits_invalid", report.invalid, "Limit events sent to the dead-letter queue"),
        ("limits_failed", report.failed, "Limit events that the stream repeats"),
    ]
}

/// Registers the descriptions of the metrics with the process's recorder.
pub(super) fn describe() {
    for (name, _, what) in counters(&LimitReport::default()) {
        describe_counter!(name, Unit::Count, what);
    }
    describe_histogram!(
        "progress_gap_cents",
        Unit::Count,
        "Largest difference between reported progress and loadgate's own that a batch has seen, in cents"
    );
    describe_histogram!("apply_ms", Unit::Milliseconds, "Time of a batch spent applying events, in milliseconds");
    describe_histogram!("handle_ms", Unit::Milliseconds, "Time of a batch, in milliseconds");
}

/// Records the result of a batch. Of the values that are no counts, only those that `is_kept` selects.
pub(super) fn record(report: &LimitReport, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
    for (name, count, _) in counters(report) {
        counter!(name).increment(count);
    }
    let values = [
        ("progress_gap_cents", cents(report.progress_gap)),
        ("apply_ms", milliseconds(report.apply_time)),
        ("handle_ms", milliseconds(handle_time)),
    ];
    for (name, value) in values.into_iter().filter(|(_, value)| is_kept(*value)) {
        histogram!(name).record(value);
    }
}

/// Recorders accept floats only. The metric shows an order of magnitude; nothing is decided by it.
#[allow(clippy::cast_precision_loss)]
fn cents(cents: u64) -> f64 {
    cents as f64
}
