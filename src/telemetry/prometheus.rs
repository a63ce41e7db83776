//! Metrics for Prometheus: the Lambda's metrics with the prefix `loadgate_`, and further metrics of the worker.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, set_global_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::layers::{Layer, PrefixLayer};

use super::decisions::{counters, describe, record};
use crate::deciding::consumer::BatchReport;

/// Upper bounds of a histogram of times, in milliseconds.
const BOUNDS_MS: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Upper bounds of a histogram of ages, in seconds. Zero is for batches that leave no message unsettled.
const BOUNDS_S: [f64; 8] = [0.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0];

/// Upper bounds of a histogram of capacity units.
const BOUNDS_UNITS: [f64; 8] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Metrics of a process.
#[derive(Clone)]
pub struct Prometheus(PrometheusHandle);

/// Error of setting up the metrics.
#[derive(Debug, thiserror::Error)]
pub enum PrometheusError {
    /// A histogram's bounds are invalid.
    #[error("the histograms could not be set up")]
    Bounds(#[from] BuildError),
    /// This process already has metrics.
    #[error("there are metrics in this process already")]
    Taken,
}

impl Prometheus {
    /// Installs this as the process's recorder.
    ///
    /// # Errors
    /// [`PrometheusError`] if this process already has metrics.
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

    /// Creates every counter at zero: an alarm does not work with a missing counter.
    fn begin(&self) {
        for (name, _, _) in counters(&BatchReport::default()) {
            counter!(name).absolute(0);
        }
        counter!("received").absolute(0);
        counter!("receive_failures").absolute(0);
        self.working(0);
    }

    /// Records the result of a batch.
    pub fn handled(&self, report: &BatchReport, handle_time: Duration) {
        record(report, handle_time, |_| true);
        // Histograms buffer their values until they are rendered or this is called.
        self.0.run_upkeep();
    }

    /// Counts received messages.
    pub fn received(&self, messages: usize) {
        counter!("received").increment(messages as u64);
    }

    /// Counts a failure to receive.
    pub fn receive_failed(&self) {
        counter!("receive_failures").increment(1);
    }

    /// Records the number of customers in progress.
    pub fn working(&self, customers: usize) {
        gauge!("customers_working").set(u32::try_from(customers).unwrap_or(u32::MAX));
    }

    /// Renders all metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prometheus")
    }
}
