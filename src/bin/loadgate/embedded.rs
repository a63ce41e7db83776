//! A DynamoDB inside this process, which keeps a file. It answers on a port of this machine only.

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
    /// URL of the embedded store.
    pub url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), String>>,
}

impl Embedded {
    /// Opens a file, which is created if there is none, with the tables in it.
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

    /// Lets what is under way come to its end, and closes the file.
    pub async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}
