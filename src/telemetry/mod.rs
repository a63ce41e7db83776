//! Logs as JSON lines, and metrics. CloudWatch's embedded metric format and Prometheus get the same metrics.
//!
//! Neither contains a body or an amount. They name a customer and an event only if a person must correct an item.

#[cfg(feature = "lambda")]
mod assignments;
#[cfg(any(feature = "lambda", feature = "worker"))]
mod decisions;
#[cfg(feature = "lambda")]
mod embedded;
#[cfg(feature = "lambda")]
mod limit_events;
#[cfg(feature = "worker")]
mod prometheus;

use std::io;
#[cfg(any(feature = "lambda", feature = "worker"))]
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[cfg(feature = "lambda")]
pub use embedded::{Metrics, NAMESPACE};
#[cfg(feature = "worker")]
pub use prometheus::{Prometheus, PrometheusError};

/// Targets of the AWS SDK's own events. The errors that the SDK returns contain all relevant information. The events
/// show its internals, and even at level WARN they report optional steps that failed.
const SDK_TARGETS: [&str; 5] = ["aws_config", "aws_credential_types", "aws_runtime", "aws_sdk", "aws_smithy"];

/// Target of the embedded DynamoDB's events. They are never written: they describe requests that no service has seen.
const EMBEDDED_TARGET: &str = "dynoxide";

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
    let targets = SDK_TARGETS.into_iter().map(|target| (target, of_sdk)).collect::<Targets>();
    let targets = targets.with_target(EMBEDDED_TARGET, LevelFilter::OFF).with_default(level);
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

/// Milliseconds with three decimals: more would be noise, written out in every log line.
#[cfg(any(feature = "lambda", feature = "worker"))]
#[allow(clippy::cast_precision_loss, clippy::float_arithmetic)]
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
