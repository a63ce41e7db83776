//! Configuration of the function on the stream of limit events.

use std::env::VarError;

use super::environment::ENDPOINTS;
use super::reader::Reader;
use super::{CURRENCY, ConfigError, LIMIT_DEAD_LETTER_QUEUE_URL, LIMIT_TABLE, TableNames};
use crate::domain::Currency;

/// Configuration of the function on the stream of limit events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStreamConfig {
    /// Names of the tables. One of customers' own limits is among them.
    pub tables: TableNames,
    /// Standard queue to which events go that cannot be applied.
    pub dead_letter_queue_url: String,
    /// Currency of all amounts.
    pub currency: Currency,
}

impl LimitStreamConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<LimitStreamConfig, ConfigError> {
        LimitStreamConfig::read(|name| std::env::var(name))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<String, VarError>) -> Result<LimitStreamConfig, ConfigError> {
        let mut reader = Reader::new(get, str::to_owned);
        let tables = TableNames::read_from(&mut reader);
        if tables.limit.is_none() {
            reader.problem(LIMIT_TABLE, "is missing; set it to the name of the table of customers' own limits");
        }
        let config = LimitStreamConfig {
            tables,
            dead_letter_queue_url: reader.standard_url(LIMIT_DEAD_LETTER_QUEUE_URL),
            currency: reader.currency(CURRENCY),
        };
        for name in ENDPOINTS {
            reader.endpoint(name);
        }
        reader.end(config)
    }
}
