//! A DynamoDB inside this process, stored in a file. It listens on this machine only.

use std::path::Path;

use anyhow::{Context, anyhow};
use dynoxide::Database;
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::config::TableNames;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An embedded DynamoDB.
pub struct Embedded {
    /// Endpoint of the embedded DynamoDB.
    pub url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), String>>,
}

impl Embedded {
    /// Opens a file and the tables in it. Creates the file if it does not exist.
    pub async fn open(path: &Path, names: &TableNames) -> anyhow::Result<Embedded> {
        let path = path.to_str().context("its path is not UTF-8")?;
        let database = Database::new(path).map_err(|error| anyhow!("{error}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let url = format!("http://{}", listener.local_addr().context("the port has no address")?);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            let _ = stopped.await;
        }));
        Tables::new(&aws::load(Some(&url)).await, names.clone()).create().await?;
        Ok(Embedded { url, stop, server })
    }

    /// Waits for the requests in progress and closes the file.
    pub async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}
