//! Start and loop that all Lambda functions share.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use loadgate::config::LambdaEnvironment;
use loadgate::deciding::{QueueError, StoreError, with_sources};
use loadgate::runtime::init_error;
use loadgate::telemetry::init_logs;
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::Instrument;

/// Time-out of the connections at start. Lambda gives a function 10 s to start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the function with `init`, which receives the function's name, and then handles every event with `invoke`.
pub async fn run<F, I, A, R>(
    init: impl FnOnce(String) -> I,
    invoke: impl Fn(Arc<F>, LambdaEvent<Box<RawValue>>) -> A,
) -> ExitCode
where
    I: Future<Output = Result<F, Error>>,
    A: Future<Output = Result<R, Diagnostic>>,
    R: Serialize,
{
    let environment = LambdaEnvironment::read();
    init_logs(environment.log_level.as_deref());
    let Some(function_name) = environment.function_name else {
        tracing::error!(
            "this program is started by AWS Lambda; try it with `make invoke EVENT=events/one-customer.json`"
        );
        return ExitCode::FAILURE;
    };
    // Boxed: the start needs many kilobytes, which the loop does not.
    match Box::pin(init(function_name)).await {
        Ok(function) => serve(Arc::new(function), invoke).await,
        Err(error) => {
            let error = with_sources(error.as_ref());
            tracing::error!(error, "not started");
            init_error::report(&error).await;
            ExitCode::FAILURE
        }
    }
}

async fn serve<F, A, R>(function: Arc<F>, invoke: impl Fn(Arc<F>, LambdaEvent<Box<RawValue>>) -> A) -> ExitCode
where
    A: Future<Output = Result<R, Diagnostic>>,
    R: Serialize,
{
    let invoke = |event: LambdaEvent<Box<RawValue>>| {
        let span =
            tracing::info_span!("invocation", request_id = event.context.request_id, run_id = tracing::field::Empty);
        // Boxed: the compiler gives up on futures that are nested as deeply as the runtime's and ours together.
        Box::pin(invoke(Arc::clone(&function), event)).instrument(span)
    };
    match lambda_runtime::run(service_fn(invoke)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = with_sources(error.as_ref()), "the runtime has stopped");
            ExitCode::FAILURE
        }
    }
}

/// Opens the connections to DynamoDB and SQS. Fails if a table or a queue is missing. A service that merely does not answer
/// is no error: it may answer by the time of the first batch. If it does not, the batch is left to be delivered again.
///
/// # Errors
/// [`StoreError::Misconfigured`], and a [`QueueError`] that is not retryable.
pub async fn connect(
    dynamodb: impl Future<Output = Result<(), StoreError>>,
    sqs: impl Future<Output = Result<(), QueueError>>,
) -> Result<(), Error> {
    let both = async { tokio::join!(dynamodb, sqs) };
    match tokio::time::timeout(CONNECT_TIMEOUT, both).await {
        Ok((Err(error @ StoreError::Misconfigured(_)), _)) => Err(error.into()),
        Ok((_, Err(error))) if !error.is_retryable => Err(error.into()),
        Ok((dynamodb, sqs)) => {
            if let Err(error) = dynamodb {
                tracing::warn!(error = with_sources(&error), "DynamoDB could not be reached at start");
            }
            if let Err(error) = sqs {
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

/// Logs an event that cannot be answered, and converts its error to that of the invocation.
pub fn unanswered(error: &impl std::error::Error) -> Diagnostic {
    tracing::error!(error = error.to_string(), "the event cannot be answered");
    Diagnostic { error_type: "EventError".to_owned(), error_message: error.to_string() }
}
