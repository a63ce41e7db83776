//! Metrics of a batch of steps of assignment jobs.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::milliseconds;
use crate::limits::jobs::JobReport;

/// Returns the counters: the name that alarms and the dashboard use, the value, and the description.
fn counters(report: &JobReport) -> [(&'static str, u64, &'static str); 9] {
    let customers = report.customers;
    [
        ("job_pages", report.pages, "Pages of rosters that were handled"),
        ("job_chunks", report.chunks, "Chunks whose result was stored"),
        ("customers_linked", customers.linked, "Customers whose link a job has changed, or would change"),
        ("customers_already_linked", customers.already_linked, "Customers who had the same link before"),
        ("customers_superseded", customers.superseded, "Customers with a newer link, or who have left the programme"),
        ("customers_failed", customers.failed, "Customers who could not be linked"),
        ("job_messages_dropped", report.dropped, "Messages of jobs that were never stored"),
        ("job_messages_failed", report.failed, "Messages that the queue delivers again"),
        ("links_throttled", report.throttled, "Requests for links that DynamoDB has throttled"),
    ]
}

/// Registers the descriptions of the metrics with the process's recorder.
pub(super) fn describe() {
    for (name, _, what) in counters(&JobReport::default()) {
        describe_counter!(name, Unit::Count, what);
    }
    describe_histogram!("handle_ms", Unit::Milliseconds, "Time of a batch, in milliseconds");
}

/// Records the result of a batch. Of the values that are no counts, only those that `is_kept` selects.
pub(super) fn record(report: &JobReport, handle_time: Duration, is_kept: impl Fn(f64) -> bool) {
    for (name, count, _) in counters(report) {
        counter!(name).increment(count);
    }
    let handle_ms = milliseconds(handle_time);
    if is_kept(handle_ms) {
        histogram!("handle_ms").record(handle_ms);
    }
}
