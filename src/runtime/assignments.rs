//! Handler of the Lambda on the queue of assignments: turns an SQS event into deliveries, and their results into the response.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};

use super::lambda::{EventError, message_ids};
use crate::deciding::Clock;
use crate::deciding::consumer::Deadline;
use crate::limits::jobs::{JobDelivery, JobQueue, JobReport, JobStore, JobWorker};
use crate::wire::parse_job_message;

/// Handles one event. `end` is the instant at which Lambda kills the invocation.
///
/// # Errors
/// [`EventError`], before anything is changed.
pub async fn handle<S: JobStore, Q: JobQueue, C: Clock>(
    worker: &JobWorker<S, Q, C>,
    event: SqsEvent,
    end: DateTime<Utc>,
) -> Result<(SqsBatchResponse, JobReport), EventError> {
    let deadline = Deadline::before(end, worker.clock.now());
    let ids = message_ids(&event)?;
    let deliveries: Vec<JobDelivery> = event.records.iter().map(delivery).collect();
    let handled = worker.handle(&deliveries, deadline).await;
    let mut response = SqsBatchResponse::default();
    handled.failed.iter().filter_map(|place| ids.get(*place)).for_each(|id| response.add_failure(id.clone()));
    Ok((response, handled.report))
}

/// Converts a record of an event to a delivery. A record without a count of receipts, as from a test event, counts as the first.
fn delivery(SqsMessage { body, attributes, .. }: &SqsMessage) -> JobDelivery {
    let number = |name| attributes.get(name).and_then(|text: &String| text.parse::<i64>().ok());
    JobDelivery {
        message: body.as_deref().and_then(parse_job_message),
        receive_count: number("ApproximateReceiveCount").and_then(|count| u64::try_from(count).ok()).unwrap_or(1),
        sent_at: number("SentTimestamp").and_then(DateTime::<Utc>::from_timestamp_millis),
    }
}
