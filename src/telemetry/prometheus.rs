//! Metrics for Prometheus: the same as the Lambda's, with `loadgate_` before their names, and what a worker has
//! besides.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, set_global_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::layers::{Layer, PrefixLayer};

use super::{counters, describe, record};
use crate::deciding::consumer::BatchReport;

/// Upper bounds of a histogram of times, in milliseconds.
const BOUNDS_MS: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Upper bounds of a histogram of ages, in seconds. Zero is for batches that leave nothing.
const BOUNDS_S: [f64; 8] = [0.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

/// Upper bounds of a histogram of capacity units.
const BOUNDS_UNITS: [f64; 8] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The metrics of a process.
#[derive(Clone)]
pub struct Prometheus(PrometheusHandle);

/// Reason why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum PrometheusError {
    /// A bound makes no sense.
    #[error("the histograms could not be set up")]
    Bounds(#[from] BuildError),
    /// There are metrics in this process already.
    #[error("there are metrics in this process already")]
    Taken,
}

impl Prometheus {
    /// Makes this the recorder of the process.
    ///
    /// # Errors
    /// [`PrometheusError`] when there are metrics in this process already.
    pub fn new() -> Result<Prometheus, PrometheusError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_ms".to_owned()), &BOUNDS_MS)?
            .set_buckets_for_metric(Matcher::Suffix("_s".to_owned()), &BOUNDS_S)?
            .set_buckets_for_metric(Matcher::Suffix("_units".to_owned()), &BOUNDS_UNITS)?
            .build_recorder();
        let handle = recorder.handle();
        let prefixed = PrefixLayer::new("loadgate").layer(recorder);
        set_global_recorder(prefixed).map_err(|_| PrometheusError::Taken)?;
        describe();
        describe_counter!("received", Unit::Count, "Messages received from the input queue");
        describe_counter!("receive_failures", Unit::Count, "Times that the input queue could not be asked");
        describe_gauge!("customers_working", Unit::Count, "Customers whose messages are worked on");
        let prometheus = Prometheus(handle);
        prometheus.begin();
        Ok(prometheus)
    }

    /// Shows every counter from the start: one that is not there alarms nobody.
    fn begin(&self) {
        for (name, _, _) in counters(&BatchReport::default()) {
            counter!(name).absolute(0);
        }
        counter!("received").absolute(0);
        counter!("receive_failures").absolute(0);
        self.working(0);
    }

    /// Counts what a batch came to.
    pub fn handled(&self, report: &BatchReport, handle_time: Duration) {
        record(report, handle_time, |_| true);
        // Histograms gather until somebody looks at them, or this is called.
        self.0.run_upkeep();
    }

    /// Counts messages received.
    pub fn received(&self, messages: usize) {
        counter!("received").increment(messages as u64);
    }

    /// Counts a failure to receive.
    pub fn receive_failed(&self) {
        counter!("receive_failures").increment(1);
    }

    /// Says how many customers are worked on.
    pub fn working(&self, customers: usize) {
        gauge!("customers_working").set(u32::try_from(customers).unwrap_or(u32::MAX));
    }

    /// All metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prometheus")
    }
}
