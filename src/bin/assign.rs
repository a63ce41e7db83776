//! The Lambda function on the queue of assignments. It is initialised once and then handles every batch.

#![forbid(unsafe_code)]

mod function;

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use chrono::{DateTime, Utc};
use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsJobQueue;
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::AssignmentConfig;
use loadgate::deciding::Clock;
use loadgate::limits::jobs::{JobReport, JobWorker};
use loadgate::runtime::assignments::handle;
use loadgate::runtime::lambda::read_event;
use loadgate::telemetry::Metrics;
use serde_json::value::RawValue;

struct Function {
    worker: JobWorker<DynamoDb, SqsJobQueue, SystemClock>,
    metrics: Metrics<JobReport>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    function::run(init, invoke).await
}

/// Builds the worker and opens the connections to DynamoDB and SQS. This is done at start because a starting function has more
/// processor time than a running one.
async fn init(function_name: String) -> Result<Function, Error> {
    let config = AssignmentConfig::from_environment()?;
    let metrics = Metrics::new(function_name)?;
    let sdk = aws::load(None).await;
    let store = DynamoDb::new(&sdk, config.tables);
    let queue = SqsJobQueue::new(&sdk, config.assignment_queue_url);
    Box::pin(function::connect(store.connect_jobs(), queue.connect())).await?;
    Ok(Function { worker: JobWorker::new(store, queue, SystemClock), metrics })
}

async fn invoke(
    function: Arc<Function>,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
) -> Result<SqsBatchResponse, Diagnostic> {
    let Function { worker, metrics } = &*function;
    let begun = worker.clock.now();
    let end = DateTime::<Utc>::from(context.deadline());
    let handled = async { handle(worker, read_event(payload.get())?, end).await };
    let (response, report) = handled.await.map_err(|error| function::unanswered(&error))?;
    let handle_time = (worker.clock.now() - begun).to_std().unwrap_or_default();
    metrics.write(&report, &context.request_id, handle_time);
    Ok(response)
}
