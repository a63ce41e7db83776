//! Metrics in CloudWatch's embedded metric format, as lines of a Lambda's standard output.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use metrics_cloudwatch_embedded::Collector;

use super::{assignments, decisions, limit_events};
use crate::deciding::consumer::BatchReport;
use crate::limits::LimitReport;
use crate::limits::jobs::JobReport;

/// Namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "loadgate";

/// Report of a batch, which becomes metrics.
pub trait Report {
    /// Registers the descriptions of the metrics with the process's recorder.
    fn describe();

    /// Records the result of a batch. Of the values that are no counts, only those that `is_kept` selects.
    fn record(&self, handle_time: Duration, is_kept: impl Fn(f64) -> bool);

    /// Returns the run under which decisions are logged; `None` if they are not.
    fn run_id(&self) -> Option<&str> {
        None
    }
}

impl Report for BatchReport {
    fn describe() {
        decisions::describe();
    }

    fn record(&self, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
        decisions::record(self, handle_time, is_kept);
    }

    fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }
}

impl Report for LimitReport {
    fn describe() {
        limit_events::describe();
    }

    fn record(&self, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
        limit_events::record(self, handle_time, is_kept);
    }
}

impl Report for JobReport {
    fn describe() {
        assignments::describe();
    }

    fn record(&self, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
        assignments::record(self, handle_time, is_kept);
    }
}

/// Metrics of batches.
pub struct Metrics<R>(&'static Collector, PhantomData<fn(R)>);

impl<R: Report> Metrics<R> {
    /// Creates metrics with the function's name as their dimension.
    ///
    /// # Errors
    /// An error if this process already has metrics.
    pub fn new(function_name: String) -> Result<Metrics<R>, metrics_cloudwatch_embedded::Error> {
        let builder = metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(NAMESPACE);
        let collector = builder.with_dimension("function", function_name).emit_zeros(false).init()?;
        R::describe();
        Ok(Metrics(collector, PhantomData))
    }

    /// Writes the metrics of one batch to standard output, from which CloudWatch reads them. A failure is logged.
    pub fn write(&self, report: &R, request_id: &str, handle_time: Duration) {
        report.record(handle_time, |value| value > 0.0);
        let mut line = self.0.set_property("request_id", request_id.to_owned());
        if let Some(run_id) = report.run_id() {
            line = line.set_property("run_id", run_id.to_owned());
        }
        let flushed = line.flush(io::stdout().lock());
        if let Err(error) = flushed {
            tracing::warn!(error = error.to_string(), "the metrics could not be written");
        }
    }
}

impl<R> fmt::Debug for Metrics<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
