//! The only reader of configuration: environment variables and the limits file.

mod environment;
mod limits;

pub use environment::{
    CORRELATION_TABLE, CORRELATION_TTL_HOURS, ConfigError, DEAD_LETTER_QUEUE_URL, DECISIONS_QUEUE_URL, LIMITS,
    LOAD_TABLE, LambdaConfig, LambdaEnvironment, TTL_HOURS_MAX, TableNames, has_credentials, is_fifo, is_url,
};
pub use limits::{LimitsFileError, LimitsTextError, parse_limits, read_limits};
