//! Kinds of stores that a command can use, and opening one.

use anyhow::{Context, anyhow};
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::config::TableNames;
use tokio::runtime::Runtime;

use crate::cloud::{TableArgs, runtime, url};
use crate::outcome::Failure;

/// Default name of the table of customers' own limits in a store that is a file.
const TABLE_IN_FILE: &str = "LimitTable";

/// A kind of store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    DynamoDb,
    #[cfg(feature = "sqlite")]
    Sqlite(std::path::PathBuf),
}

/// Store and its tables, as command-line arguments.
#[derive(clap::Args)]
pub struct StoreChoice {
    /// Store: `dynamodb`, or `sqlite:PATH` for the file that `replay --store sqlite:PATH` uses
    #[arg(long, value_name = "STORE", default_value = "dynamodb", value_parser = StoreKind::parse)]
    store: StoreKind,

    /// DynamoDB endpoint [default: AWS's own]
    #[arg(long, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,

    #[command(flatten)]
    tables: TableArgs,
}

/// Resources that keep an open store open.
pub struct Connection {
    pub runtime: Runtime,
    #[cfg(feature = "sqlite")]
    embedded: Option<crate::embedded::Embedded>,
}

impl StoreKind {
    /// Parses the value of an argument.
    pub fn parse(text: &str) -> Result<StoreKind, String> {
        match text.split_once(':') {
            None if text == "dynamodb" => Ok(StoreKind::DynamoDb),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) if !path.is_empty() => Ok(StoreKind::Sqlite(path.into())),
            #[cfg(not(feature = "sqlite"))]
            Some(("sqlite", _)) => Err("this loadgate has no sqlite; build it with `--features sqlite`".to_owned()),
            _ => Err("neither `dynamodb` nor `sqlite:PATH`".to_owned()),
        }
    }

    /// Returns the default name of the table of customers' own limits. A store that is a file always has one, so that limits
    /// that were applied to it are enforced.
    pub fn limit_table(&self) -> Option<&'static str> {
        (*self != StoreKind::DynamoDb).then_some(TABLE_IN_FILE)
    }

    /// Opens the store. Creates the file of an embedded one, and its tables, if they do not exist.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an endpoint of a store that is a file.
    pub fn open(
        &self,
        endpoint_url: Option<&str>,
        names: TableNames,
        runtime: Runtime,
    ) -> Result<(DynamoDb, Connection), Failure> {
        if endpoint_url.is_some() && *self != StoreKind::DynamoDb {
            return Err(Failure::Usage(anyhow!("--endpoint-url says where DynamoDB is; this store is a file")));
        }
        #[cfg(feature = "sqlite")]
        let embedded = match self {
            StoreKind::DynamoDb => None,
            StoreKind::Sqlite(path) => {
                let opened = runtime.block_on(crate::embedded::Embedded::open(path, &names));
                let opened = opened.with_context(|| format!("could not open the store '{}'", path.display()));
                Some(opened.map_err(Failure::Io)?)
            }
        };
        #[cfg(feature = "sqlite")]
        let endpoint_url = embedded.as_ref().map(|embedded| embedded.url.as_str()).or(endpoint_url);
        let store = DynamoDb::new(&runtime.block_on(aws::load(endpoint_url)), names);
        let connection = Connection {
            runtime,
            #[cfg(feature = "sqlite")]
            embedded,
        };
        Ok((store, connection))
    }
}

impl StoreChoice {
    /// Returns true for a store that is a file. No other process uses it.
    pub fn is_file(&self) -> bool {
        self.store != StoreKind::DynamoDb
    }

    /// Returns the names of the tables.
    ///
    /// # Errors
    /// [`Failure::Usage`] when two names stand for one table.
    pub fn names(&self) -> Result<TableNames, Failure> {
        self.tables.names_or(self.store.limit_table())
    }

    /// Opens the store with these tables.
    ///
    /// # Errors
    /// See [`StoreKind::open`].
    pub fn open(&self, names: TableNames) -> Result<(DynamoDb, Connection), Failure> {
        self.store.open(self.endpoint_url.as_deref(), names, runtime(None)?)
    }
}

impl Connection {
    /// Makes requests, and closes the store.
    ///
    /// # Errors
    /// The error of the requests says `what` could not be done.
    pub fn requests<T, E>(
        self,
        store: DynamoDb,
        what: &'static str,
        requests: impl AsyncFnOnce(DynamoDb) -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        Result<T, E>: Context<T, E>,
    {
        let answer = self.runtime.block_on(requests(store));
        self.close();
        answer.context(what).map_err(Failure::Io)
    }

    /// Waits for the requests in progress and closes the store.
    #[cfg_attr(not(feature = "sqlite"), allow(clippy::unused_self))]
    pub fn close(self) {
        #[cfg(feature = "sqlite")]
        if let Some(embedded) = self.embedded {
            self.runtime.block_on(embedded.close());
        }
    }
}
