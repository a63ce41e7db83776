//! Metrics of a batch of load attempts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::milliseconds;
use crate::deciding::consumer::BatchReport;

/// Returns the counters: the name that alarms and the dashboard use, the value, and the description.
pub(super) fn counters(report: &BatchReport) -> [(&'static str, u64, &'static str); 8] {
    [
        ("accepted", report.accepted, "Load attempts decided: within every limit"),
        ("declined", report.declined, "Load attempts decided: over at least one limit"),
        ("ignored", report.ignored, "Duplicates: not decided, not published"),
        ("invalid", report.invalid, "Messages sent to the dead-letter queue"),
        ("redelivered", report.redelivered, "Stored decisions that were asked for again"),
        ("conflicts", report.conflicts, "Commits that another writer's was ahead of"),
        ("publish_failures", report.publish_failures, "Decisions that the queue did not take"),
        ("failed", report.failed, "Messages left for redelivery"),
    ]
}

/// Registers the descriptions of the metrics with the process's recorder.
pub(super) fn describe() {
    for (name, _, what) in counters(&BatchReport::default()) {
        describe_counter!(name, Unit::Count, what);
    }
    describe_counter!("declined_by_reason", Unit::Count, "Load attempts that a limit declined, by its code");
    describe_counter!(
        "shadow_declined",
        Unit::Count,
        "Load attempts that a shadow limit would have declined, by its code"
    );
    for (name, what) in [
        ("consumed_read_units", "DynamoDB's read units of a batch"),
        ("consumed_write_units", "DynamoDB's write units of a batch"),
    ] {
        describe_histogram!(name, Unit::Count, what);
    }
    describe_histogram!(
        "oldest_unsettled_s",
        Unit::Seconds,
        "Age of the oldest load attempt that a batch has left for redelivery, in seconds"
    );
    for (name, what) in [
        ("read_ms", "Time of a batch spent reading, in milliseconds"),
        ("commit_ms", "Time of a batch spent committing, in milliseconds"),
        ("publish_ms", "Time of a batch spent publishing, in milliseconds"),
        ("handle_ms", "Time of a batch, in milliseconds"),
    ] {
        describe_histogram!(name, Unit::Milliseconds, what);
    }
}

/// Records the result of a batch. Of the values that are no counts, only those that `is_kept` selects.
pub(super) fn record(report: &BatchReport, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
    for (name, count, _) in counters(report) {
        counter!(name).increment(count);
    }
    for (reason, count) in &report.declined_by_reason {
        counter!("declined_by_reason", "reason" => reason.clone()).increment(*count);
    }
    for (reason, count) in &report.shadow_declined {
        counter!("shadow_declined", "reason" => reason.clone()).increment(*count);
    }
    let values = [
        ("oldest_unsettled_s", report.oldest_unsettled.as_secs_f64()),
        ("consumed_read_units", halved(report.units.read_halves)),
        ("consumed_write_units", halved(report.units.write_halves)),
        ("read_ms", milliseconds(report.read_time)),
        ("commit_ms", milliseconds(report.commit_time)),
        ("publish_ms", milliseconds(report.publish_time)),
        ("handle_ms", milliseconds(handle_time)),
    ];
    for (name, value) in values.into_iter().filter(|(_, value)| is_kept(*value)) {
        histogram!(name).record(value);
    }
}

/// Converts half units to capacity units. Recorders accept floats only.
#[allow(clippy::cast_precision_loss, clippy::float_arithmetic)]
fn halved(halves: u64) -> f64 {
    halves as f64 / 2.0
}
