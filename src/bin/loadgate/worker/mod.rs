//! `loadgate worker`: consumes the input queue as the Lambda does, in a process of its own.

mod check;
mod serve;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::sqs::{SqsPublisher, SqsReceiver, queue_settings};
use loadgate::adapters::{SystemClock, aws, new_run_id};
use loadgate::config::{WorkerConfig, WorkerEnvironment};
use loadgate::deciding::consumer::Consumer;
use loadgate::deciding::{Decider, DecisionLog, PlanCache};
use loadgate::runtime::worker::{Settings, Worker, WorkerStopped};
use loadgate::telemetry::{Prometheus, init_logs};
use tokio::net::TcpListener;

use crate::cloud::{block_on, sdk_for_queue};
use crate::outcome::Failure;
use crate::signals::stop_signal;
use crate::standard_output;
use status::Status;

/// Text of the exit codes for `--help`.
const WORKER_EXIT_CODES: &str = "\
Exit codes:
  0  it was stopped, and has returned the messages that it had not begun; --check: everything is right
  1  it could not start, or the stop time-out expired; --check: something is wrong
  2  the configuration is wrong";

/// Consume the input queue as the Lambda does, until stopped
///
/// Every setting can be given as an environment variable, as for the Lambda, or in a TOML file. Its name in the file is
/// the variable's name in lower case, without LOADGATE_. A variable overrides the file. On SIGTERM or SIGINT the worker
/// finishes the batches that have begun, returns the other messages, and ends. On a second signal it ends at once.
#[derive(clap::Args)]
#[command(after_help = WORKER_EXIT_CODES)]
pub struct Args {
    /// TOML file with settings
    #[arg(long, value_name = "FILE", env = "LOADGATE_CONFIG")]
    config: Option<PathBuf>,

    /// Print the settings, and check that each queue and table is reachable and configured correctly; consume nothing
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let source = WorkerEnvironment::read_with(args.config.as_deref());
    let source = source.map_err(|error| Failure::Usage(error.into()))?;
    let config = source.read().map_err(|error| Failure::Usage(error.into()))?;
    if args.check {
        standard_output::require()?;
        return block_on(check::run(&source, &config));
    }
    init_logs(Some(&config.log_level));
    let worked = block_on(work(&config));
    if let Err(failure) = &worked {
        tracing::error!(error = failure.to_string(), "not started");
        return Ok(failure.exit_code());
    }
    worked
}

/// Returns the SDK configurations for DynamoDB and for SQS at the input queue's endpoint.
async fn sdks(config: &WorkerConfig) -> (SdkConfig, SdkConfig) {
    (aws::load(None).await, sdk_for_queue(&config.input_queue_url, None).await)
}

async fn work(config: &WorkerConfig) -> Result<ExitCode, Failure> {
    // Signals are registered first: process 1 of a container receives only signals that it handles.
    let stop =
        stop_signal(log_first_signal, log_second_signal).context("could not listen to signals").map_err(Failure::Io)?;
    let worker = Arc::new(open(config).await?);
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("could not listen on {}", config.listen)).map_err(Failure::Io)?;
    let prometheus = Prometheus::new().context("could not set up metrics").map_err(Failure::Io)?;
    let status = Arc::new(Status::new(prometheus, config.work_timeout));
    let served = tokio::spawn(serve::run(listener, Arc::clone(&status)));
    tracing::info!(
        input_queue_url = config.input_queue_url,
        customers_in_parallel = config.customers_in_parallel,
        listen = config.listen.to_string(),
        "started"
    );
    let stopped = worker.run(status.as_ref(), stop).await;
    served.abort();
    match stopped {
        WorkerStopped::Clean => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        WorkerStopped::CutShort => Ok(ExitCode::FAILURE),
    }
}

/// Opens everything and checks that it is usable.
async fn open(config: &WorkerConfig) -> Result<Worker<DynamoDb, SqsPublisher, SystemClock, SqsReceiver>, Failure> {
    let (dynamodb, sqs) = sdks(config).await;
    let consumer = &config.consumer;
    let store = DynamoDb::new(&dynamodb, consumer.tables.clone()).keeping_usage_for(consumer.usage_retention);
    let publisher =
        SqsPublisher::new(&sqs, consumer.decisions_queue_url.clone(), consumer.dead_letter_queue_url.clone());
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: consumer.limits.clone(),
        plans: PlanCache::default(),
        has_limit_table: consumer.tables.limit.is_some(),
        currency: consumer.currency,
        correlation_ttl: consumer.correlation_ttl,
        log: consumer.tables.log.is_some().then_some(DecisionLog { retention: consumer.log_retention, new_run_id }),
    };
    let connected = decider.store.connect(decider.has_fences()).await;
    connected.context("could not use the store").map_err(Failure::Io)?;
    decider.store.connect_log().await.context("could not use the decision log").map_err(Failure::Io)?;
    publisher.connect().await.context("could not use the queues").map_err(Failure::Io)?;
    let input = queue_settings(&sqs, &config.input_queue_url).await;
    let input = input.context("could not use the input queue").map_err(Failure::Io)?;
    if input.visibility.is_zero() {
        return Err(Failure::Io(anyhow!("the input queue's visibility time-out is 0: set it to 30 s at least")));
    }
    if input.retention >= consumer.correlation_ttl.to_std().unwrap_or_default() {
        let problem = check::retention_problem(config, &input);
        return Err(Failure::Io(anyhow!("the settings of the input queue are wrong: {problem}")));
    }
    for problem in check::input_problems(config, &input) {
        tracing::warn!(problem, "the settings of the input queue are wrong");
    }
    let settings = Settings {
        customers_in_parallel: config.customers_in_parallel.get(),
        poll_wait: config.poll_wait,
        visibility: input.visibility,
        work_timeout: config.work_timeout,
        stop_timeout: config.stop_timeout,
    };
    let receiver = SqsReceiver::new(&sqs, config.input_queue_url.clone());
    Ok(Worker { consumer: Consumer { decider, publisher }, receiver, settings })
}

fn log_first_signal() {
    tracing::info!("stopping: batches that have begun are finished, other messages return to the queue");
}

fn log_second_signal() {
    tracing::error!("stopped at once; what was under way is left for redelivery");
}
