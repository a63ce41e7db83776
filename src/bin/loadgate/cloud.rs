//! Arguments and helpers that the AWS commands share.

use std::future::Future;
use std::num::NonZeroUsize;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use loadgate::adapters::aws;
use loadgate::config::{CORRELATION_TABLE, DECISION_LOG_TABLE, LIMIT_TABLE, LOAD_TABLE, TableNames, is_url};
use tokio::runtime::{Builder, Runtime};

use crate::outcome::Failure;

/// Names of the tables, as command-line arguments.
#[derive(clap::Args)]
#[allow(clippy::struct_field_names)]
pub struct TableArgs {
    /// Name of the table of correlation records
    #[arg(long, global = true, value_name = "NAME", env = CORRELATION_TABLE, default_value_t = TableNames::default().correlation)]
    correlation_table: String,

    /// Name of the table of usage rows
    #[arg(long, global = true, value_name = "NAME", env = LOAD_TABLE, default_value_t = TableNames::default().load)]
    load_table: String,

    /// Name of the table of customers' own limits [default: none, and customers have no limits of their own]
    #[arg(long, global = true, value_name = "NAME", env = LIMIT_TABLE)]
    limit_table: Option<String>,

    /// Name of the table of the decision log [default: none, and decisions are not logged]
    #[arg(long, global = true, value_name = "NAME", env = DECISION_LOG_TABLE)]
    decision_log_table: Option<String>,
}

impl TableArgs {
    /// Returns the names of the tables.
    ///
    /// # Errors
    /// [`Failure::Usage`] when two names stand for one table.
    pub fn names(&self) -> Result<TableNames, Failure> {
        self.names_or(None)
    }

    /// Returns the names of the tables, with a default name for the table of customers' own limits.
    ///
    /// # Errors
    /// [`Failure::Usage`] when two names stand for one table.
    pub fn names_or(&self, limit: Option<&str>) -> Result<TableNames, Failure> {
        let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        let names = TableNames {
            correlation: self.correlation_table.clone(),
            load: self.load_table.clone(),
            limit: given(&self.limit_table).or_else(|| limit.map(str::to_owned)),
            log: given(&self.decision_log_table),
        };
        if let Some(same) = names.same() {
            let [earlier, later] = same.map(argument);
            return Err(Failure::Usage(anyhow!(
                "{earlier} and {later} name the same table; give each a name of its own"
            )));
        }
        Ok(names)
    }
}

/// Returns the argument that stands for a variable.
fn argument(variable: &str) -> &str {
    match variable {
        CORRELATION_TABLE => "--correlation-table",
        LOAD_TABLE => "--load-table",
        DECISION_LOG_TABLE => "--decision-log-table",
        _ => "--limit-table",
    }
}

/// URL and endpoint of a queue, as command-line arguments.
#[derive(clap::Args)]
pub struct QueueArgs {
    /// URL of the queue
    #[arg(long, value_name = "URL", value_parser = url)]
    pub queue_url: String,

    /// SQS endpoint [default: AWS's own, or the queue's host if that is this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,
}

impl QueueArgs {
    /// Returns the SDK configuration for this queue.
    pub async fn sdk(&self) -> SdkConfig {
        sdk_for_queue(&self.queue_url, self.endpoint_url.as_deref()).await
    }
}

/// Returns the SDK configuration for a queue. The endpoint of a queue on this machine is the origin of its URL.
pub async fn sdk_for_queue(queue_url: &str, endpoint_url: Option<&str>) -> SdkConfig {
    let own_host = || origin(queue_url).filter(|origin| aws::is_local(origin));
    aws::load(endpoint_url.or_else(own_host)).await
}

/// Parses a URL argument.
pub fn url(text: &str) -> Result<String, String> {
    if is_url(text) { Ok(text.to_owned()) } else { Err("a URL begins with https:// or http://".to_owned()) }
}

/// Returns the `http://host:port` part of a URL.
fn origin(url: &str) -> Option<&str> {
    let begin = url.find("://")? + 3;
    let end = url.get(begin..)?.find('/').map_or(url.len(), |slash| begin + slash);
    url.get(..end)
}

/// Builds the asynchronous runtime.
pub fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().build().context("could not start threads").map_err(Failure::Io)
}

/// Runs one command to completion.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(None)?.block_on(work)
}
