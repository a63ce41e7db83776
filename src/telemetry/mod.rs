//! Logs as JSON lines, and metrics. CloudWatch's embedded metric format and Prometheus get the same metrics.
//!
//! Neither contains a body or an amount. They name a customer and an event only if a person must correct an item.

#[cfg(feature = "lambda")]
mod embedded;
#[cfg(feature = "worker")]
mod prometheus;

use std::io;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::deciding::consumer::BatchReport;
#[cfg(feature = "lambda")]
pub use embedded::{Metrics, NAMESPACE};
#[cfg(feature = "worker")]
pub use prometheus::{Prometheus, PrometheusError};

/// Targets of the AWS SDK's own events. The errors that the SDK returns contain all relevant information. The events
/// show its internals, and even at level WARN they report optional steps that failed.
const SDK_TARGETS: [&str; 5] = ["aws_config", "aws_credential_types", "aws_runtime", "aws_sdk", "aws_smithy"];

/// Writes logs of this level and above to standard error, one JSON object a line.
///
/// A line that cannot be written is dropped: the subscriber would report the failure to standard error, too, and panic.
///
/// The AWS SDK's own events are written at level DEBUG only. Level TRACE is never written, because the libraries log
/// whole events at that level, with bodies and amounts.
pub fn init_logs(level: Option<&str>) {
    let level = level
        .and_then(|level| level.to_ascii_lowercase().parse().ok())
        .unwrap_or(LevelFilter::INFO)
        .min(LevelFilter::DEBUG);
    let of_sdk = if level == LevelFilter::DEBUG { level } else { LevelFilter::OFF };
    let targets = SDK_TARGETS.into_iter().map(|target| (target, of_sdk)).collect::<Targets>().with_default(level);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(targets).init();
}

/// Returns the counters: the name that alarms and the dashboard use, the value, and the description.
fn counters(report: &BatchReport) -> [(&'static str, u64, &'static str); 8] {
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
fn describe() {
    for (name, _, what) in counters(&BatchReport::default()) {
        describe_counter!(name, Unit::Count, what);
    }
    describe_counter!("declined_by_reason", Unit::Count, "Load attempts that a limit declined, by its code");
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
fn record(report: &BatchReport, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
    for (name, count, _) in counters(report) {
        counter!(name).increment(count);
    }
    for (reason, count) in &report.declined_by_reason {
        counter!("declined_by_reason", "reason" => reason.clone()).increment(*count);
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

/// Milliseconds with three decimals: more would be noise, written out in every log line.
#[allow(clippy::cast_precision_loss, clippy::float_arithmetic)]
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
