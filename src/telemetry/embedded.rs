//! Metrics in CloudWatch's embedded metric format, as lines of the Lambda's standard output.

use std::io;
use std::time::Duration;

use metrics_cloudwatch_embedded::Collector;

use super::{describe, record};
use crate::deciding::consumer::BatchReport;

/// Namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "loadgate";

/// Metrics of a batch.
#[derive(Clone, Copy)]
pub struct Metrics(&'static Collector);

impl Metrics {
    /// Creates metrics with the function's name as their dimension.
    ///
    /// # Errors
    /// An error if this process already has metrics.
    pub fn new(function_name: String) -> Result<Metrics, metrics_cloudwatch_embedded::Error> {
        let builder = metrics_cloudwatch_embedded::Builder::new().cloudwatch_namespace(NAMESPACE);
        let collector = builder.with_dimension("function", function_name).emit_zeros(false).init()?;
        describe();
        Ok(Metrics(collector))
    }

    /// Writes the metrics of one batch to standard output, from which CloudWatch reads them.
    ///
    /// # Errors
    /// Errors of standard output.
    pub fn write(&self, report: &BatchReport, request_id: &str, handle_time: Duration) -> io::Result<()> {
        record(report, handle_time, |value| value > 0.0);
        self.0.set_property("request_id", request_id.to_owned()).flush(io::stdout().lock())
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
