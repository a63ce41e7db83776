//! Configuration of the function on the queue of assignments.

use std::env::VarError;

use super::environment::ENDPOINTS;
use super::reader::Reader;
use super::{ASSIGNMENT_QUEUE_URL, ConfigError, LIMIT_TABLE, TableNames};

/// Configuration of the function on the queue of assignments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentConfig {
    /// Names of the tables. Only that of customers' own limits is used.
    pub tables: TableNames,
    /// Standard queue through which jobs proceed.
    pub assignment_queue_url: String,
}

impl AssignmentConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<AssignmentConfig, ConfigError> {
        AssignmentConfig::read(|name| std::env::var(name))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<String, VarError>) -> Result<AssignmentConfig, ConfigError> {
        let mut reader = Reader::new(get, str::to_owned);
        let tables = TableNames { limit: reader.optional_table(LIMIT_TABLE), ..TableNames::default() };
        if tables.limit.is_none() {
            reader.problem(LIMIT_TABLE, "is missing; set it to the name of the table of customers' own limits");
        }
        let config = AssignmentConfig { tables, assignment_queue_url: reader.standard_url(ASSIGNMENT_QUEUE_URL) };
        for name in ENDPOINTS {
            reader.endpoint(name);
        }
        reader.end(config)
    }
}
