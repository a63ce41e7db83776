//! Logs as JSON lines, and metrics in CloudWatch's embedded metric format.
//!
//! Neither holds a body or an amount; a customer and an event only where an item has to be corrected by hand.

use std::io;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::Collector;
use tracing_subscriber::filter::LevelFilter;

use crate::app::consumer::Report;

/// The metrics' namespace in CloudWatch.
pub const NAMESPACE: &str = "loadgate";

/// The counters, under the names that alarms and the dashboard use.
fn counters(report: &Report) -> [(&'static str, u64); 8] {
    [
        ("accepted", report.accepted),
        ("declined", report.declined),
        ("ignored", report.ignored),
        ("invalid", report.invalid),
        ("redelivered", report.redelivered),
        ("conflicts", report.conflicts),
        ("publish_failures", report.publish_failures),
        ("failed", report.failed),
    ]
}

/// The metrics of a batch.
#[derive(Clone, Copy)]
pub struct Metrics(&'static Collector);

/// Writes logs of this level and above to standard error, one JSON object a line.
pub fn init_logs(level: Option<&str>) {
    let level = level.and_then(|level| level.to_ascii_lowercase().parse().ok()).unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(io::stderr)
        .init();
}

impl Metrics {
    /// Metrics that carry the function's name as their dimension.
    ///
    /// # Errors
    /// When there are metrics in this process already.
    pub fn new(function_name: String) -> Result<Metrics, metrics_cloudwatch_embedded::Error> {
        let builder = metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(NAMESPACE);
        let collector = builder.with_dimension("function", function_name).emit_zeros(true).init()?;
        for (name, _) in counters(&Report::default()) {
            describe_counter!(name, Unit::Count, "");
        }
        for name in ["consumed_read_units", "consumed_write_units"] {
            describe_histogram!(name, Unit::Count, "");
        }
        for name in ["read_ms", "commit_ms", "publish_ms", "handle_ms"] {
            describe_histogram!(name, Unit::Milliseconds, "");
        }
        Ok(Metrics(collector))
    }

    /// Writes the metrics of one batch to standard output, from where CloudWatch takes them.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn write(&self, report: &Report, request_id: &str, handle_time: Duration) -> io::Result<()> {
        for (name, count) in counters(report) {
            counter!(name).increment(count);
        }
        for (reason, count) in &report.declined_by_reason {
            counter!("declined_by_reason", "reason" => reason.clone()).increment(*count);
        }
        histogram!("consumed_read_units").record(halved(report.units.read_halves));
        histogram!("consumed_write_units").record(halved(report.units.write_halves));
        let times = [
            ("read_ms", report.read_time),
            ("commit_ms", report.commit_time),
            ("publish_ms", report.publish_time),
            ("handle_ms", handle_time),
        ];
        for (name, time) in times {
            histogram!(name).record(milliseconds(time));
        }
        self.0.set_property("request_id", request_id.to_owned()).flush(io::stdout().lock())
    }
}

/// Capacity units are halves and wholes; CloudWatch knows floats only.
#[allow(clippy::cast_precision_loss, clippy::float_arithmetic)]
fn halved(halves: u64) -> f64 {
    halves as f64 / 2.0
}

#[allow(clippy::float_arithmetic)]
fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
