//! The Lambda function behind an API Gateway. It is initialised once and then answers every request.

#![forbid(unsafe_code)]

mod function;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use chrono::TimeDelta;
use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::SqsJobQueue;
use loadgate::adapters::{SystemClock, aws, new_request_id, new_run_id};
use loadgate::config::{ApiConfig, TTL_HOURS_DEFAULT};
use loadgate::deciding::{Decider, DecisionLog, PlanCache};
use loadgate::runtime::http::{Access, REQUEST_TIMEOUT, RequestSettings, Services, gateway, router};
use serde::Serialize;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    function::run(init, invoke).await
}

/// Builds the router and opens the connections to DynamoDB. This is done at start because a starting function has more
/// processor time than a running one.
async fn init(_function_name: String) -> Result<Router, Error> {
    let config = ApiConfig::from_environment()?;
    let sdk = aws::load(None).await;
    let store = DynamoDb::new(&sdk, config.tables.clone());
    let queue = config.assignment_queue_url.map(|url| SqsJobQueue::new(&sdk, url));
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: config.limits,
        plans: PlanCache::default(),
        has_limit_table: config.tables.limit.is_some(),
        currency: config.currency,
        correlation_ttl: TimeDelta::hours(TTL_HOURS_DEFAULT),
        log: config.tables.log.is_some().then_some(DecisionLog { retention: None, new_run_id }),
    };
    Box::pin(function::connect(decider.store.connect_reads(decider.has_fences()), async { Ok(()) })).await?;
    // The gateway has checked the caller's signature.
    // IAM decides who may send which request.
    let access = Access { is_guarded: true, ..Access::default() };
    let settings = RequestSettings { timeout: REQUEST_TIMEOUT, access, new_id: new_request_id };
    Ok(router(Services::over(decider, config.cooling_off, queue), settings))
}

async fn invoke(
    router: Arc<Router>,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
) -> Result<impl Serialize, Diagnostic> {
    let event = gateway::read_event(payload.get()).map_err(|error| function::unanswered(&error))?;
    gateway::handle(Router::clone(&router), event, context).await.map_err(|never| match never {})
}
