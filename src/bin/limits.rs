//! The Lambda function on the stream of limit events. It is initialised once and then handles every batch.

#![forbid(unsafe_code)]

mod function;

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::event::streams::KinesisEventResponse;
use chrono::{DateTime, Utc};
use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsLimitLetters;
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::LimitStreamConfig;
use loadgate::deciding::Clock;
use loadgate::limits::{LimitApplier, LimitConsumer, LimitReport};
use loadgate::runtime::kinesis::{handle, read_event};
use loadgate::telemetry::Metrics;
use serde_json::value::RawValue;

struct Function {
    consumer: LimitConsumer<DynamoDb, SqsLimitLetters, SystemClock>,
    metrics: Metrics<LimitReport>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    function::run(init, invoke).await
}

/// Builds the consumer and opens the connections to DynamoDB and SQS. This is done at start because a starting function
/// has more processor time than a running one.
async fn init(function_name: String) -> Result<Function, Error> {
    let config = LimitStreamConfig::from_environment()?;
    let metrics = Metrics::new(function_name)?;
    let sdk = aws::load(None).await;
    let store = DynamoDb::new(&sdk, config.tables);
    let letters = SqsLimitLetters::new(&sdk, config.dead_letter_queue_url);
    Box::pin(function::connect(store.connect_limits(), letters.connect())).await?;
    let applier = LimitApplier { store, clock: SystemClock };
    Ok(Function { consumer: LimitConsumer { applier, letters, currency: config.currency }, metrics })
}

async fn invoke(
    function: Arc<Function>,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
) -> Result<KinesisEventResponse, Diagnostic> {
    let Function { consumer, metrics } = &*function;
    let begun = consumer.applier.clock.now();
    let end = DateTime::<Utc>::from(context.deadline());
    let handled = async { handle(consumer, read_event(payload.get())?, end).await };
    let (response, report) = handled.await.map_err(|error| function::unanswered(&error))?;
    let handle_time = (consumer.applier.clock.now() - begun).to_std().unwrap_or_default();
    metrics.write(&report, &context.request_id, handle_time);
    Ok(response)
}
