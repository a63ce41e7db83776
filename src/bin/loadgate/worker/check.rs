//! `loadgate worker --check`: prints the settings and tests each resource.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use aws_config::SdkConfig;
use loadgate::adapters::dynamodb::tables::{State, Tables};
use loadgate::adapters::sqs::{QueueSettings, queue_settings};
use loadgate::config::{Origin, SETTINGS, WorkerConfig, WorkerEnvironment, is_fifo};
use loadgate::deciding::{QueueError, with_sources};

use super::sdks;
use crate::outcome::Failure;

/// Minimum visibility time-out. The worker extends it three times within its length, and a request may take 5 s. With a
/// shorter one, a request that hangs lets messages become visible while they are processed.
const VISIBILITY_MIN: Duration = Duration::from_secs(30);

/// Minimum number of deliveries before the dead-letter queue: a short disturbance should not break a customer's order.
const RECEIVE_COUNT_MIN: u64 = 3;

/// Recommended retention of dead letters: 14 days, the maximum, because a person has to inspect them.
const LETTER_RETENTION: Duration = Duration::from_hours(14 * 24);

pub async fn run(source: &WorkerEnvironment, config: &WorkerConfig) -> Result<ExitCode, Failure> {
    let mut text = settings(source, config);
    let (dynamodb, sqs) = sdks(config).await;
    let mut is_right = true;
    for (what, problems) in [
        ("input queue", input(config, &sqs).await),
        ("decisions queue", decisions(config, &sqs).await),
        ("dead-letter queue", dead_letters(config, &sqs).await),
    ] {
        is_right &= say(&mut text, what, &problems);
    }
    for (what, problems) in tables(config, &dynamodb).await {
        is_right &= say(&mut text, &what, &problems);
    }
    std::io::stdout().write_all(text.as_bytes()).context("could not write to standard output").map_err(Failure::Io)?;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(source: &WorkerEnvironment, config: &WorkerConfig) -> String {
    let consumer = &config.consumer;
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let live = consumer.limits.iter().map(|limit| limit.code.clone());
    let codes: Vec<String> =
        live.chain(consumer.limits.shadow().map(|limit| format!("{} (shadow)", limit.code))).collect();
    let none = || "none".to_owned();
    // In the order of `SETTINGS`.
    let values = [
        config.input_queue_url.clone(),
        consumer.decisions_queue_url.clone(),
        consumer.dead_letter_queue_url.clone(),
        consumer.tables.correlation.clone(),
        consumer.tables.load.clone(),
        consumer.tables.limit.clone().unwrap_or_else(none),
        consumer.tables.log.clone().unwrap_or_else(none),
        consumer.correlation_ttl.num_hours().to_string(),
        consumer.log_retention.map_or(0, |retention| retention.num_days()).to_string(),
        consumer.usage_retention.map_or(0, |retention| retention.num_days()).to_string(),
        codes.join(", "),
        consumer.currency.code().to_owned(),
        config.customers_in_parallel.to_string(),
        seconds(config.poll_wait),
        seconds(config.work_timeout),
        seconds(config.stop_timeout),
        config.listen.to_string(),
        config.log_level.clone(),
    ];
    let mut text = String::new();
    for (name, value) in SETTINGS.into_iter().zip(values) {
        let origin = match source.origin(name) {
            Origin::Environment => "environment",
            Origin::File => "file",
            Origin::Default => "default",
        };
        let _ = writeln!(text, "{name:32} {value}  ({origin})");
    }
    text.push('\n');
    text
}

/// Adds one line of the report. Returns true if there is no problem.
fn say(text: &mut String, what: &str, problems: &[String]) -> bool {
    if problems.is_empty() {
        let _ = writeln!(text, "ok       {what}");
    }
    for problem in problems {
        let _ = writeln!(text, "problem  {what}: {problem}");
    }
    problems.is_empty()
}

async fn input(config: &WorkerConfig, sqs: &SdkConfig) -> Vec<String> {
    problems(queue_settings(sqs, &config.input_queue_url).await, |queue| input_problems(config, queue))
}

/// Lists the problems of the input queue.
pub fn input_problems(config: &WorkerConfig, queue: &QueueSettings) -> Vec<String> {
    let mut problems = fifo_problems(queue);
    if queue.visibility < VISIBILITY_MIN {
        problems.push(format!(
            "its visibility time-out of {} s is too short: messages could be received again while they are worked on; \
             set {} s or more",
            queue.visibility.as_secs(),
            VISIBILITY_MIN.as_secs()
        ));
    }
    if queue.retention >= config.consumer.correlation_ttl.to_std().unwrap_or_default() {
        problems.push(retention_problem(config, queue));
    }
    let Some(redrive) = &queue.redrive else {
        problems.push("it has no redrive policy: a message that always fails holds up its customer".to_owned());
        return problems;
    };
    let (target, own) = (redrive.target(), &config.consumer.dead_letter_queue_url);
    if !is_fifo(target) {
        problems.push(format!("its dead-letter queue '{target}' is not FIFO: customers' order is lost in it"));
    }
    if !redrive.leads_to(own) {
        problems.push(format!("its dead-letter queue is '{target}', but invalid input goes to '{own}'"));
    }
    if redrive.max_receive_count < RECEIVE_COUNT_MIN {
        problems.push(format!(
            "a message goes to the dead-letter queue after {} deliveries: a short disturbance costs customers their order; \
             allow {RECEIVE_COUNT_MIN} or more",
            redrive.max_receive_count
        ));
    }
    problems
}

/// Describes the problem of a queue that keeps messages longer than decided events are remembered.
pub fn retention_problem(config: &WorkerConfig, queue: &QueueSettings) -> String {
    format!(
        "it keeps messages for {} h, but a decided event is remembered for {} h: a message that is received late could be \
         decided twice; keep messages for less",
        queue.retention.as_secs() / 3600,
        config.consumer.correlation_ttl.num_hours()
    )
}

async fn decisions(config: &WorkerConfig, sqs: &SdkConfig) -> Vec<String> {
    problems(queue_settings(sqs, &config.consumer.decisions_queue_url).await, fifo_problems)
}

async fn dead_letters(config: &WorkerConfig, sqs: &SdkConfig) -> Vec<String> {
    problems(queue_settings(sqs, &config.consumer.dead_letter_queue_url).await, |queue| {
        let mut problems = fifo_problems(queue);
        if queue.retention < LETTER_RETENTION {
            let hours = queue.retention.as_secs() / 3600;
            problems.push(format!("it keeps dead letters for {hours} h only; SQS can keep them for 14 days"));
        }
        problems
    })
}

fn fifo_problems(queue: &QueueSettings) -> Vec<String> {
    if queue.is_fifo { vec![] } else { vec!["it is not FIFO: the order of a customer's messages is lost".to_owned()] }
}

fn problems(queue: Result<QueueSettings, QueueError>, look: impl FnOnce(&QueueSettings) -> Vec<String>) -> Vec<String> {
    match queue {
        Ok(queue) => look(&queue),
        Err(error) => vec![with_sources(&error)],
    }
}

async fn tables(config: &WorkerConfig, dynamodb: &SdkConfig) -> Vec<(String, Vec<String>)> {
    let states = match Tables::new(dynamodb, config.consumer.tables.clone()).status().await {
        Ok(states) => states,
        Err(error) => return vec![("tables".to_owned(), vec![with_sources(&error)])],
    };
    let problem = |state| match state {
        State::Ready { .. } => vec![],
        State::Missing => vec!["it is missing; `loadgate tables create` creates it".to_owned()],
        State::Unusable(problem) => vec![problem],
    };
    states.into_iter().map(|table| (format!("table {}", table.name), problem(table.state))).collect()
}
