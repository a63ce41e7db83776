//! The Lambda function. It is initialised once and then handles every batch.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use chrono::{DateTime, Utc};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsPublisher;
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::{ConsumerConfig, LambdaEnvironment};
use loadgate::deciding::consumer::Consumer;
use loadgate::deciding::{Clock, Decider, StoreError, with_sources};
use loadgate::runtime::lambda::{handle, read_event};
use loadgate::telemetry::{Metrics, init_logs};
use serde_json::value::RawValue;
use tracing::Instrument;

/// Time-out of the connections to DynamoDB and SQS at start. Lambda gives a function 10 s to start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Loadgate = Consumer<DynamoDb, SqsPublisher, SystemClock>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = LambdaEnvironment::read();
    init_logs(environment.log_level.as_deref());
    let Some(function_name) = environment.function_name else {
        tracing::error!(
            "this program is started by AWS Lambda; try it with `make invoke EVENT=events/one-customer.json`"
        );
        return ExitCode::FAILURE;
    };
    match init(function_name).await {
        Ok((consumer, metrics)) => serve(Arc::new(consumer), metrics).await,
        Err(error) => {
            let error = with_sources(error.as_ref());
            tracing::error!(error, "not started");
            loadgate::runtime::init_error::report(&error).await;
            ExitCode::FAILURE
        }
    }
}

/// Builds the consumer and opens the connections to DynamoDB and SQS. This is done at start because a starting function
/// has more processor time than a running one.
async fn init(function_name: String) -> Result<(Loadgate, Metrics), lambda_runtime::Error> {
    let config = ConsumerConfig::from_environment()?;
    let metrics = Metrics::new(function_name)?;
    let sdk = aws::load(None).await;
    let has_own_limits = config.tables.limit.is_some();
    let store = DynamoDb::new(&sdk, config.tables);
    let publisher = SqsPublisher::new(&sdk, config.decisions_queue_url, config.dead_letter_queue_url);
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: config.limits,
        has_own_limits,
        currency: config.currency,
        correlation_ttl: config.correlation_ttl,
    };
    connect(&decider, &publisher).await?;
    Ok((Consumer { decider, publisher }, metrics))
}

/// Opens the connections. Fails if a table or a queue is missing. A service that merely does not answer is no error: it
/// may answer by the time of the first batch. If it does not, the batch's messages are left for redelivery.
async fn connect(
    decider: &Decider<DynamoDb, SystemClock>,
    publisher: &SqsPublisher,
) -> Result<(), lambda_runtime::Error> {
    let both = async { tokio::join!(decider.store.connect(decider.has_fences()), publisher.connect()) };
    match tokio::time::timeout(CONNECT_TIMEOUT, both).await {
        Ok((Err(error @ StoreError::Misconfigured(_)), _)) => Err(error.into()),
        Ok((_, Err(error))) if !error.is_retryable => Err(error.into()),
        Ok((store, publisher)) => {
            if let Err(error) = store {
                tracing::warn!(error = with_sources(&error), "DynamoDB could not be reached at start");
            }
            if let Err(error) = publisher {
                tracing::warn!(error = with_sources(&error), "SQS could not be reached at start");
            }
            Ok(())
        }
        Err(_) => {
            tracing::warn!("DynamoDB or SQS did not answer at start");
            Ok(())
        }
    }
}

async fn serve(consumer: Arc<Loadgate>, metrics: Metrics) -> ExitCode {
    let invoke = |event: LambdaEvent<Box<RawValue>>| {
        let span = tracing::info_span!("invocation", request_id = event.context.request_id);
        let consumer = Arc::clone(&consumer);
        async move { invoke(&consumer, metrics, event).await }.instrument(span)
    };
    match lambda_runtime::run(service_fn(invoke)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = with_sources(error.as_ref()), "the runtime has stopped");
            ExitCode::FAILURE
        }
    }
}

async fn invoke(
    consumer: &Loadgate,
    metrics: Metrics,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
) -> Result<SqsBatchResponse, Diagnostic> {
    let begun = consumer.decider.clock.now();
    let end = DateTime::<Utc>::from(context.deadline());
    let handled = async { handle(consumer, read_event(payload.get())?, end).await };
    let (response, report) = handled.await.map_err(|error| {
        tracing::error!(error = error.to_string(), "the event cannot be answered");
        Diagnostic { error_type: "EventError".to_owned(), error_message: error.to_string() }
    })?;
    let handle_time = (consumer.decider.clock.now() - begun).to_std().unwrap_or_default();
    if let Err(error) = metrics.write(&report, &context.request_id, handle_time) {
        tracing::warn!(error = error.to_string(), "the metrics could not be written");
    }
    Ok(response)
}
