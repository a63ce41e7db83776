//! Store of customers' settings, plans and programmes, as command-line arguments.

use std::io::{self, Write};

use anyhow::{Context, anyhow};
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::config::LIMIT_TABLE;
use loadgate::domain::ID_BYTES_MAX;
use loadgate::limits::{Author, PlanError, Plans, Precondition};
use loadgate::wire::view_json;
use serde::Serialize;

use crate::outcome::Failure;
use crate::standard_output;
use crate::store_kind::{Connection, StoreChoice};

/// Author of a change if the operating system names no user.
const UNKNOWN_USER: &str = "unknown user";

/// Store of customers' own limits, plans and programmes, as command-line arguments.
#[derive(clap::Args)]
pub struct LimitStoreArgs {
    #[command(flatten)]
    store: StoreChoice,
}

/// Author of a change, as command-line arguments.
#[derive(clap::Args)]
pub struct ByArgs {
    /// Author of the change [default: the user of the operating system]
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true, value_parser = by)]
    by: Option<String>,
}

/// Version that a change is based on, as command-line arguments.
#[derive(clap::Args)]
pub struct VersionArgs {
    /// Change it only if it still has this number: a version, or the number of a link [default: what is read first]
    #[arg(long, value_name = "NUMBER")]
    if_version: Option<u64>,
}

/// Version that a change is based on, or that there is none, as command-line arguments.
#[derive(clap::Args)]
pub struct BaseArgs {
    #[command(flatten)]
    version: VersionArgs,

    /// Change it only if there is none yet
    #[arg(long, conflicts_with = "if_version")]
    if_new: bool,
}

impl LimitStoreArgs {
    /// Returns true for a store that is a file. No other process works on its jobs.
    pub fn is_file(&self) -> bool {
        self.store.is_file()
    }

    /// Opens the store and checks that its table of customers' own limits is usable.
    ///
    /// # Errors
    /// [`Failure::Usage`] if no table is named; a file has a default.
    pub fn open(&self) -> Result<(DynamoDb, Connection), Failure> {
        let names = self.store.names()?;
        if names.limit.is_none() {
            let problem =
                format!("no table of customers' own limits is named: give --limit-table, or set {LIMIT_TABLE}");
            return Err(Failure::Usage(anyhow!(problem)));
        }
        let (store, connection) = self.store.open(names)?;
        let connected = connection.runtime.block_on(store.connect_limits());
        connected.context("could not use the store").map_err(Failure::Io)?;
        Ok((store, connection))
    }

    /// Opens the store, makes requests, and closes it.
    ///
    /// # Errors
    /// See [`LimitStoreArgs::open`]. The error of the requests says `what` could not be done.
    pub fn requests<T, E>(
        &self,
        what: &'static str,
        requests: impl AsyncFnOnce(DynamoDb) -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        Result<T, E>: Context<T, E>,
    {
        // What cannot be shown is not begun.
        standard_output::require()?;
        let (store, connection) = self.open()?;
        connection.requests(store, what, requests)
    }

    /// Makes requests about plans.
    ///
    /// # Errors
    /// See [`LimitStoreArgs::requests`].
    pub fn plans<T>(
        &self,
        what: &'static str,
        requests: impl AsyncFnOnce(&Plans<DynamoDb, SystemClock>) -> Result<T, PlanError>,
    ) -> Result<T, Failure> {
        self.requests(what, async |store| requests(&Plans { store, clock: SystemClock }).await)
    }
}

impl ByArgs {
    /// Returns the author.
    pub fn author(&self) -> Author {
        // A variable that is set to nothing counts as not set.
        let by = self.by.clone().filter(|by| !by.is_empty());
        Author(by.unwrap_or_else(|| UNKNOWN_USER.to_owned()))
    }
}

impl VersionArgs {
    /// Returns what the change requires.
    pub fn precondition(&self) -> Precondition {
        self.if_version.map_or(Precondition::Unset, |version| Precondition::Is(vec![version]))
    }
}

impl BaseArgs {
    /// Returns what the change requires.
    pub fn precondition(&self) -> Precondition {
        if self.if_new { Precondition::None } else { self.version.precondition() }
    }
}

/// Parses an id.
pub fn id(text: &str) -> Result<String, String> {
    if (1..=ID_BYTES_MAX).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("an id has 1 to {ID_BYTES_MAX} bytes"))
    }
}

fn by(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if text.len() <= ID_BYTES_MAX && is_plain {
        Ok(text.to_owned())
    } else {
        Err(format!("an author has 1 to {ID_BYTES_MAX} printable ASCII characters"))
    }
}

/// Writes a JSON object as a line to standard output.
pub fn print(view: &impl Serialize) -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", view_json(view)).context("could not write to standard output").map_err(Failure::Io)
}
