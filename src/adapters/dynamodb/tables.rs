//! Creation, inspection and deletion of the tables.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::delete_table::DeleteTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use super::error::{store_error, unbuilt};
use super::item::{CUSTOMER_ID, DATE, EVENT_ID, EXPIRES_AT, RUN_ID, SEQ};
use super::limit_item::{PK, SK};
use crate::config::TableNames;
use crate::deciding::{Cause, StoreError};

/// Poll interval while a table is being created or deleted.
const POLL: Duration = Duration::from_millis(250);

/// Maximum time for the creation or deletion of a table.
const WAIT_MAX: Duration = Duration::from_mins(2);

/// The tables: two, one more if one of customers' own limits is named, and one more for the decision log.
#[derive(Clone, Debug)]
pub struct Tables {
    client: Client,
    names: TableNames,
}

/// Required shape of one table.
struct Wanted<'t> {
    name: &'t str,
    hash: &'static str,
    range: &'static str,
    has_ttl: bool,
}

/// Name and state of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Name of the table.
    pub name: String,
    /// State, with the reason if it is unusable.
    pub state: State,
}

/// State of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The table does not exist.
    Missing,
    /// The table is usable.
    Ready {
        /// Approximate number of items; DynamoDB updates it every six hours.
        items: i64,
    },
    /// The table is unusable, with the reason.
    Unusable(String),
}

/// Change made to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableResult {
    /// No change was needed.
    Nothing,
    /// The table was created.
    Created,
    /// The table existed; its time to live was turned on.
    TtlTurnedOn,
    /// The table was deleted.
    Deleted,
}

impl Tables {
    /// Creates a handle to these tables.
    pub fn new(config: &SdkConfig, names: TableNames) -> Tables {
        Tables { client: Client::new(config), names }
    }

    fn wanted(&self) -> impl Iterator<Item = Wanted<'_>> {
        let TableNames { correlation, load, limit, log } = &self.names;
        let two = [
            Wanted { name: correlation, hash: CUSTOMER_ID, range: EVENT_ID, has_ttl: true },
            Wanted { name: load, hash: CUSTOMER_ID, range: DATE, has_ttl: true },
        ];
        let limit = limit.iter().map(|name| Wanted { name, hash: PK, range: SK, has_ttl: true });
        let log = log.iter().map(|name| Wanted { name, hash: RUN_ID, range: SEQ, has_ttl: true });
        two.into_iter().chain(limit).chain(log)
    }

    /// Creates missing tables, and waits until all are usable. Safe to repeat.
    ///
    /// # Errors
    /// [`StoreError`], also if a table exists with another shape.
    pub async fn create(&self) -> Result<Vec<(String, TableResult)>, StoreError> {
        let mut done = Vec::new();
        for wanted in self.wanted() {
            let is_new = match self.describe(wanted.name).await? {
                None => self.create_one(&wanted).await?,
                Some(_) => false,
            };
            let table = self.wait_until_active(wanted.name).await?;
            if let Some(problem) = wanted.problem(&table) {
                return Err(StoreError::Misconfigured(Cause::new(format!("table {}: {problem}", wanted.name))));
            }
            let ttl_turned_on = wanted.has_ttl && self.turn_ttl_on(wanted.name).await?;
            let what = match (is_new, ttl_turned_on) {
                (true, _) => TableResult::Created,
                (false, true) => TableResult::TtlTurnedOn,
                (false, false) => TableResult::Nothing,
            };
            done.push((wanted.name.to_owned(), what));
        }
        Ok(done)
    }

    /// Returns the state of each table.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot be read.
    pub async fn status(&self) -> Result<Vec<TableState>, StoreError> {
        let mut states = Vec::new();
        for wanted in self.wanted() {
            let state = match self.describe(wanted.name).await? {
                None => State::Missing,
                Some(table) => self.state(&wanted, &table).await?,
            };
            states.push(TableState { name: wanted.name.to_owned(), state });
        }
        Ok(states)
    }

    async fn state(&self, wanted: &Wanted<'_>, table: &TableDescription) -> Result<State, StoreError> {
        if let Some(problem) = wanted.problem(table) {
            return Ok(State::Unusable(problem));
        }
        if wanted.has_ttl && !self.has_ttl(wanted.name).await? {
            let problem = format!("no time to live on {EXPIRES_AT}; `loadgate tables create` turns it on");
            return Ok(State::Unusable(problem));
        }
        match table.table_status() {
            Some(TableStatus::Active | TableStatus::Updating) => {
                Ok(State::Ready { items: table.item_count().unwrap_or_default() })
            }
            status => Ok(State::Unusable(status.map_or("in no known state", TableStatus::as_str).to_owned())),
        }
    }

    /// Deletes the tables with all their data, and waits until they are gone. Safe to repeat.
    ///
    /// # Errors
    /// [`StoreError`], also for a table with deletion protection.
    pub async fn delete(&self) -> Result<Vec<(String, TableResult)>, StoreError> {
        let mut done = Vec::new();
        for wanted in self.wanted() {
            let what = match self.describe(wanted.name).await? {
                None => TableResult::Nothing,
                Some(_) => self.delete_one(wanted.name).await?,
            };
            done.push((wanted.name.to_owned(), what));
        }
        Ok(done)
    }

    /// Creates a table. Returns false if it exists already, because another caller may have created it first.
    async fn create_one(&self, wanted: &Wanted<'_>) -> Result<bool, StoreError> {
        let mut request = self.client.create_table().table_name(wanted.name).billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [(wanted.hash, KeyType::Hash), (wanted.range, KeyType::Range)] {
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            request =
                request.key_schema(key.map_err(unbuilt)?).attribute_definitions(attribute.build().map_err(unbuilt)?);
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
                Ok(false)
            }
            Err(error) => Err(store_error("CreateTable", wanted.name, &error)),
        }
    }

    async fn delete_one(&self, name: &str) -> Result<TableResult, StoreError> {
        match self.client.delete_table().table_name(name).send().await {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(DeleteTableError::is_resource_not_found_exception) => {}
            Err(error) => return Err(store_error("DeleteTable", name, &error)),
        }
        let deadline = tokio::time::Instant::now() + WAIT_MAX;
        while self.describe(name).await?.is_some() {
            self.wait(name, "deleted", deadline).await?;
        }
        Ok(TableResult::Deleted)
    }

    async fn wait_until_active(&self, name: &str) -> Result<TableDescription, StoreError> {
        let deadline = tokio::time::Instant::now() + WAIT_MAX;
        loop {
            match self.describe(name).await? {
                Some(table) if matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating)) => {
                    return Ok(table);
                }
                _ => self.wait(name, "active", deadline).await?,
            }
        }
    }

    async fn wait(&self, name: &str, what: &str, deadline: tokio::time::Instant) -> Result<(), StoreError> {
        if tokio::time::Instant::now() > deadline {
            let what = format!("table {name} was not {what} within {} s; try again", WAIT_MAX.as_secs());
            return Err(StoreError::Unavailable(Cause::new(what)));
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }

    async fn describe(&self, name: &str) -> Result<Option<TableDescription>, StoreError> {
        match self.client.describe_table().table_name(name).send().await {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.as_service_error().is_some_and(DescribeTableError::is_resource_not_found_exception) => {
                Ok(None)
            }
            Err(error) => Err(store_error("DescribeTable", name, &error)),
        }
    }

    async fn has_ttl(&self, name: &str) -> Result<bool, StoreError> {
        let answer = self.client.describe_time_to_live().table_name(name).send().await;
        let answer = answer.map_err(|error| store_error("DescribeTimeToLive", name, &error))?;
        let ttl = answer.time_to_live_description();
        Ok(ttl.is_some_and(|ttl| {
            let is_on =
                matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
            is_on && ttl.attribute_name() == Some(EXPIRES_AT)
        }))
    }

    /// Turns time to live on. Returns false if it was on already.
    async fn turn_ttl_on(&self, name: &str) -> Result<bool, StoreError> {
        if self.has_ttl(name).await? {
            return Ok(false);
        }
        let ttl = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true).build();
        let request = self.client.update_time_to_live().table_name(name);
        let answer = request.time_to_live_specification(ttl.map_err(unbuilt)?).send().await;
        answer.map(|_| true).map_err(|error| store_error("UpdateTimeToLive", name, &error))
    }
}

impl Wanted<'_> {
    /// Returns a mismatch between an existing table and the required shape, if any.
    fn problem(&self, table: &TableDescription) -> Option<String> {
        let is_key = |name, kind: &KeyType| {
            table.key_schema().iter().any(|key| key.attribute_name() == name && key.key_type() == kind)
        };
        let is_string = |name| {
            let is = |kind: &AttributeDefinition| {
                kind.attribute_name() == name && *kind.attribute_type() == ScalarAttributeType::S
            };
            table.attribute_definitions().iter().any(is)
        };
        let is_right = is_key(self.hash, &KeyType::Hash)
            && is_key(self.range, &KeyType::Range)
            && is_string(self.hash)
            && is_string(self.range);
        let wanted = || format!("it has other keys than {} (S, hash) and {} (S, range)", self.hash, self.range);
        (!is_right).then(wanted)
    }
}
