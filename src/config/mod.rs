//! Configuration: environment variables, the worker's file, and the limits file. No other module reads configuration.

#[cfg(feature = "http")]
mod api;
#[cfg(feature = "lambda")]
mod assignments;
#[cfg(feature = "http")]
mod cooling_off;
mod environment;
#[cfg(feature = "lambda")]
mod limit_stream;
mod limits;
mod reader;
#[cfg(feature = "worker")]
mod worker;

#[cfg(feature = "http")]
pub use api::{API_LISTEN, API_READ_TOKEN_FILE, API_WRITE_TOKEN_FILE, ApiConfig, TokenFileError, read_token};
#[cfg(feature = "lambda")]
pub use assignments::AssignmentConfig;
#[cfg(feature = "http")]
pub use cooling_off::{ChangeConfig, INCREASE_DELAY_HOURS, INCREASE_NEEDS_CONFIRMATION};
#[cfg(any(feature = "http", feature = "worker"))]
pub use environment::LOG_LEVEL;
pub use environment::{
    ASSIGNMENT_QUEUE_URL, CORRELATION_TABLE, CORRELATION_TTL_HOURS, CURRENCY, ConfigError, ConsumerConfig,
    DEAD_LETTER_QUEUE_URL, DECISION_LOG_DAYS, DECISION_LOG_TABLE, DECISIONS_QUEUE_URL, INPUT_QUEUE_URL,
    LIMIT_DEAD_LETTER_QUEUE_URL, LIMIT_TABLE, LIMITS, LOAD_TABLE, LOG_DAYS_MAX, LambdaEnvironment, TTL_HOURS_DEFAULT,
    TTL_HOURS_MAX, TableNames, USAGE_DAYS_MAX, USAGE_DAYS_MIN, USAGE_RETENTION_DAYS, has_credentials, is_fifo, is_url,
    log_retention, retention_problem, usage_retention,
};
#[cfg(feature = "lambda")]
pub use limit_stream::LimitStreamConfig;
pub use limits::{LimitsFileError, read_limits, read_limits_text};
#[cfg(feature = "worker")]
pub use worker::{Origin, SETTINGS, WorkerConfig, WorkerEnvironment, WorkerSource};
