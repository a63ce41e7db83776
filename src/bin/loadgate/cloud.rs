//! Arguments and runtime that the commands with AWS share.

use std::future::Future;
use std::num::NonZeroUsize;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use loadgate::adapters::aws;
use loadgate::config::{CORRELATION_TABLE, LOAD_TABLE, TableNames, is_url};
use tokio::runtime::{Builder, Runtime};

use crate::outcome::Failure;

/// Which tables.
#[derive(clap::Args)]
pub struct TableArgs {
    /// The table of correlation records
    #[arg(long, global = true, value_name = "NAME", env = CORRELATION_TABLE, default_value_t = TableNames::default().correlation)]
    correlation_table: String,

    /// The table of customers' usage
    #[arg(long, global = true, value_name = "NAME", env = LOAD_TABLE, default_value_t = TableNames::default().load)]
    load_table: String,
}

impl TableArgs {
    /// The tables' names.
    ///
    /// # Errors
    /// [`Failure::Usage`] when they are one table.
    pub fn names(&self) -> Result<TableNames, Failure> {
        let names = TableNames { correlation: self.correlation_table.clone(), load: self.load_table.clone() };
        if names.are_one() {
            return Err(Failure::Usage(anyhow!(
                "--correlation-table and --load-table are both '{}'; they are two tables: give each a name of its own",
                names.load
            )));
        }
        Ok(names)
    }
}

/// Which queue.
#[derive(clap::Args)]
pub struct QueueArgs {
    /// The queue's URL
    #[arg(long, value_name = "URL", value_parser = url)]
    pub queue_url: String,

    /// Endpoint of SQS [default: AWS's own, or the queue's host if that is this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,
}

impl QueueArgs {
    /// The configuration to reach the queue with.
    pub async fn sdk(&self) -> SdkConfig {
        sdk_for_queue(&self.queue_url, self.endpoint_url.as_deref()).await
    }
}

/// The configuration to reach a queue with. One on this machine is where its URL says.
pub async fn sdk_for_queue(queue_url: &str, endpoint_url: Option<&str>) -> SdkConfig {
    let own_host = || origin(queue_url).filter(|origin| aws::is_local(origin));
    aws::load(endpoint_url.or_else(own_host)).await
}

/// Takes a URL from the command line.
pub fn url(text: &str) -> Result<String, String> {
    if is_url(text) { Ok(text.to_owned()) } else { Err("a URL begins with https:// or http://".to_owned()) }
}

/// `http://host:port` of a URL.
fn origin(url: &str) -> Option<&str> {
    let begin = url.find("://")? + 3;
    let end = url.get(begin..)?.find('/').map_or(url.len(), |slash| begin + slash);
    url.get(..end)
}

/// Runtime for all asynchronous requests.
pub fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().build().context("could not start threads").map_err(Failure::Io)
}

/// Runs one command to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(None)?.block_on(work)
}
