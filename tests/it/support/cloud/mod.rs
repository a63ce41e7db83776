//! Local stand-ins for AWS services. A test starts them, and they end with the test.

mod emulator;
mod local;
mod proxy;
mod queues;
mod runtime_api;
mod stack;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::config::TableNames;
use tokio::sync::oneshot;

pub use emulator::Emulator;
pub use local::{dynamodb_local, free_port, tool};
pub use proxy::{Fault, Proxy, Reaches};
pub use queues::{Queues, drain, fresh_queue, fresh_queue_with, sqs};
pub use runtime_api::Bootstrap;
pub use stack::{Endpoints, Stack};
pub use worker::{Worker, environment};

/// Returns table names that no other test uses.
pub fn fresh_names() -> TableNames {
    static TESTS: AtomicU64 = AtomicU64::new(0);
    let test = format!("{}-{}", std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed));
    TableNames { correlation: format!("correlation-{test}"), load: format!("load-{test}"), limit: None, log: None }
}

/// Returns table names that no other test uses, with tables of customers' own limits and of the decision log.
pub fn fresh_names_with_limits() -> TableNames {
    let names = fresh_names();
    let table = |kind: &str| Some(names.load.replace("load-", kind));
    TableNames { limit: table("limits-"), log: table("log-"), ..names }
}

/// Returns the number of correlation records in a table.
pub async fn record_count(url: &str, table: &str) -> usize {
    let client = Client::new(&aws::load(Some(url)).await);
    let scan = client.scan().table_name(table).select(Select::Count).consistent_read(true).into_paginator().send();
    let pages = scan.collect::<Result<Vec<_>, _>>().await.unwrap();
    pages.iter().map(|page| usize::try_from(page.count()).unwrap()).sum()
}

/// A store over fresh tables, with its URL and the names of the tables.
pub struct Fresh {
    pub store: DynamoDb,
    pub url: String,
    pub names: TableNames,
    /// Stops an embedded server when it is dropped.
    _stop: Option<oneshot::Sender<()>>,
}

impl Fresh {
    async fn at(url: String, names: TableNames, stop: Option<oneshot::Sender<()>>) -> Fresh {
        let sdk = aws::load(Some(&url)).await;
        Tables::new(&sdk, names.clone()).create().await.unwrap();
        Fresh { store: DynamoDb::new(&sdk, names.clone()), url, names, _stop: stop }
    }

    /// Creates fresh tables in Amazon's DynamoDB Local.
    pub async fn in_dynamodb_local() -> Fresh {
        Fresh::at(dynamodb_local().to_owned(), fresh_names(), None).await
    }

    /// Creates fresh tables in Amazon's DynamoDB Local, with those of customers' own limits and of the decision log.
    pub async fn with_limits_in_dynamodb_local() -> Fresh {
        Fresh::at(dynamodb_local().to_owned(), fresh_names_with_limits(), None).await
    }

    /// Creates fresh tables in a new DynamoDB inside this process.
    pub async fn embedded() -> Fresh {
        Fresh::embedded_with(fresh_names()).await
    }

    /// Creates fresh tables in a new DynamoDB inside this process, with those of customers' own limits and of the decision
    /// log.
    pub async fn embedded_with_limits() -> Fresh {
        Fresh::embedded_with(fresh_names_with_limits()).await
    }

    async fn embedded_with(names: TableNames) -> Fresh {
        let database = dynoxide::Database::memory().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            let _ = stopped.await;
        }));
        Fresh::at(url, names, Some(stop)).await
    }

    /// Returns the number of correlation records.
    pub async fn record_count(&self) -> usize {
        record_count(&self.url, &self.names.correlation).await
    }

    /// Makes a customer's fence two hours older than it is.
    pub async fn age_fence(&self, customer: &str) {
        let client = Client::new(&aws::load(Some(&self.url)).await);
        let update = client.update_item().table_name(&self.names.load).update_expression("ADD CREATED_AT :age");
        let update = update.key("CUSTOMER_ID", AttributeValue::S(customer.to_owned()));
        let update = update.key("DATE", AttributeValue::S("FENCE".to_owned()));
        let update = update.condition_expression("attribute_exists(CREATED_AT)");
        update.expression_attribute_values(":age", AttributeValue::N("-7200".to_owned())).send().await.unwrap();
    }

    /// Returns a store that reaches the same tables through another URL.
    pub async fn through(&self, url: &str) -> DynamoDb {
        DynamoDb::new(&aws::load(Some(url)).await, self.names.clone())
    }
}
