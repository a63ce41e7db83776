//! Configuration of reading and changing over HTTP.

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::cooling_off::read_cooling_off;
use super::environment::ENDPOINTS;
use super::reader::Reader;
use super::{ASSIGNMENT_QUEUE_URL, CURRENCY, ConfigError, LIMITS, LOG_LEVEL, TableNames};
use crate::domain::{CoolingOff, Currency, Limits};

/// Variable for the address on which `loadgate api` listens.
pub const API_LISTEN: &str = "LOADGATE_API_LISTEN";
/// Variable for the path of the file with the token that requests to `loadgate api` must have that change something.
pub const API_WRITE_TOKEN_FILE: &str = "LOADGATE_API_WRITE_TOKEN_FILE";
/// Variable for the path of the file with the token that requests to `loadgate api` must have that read.
pub const API_READ_TOKEN_FILE: &str = "LOADGATE_API_READ_TOKEN_FILE";

/// Minimum and maximum length of a token, in bytes.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 4096;

/// Configuration of reading and changing over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Names of the tables.
    pub tables: TableNames,
    /// Limits in force.
    pub limits: Limits,
    /// Currency of all amounts.
    pub currency: Currency,
    /// The rule for changes of own limits.
    pub cooling_off: CoolingOff,
    /// Standard queue of assignments; `None` if no job can be started.
    pub assignment_queue_url: Option<String>,
    /// Least severe level that `loadgate api` logs.
    pub log_level: String,
}

/// Error of a file with a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file cannot be read.
    #[error("could not read the token file")]
    Read(#[source] io::Error),
    /// The file does not have one token.
    #[error(
        "the token file must have one token: {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} letters, digits and punctuation"
    )]
    NoToken,
}

impl ApiConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<ApiConfig, ConfigError> {
        ApiConfig::with(|_| None)
    }

    /// Reads the process's environment, with some settings that have been given otherwise.
    ///
    /// # Errors
    /// [`ConfigError`] with every setting that is missing or wrong.
    pub fn with(given: impl Fn(&str) -> Option<String>) -> Result<ApiConfig, ConfigError> {
        ApiConfig::read(|name| given(name).map_or_else(|| std::env::var(name), Ok))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<String, VarError>) -> Result<ApiConfig, ConfigError> {
        let mut reader = Reader::new(get, str::to_owned);
        let config = ApiConfig {
            tables: TableNames::read_from(&mut reader),
            limits: reader.limits(LIMITS),
            currency: reader.currency(CURRENCY),
            cooling_off: read_cooling_off(&mut reader),
            assignment_queue_url: reader.optional_standard_url(ASSIGNMENT_QUEUE_URL),
            log_level: reader.log_level(LOG_LEVEL),
        };
        for name in ENDPOINTS {
            reader.endpoint(name);
        }
        reader.end(config)
    }
}

/// Reads the token in a file. White space around it is not part of it.
///
/// # Errors
/// [`TokenFileError`].
pub fn read_token(path: &Path) -> Result<String, TokenFileError> {
    let mut text = String::new();
    // A longer file has no token, and need not be read whole.
    let file = File::open(path).map_err(TokenFileError::Read)?;
    let read = file.take(2 * TOKEN_BYTES_MAX as u64).read_to_string(&mut text);
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(TokenFileError::NoToken),
        Err(error) => return Err(TokenFileError::Read(error)),
        Ok(_) => {}
    }
    let token = text.trim();
    let is_token =
        (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(token.to_owned()) } else { Err(TokenFileError::NoToken) }
}
