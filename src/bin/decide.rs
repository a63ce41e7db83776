//! The Lambda function on the queue of load attempts. It is initialised once and then handles every batch.

#![forbid(unsafe_code)]

mod function;

use std::process::ExitCode;
use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use chrono::{DateTime, Utc};
use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsPublisher;
use loadgate::adapters::{SystemClock, aws, new_run_id};
use loadgate::config::ConsumerConfig;
use loadgate::deciding::consumer::{BatchReport, Consumer};
use loadgate::deciding::{Clock, Decider, DecisionLog, PlanCache};
use loadgate::runtime::lambda::{handle, read_event};
use loadgate::telemetry::Metrics;
use serde_json::value::RawValue;

struct Function {
    consumer: Consumer<DynamoDb, SqsPublisher, SystemClock>,
    metrics: Metrics<BatchReport>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    function::run(init, invoke).await
}

/// Builds the consumer and opens the connections to DynamoDB and SQS. This is done at start because a starting function
/// has more processor time than a running one.
async fn init(function_name: String) -> Result<Function, Error> {
    let config = ConsumerConfig::from_environment()?;
    let metrics = Metrics::new(function_name)?;
    let sdk = aws::load(None).await;
    let (has_limit_table, has_log) = (config.tables.limit.is_some(), config.tables.log.is_some());
    let store = DynamoDb::new(&sdk, config.tables).keeping_usage_for(config.usage_retention);
    let publisher = SqsPublisher::new(&sdk, config.decisions_queue_url, config.dead_letter_queue_url);
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: config.limits,
        plans: PlanCache::default(),
        has_limit_table,
        currency: config.currency,
        correlation_ttl: config.correlation_ttl,
        log: has_log.then_some(DecisionLog { retention: config.log_retention, new_run_id }),
    };
    let tables = async {
        decider.store.connect(decider.has_fences()).await?;
        decider.store.connect_log().await
    };
    Box::pin(function::connect(tables, publisher.connect())).await?;
    Ok(Function { consumer: Consumer { decider, publisher }, metrics })
}

async fn invoke(
    function: Arc<Function>,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
) -> Result<SqsBatchResponse, Diagnostic> {
    let Function { consumer, metrics } = &*function;
    let begun = consumer.decider.clock.now();
    let end = DateTime::<Utc>::from(context.deadline());
    let handled = async { handle(consumer, read_event(payload.get())?, end).await };
    let (response, report) = handled.await.map_err(|error| function::unanswered(&error))?;
    let handle_time = (consumer.decider.clock.now() - begun).to_std().unwrap_or_default();
    metrics.write(&report, &context.request_id, handle_time);
    Ok(response)
}
