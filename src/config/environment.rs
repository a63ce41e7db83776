//! The Lambda's configuration: environment variables, and nothing else.

use std::env::VarError;
use std::error::Error;
use std::path::Path;

use chrono::TimeDelta;

use super::{LimitsFileError, parse_limits, read_limits};
use crate::domain::Limits;

/// The variable with the name of the table of correlation records.
pub const CORRELATION_TABLE: &str = "LOADGATE_CORRELATION_TABLE";
/// The variable with the name of the table of usage rows.
pub const LOAD_TABLE: &str = "LOADGATE_LOAD_TABLE";
/// The variable with the URL of the FIFO queue to which decisions are published.
pub const DECISIONS_QUEUE_URL: &str = "LOADGATE_DECISIONS_QUEUE_URL";
/// The variable with the URL of the FIFO queue to which invalid input goes.
pub const DEAD_LETTER_QUEUE_URL: &str = "LOADGATE_DEAD_LETTER_QUEUE_URL";
/// The variable with the number of hours for which a decided event is remembered.
pub const CORRELATION_TTL_HOURS: &str = "LOADGATE_CORRELATION_TTL_HOURS";
/// The variable with the limits: a limits file's text, or its path.
pub const LIMITS: &str = "LOADGATE_LIMITS";

/// The SDK's own variables that say where services are.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"];

/// How long a decided event is remembered where nothing else is said.
const TTL_HOURS_DEFAULT: i64 = 24;

/// The longest time for which a decided event is remembered: ten years.
pub const TTL_HOURS_MAX: i64 = 10 * 366 * 24;

/// The names of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// The table of correlation records.
    pub correlation: String,
    /// The table of usage rows.
    pub load: String,
}

impl Default for TableNames {
    fn default() -> TableNames {
        TableNames { correlation: "EventCorrelationTable".to_owned(), load: "DailyCustomerLoadTable".to_owned() }
    }
}

/// What the Lambda runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LambdaConfig {
    /// The tables.
    pub tables: TableNames,
    /// The queue to which decisions are published.
    pub decisions_queue_url: String,
    /// The queue to which invalid input goes.
    pub dead_letter_queue_url: String,
    /// How long a decided event is remembered.
    pub correlation_ttl: TimeDelta,
    /// The limits in force.
    pub limits: Limits,
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong: {}", problems.join("; "))]
pub struct ConfigError {
    /// One sentence for each variable that is wrong, which begins with the variable's name.
    pub problems: Vec<String>,
}

impl LambdaConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<LambdaConfig, ConfigError> {
        LambdaConfig::read(|name| std::env::var(name))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<String, VarError>) -> Result<LambdaConfig, ConfigError> {
        let mut problems = Vec::new();
        let mut reader = Reader { get, problems: &mut problems };
        let default = TableNames::default();
        let config = LambdaConfig {
            tables: TableNames {
                correlation: reader.table(CORRELATION_TABLE, default.correlation),
                load: reader.table(LOAD_TABLE, default.load),
            },
            decisions_queue_url: reader.fifo_url(DECISIONS_QUEUE_URL),
            dead_letter_queue_url: reader.fifo_url(DEAD_LETTER_QUEUE_URL),
            correlation_ttl: reader.ttl(),
            limits: reader.limits(),
        };
        for name in ENDPOINTS {
            reader.endpoint(name);
        }
        if config.tables.correlation == config.tables.load {
            problems.push(format!("{LOAD_TABLE}: is the same table as {CORRELATION_TABLE}; they are two"));
        }
        if config.decisions_queue_url == config.dead_letter_queue_url && !config.decisions_queue_url.is_empty() {
            problems.push(format!("{DEAD_LETTER_QUEUE_URL}: is the same queue as {DECISIONS_QUEUE_URL}; they are two"));
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

/// What AWS Lambda itself tells a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LambdaEnvironment {
    /// The function's name. None where the program is not run by AWS Lambda.
    pub function_name: Option<String>,
    /// The least severe level to log.
    pub log_level: Option<String>,
}

impl LambdaEnvironment {
    /// Reads the process's environment.
    pub fn read() -> LambdaEnvironment {
        let is_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
        let function_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok().filter(|_| is_lambda);
        LambdaEnvironment { function_name, log_level: std::env::var("AWS_LAMBDA_LOG_LEVEL").ok() }
    }
}

/// Whether the environment names credentials for the SDK. It reads them itself.
pub fn has_credentials() -> bool {
    let names =
        ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    names.iter().any(|name| std::env::var_os(name).is_some())
}

/// Whether a queue's URL or name is that of a FIFO queue: its name ends so, and in small letters.
#[allow(clippy::case_sensitive_file_extension_comparisons)]
pub fn is_fifo(url: &str) -> bool {
    url.ends_with(".fifo")
}

/// Whether a text can be a URL of a service or a queue.
pub fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

struct Reader<'p, G> {
    get: G,
    problems: &'p mut Vec<String>,
}

impl<G: Fn(&str) -> Result<String, VarError>> Reader<'_, G> {
    /// A variable's text; none when it is not set, or empty.
    fn text(&mut self, name: &str) -> Option<String> {
        match (self.get)(name) {
            Ok(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                self.problem(name, "is not UTF-8");
                None
            }
        }
    }

    fn problem(&mut self, name: &str, problem: impl std::fmt::Display) {
        self.problems.push(format!("{name}: {problem}"));
    }

    /// A table's name, or its ARN.
    fn table(&mut self, name: &str, default: String) -> String {
        let table = self.text(name).unwrap_or(default);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:/".contains(&byte);
        if !(3..=1024).contains(&table.len()) || !table.bytes().all(is_name) {
            self.problem(name, format!("'{table}' is no table name: 3 or more letters, digits, '_', '.' or '-'"));
        }
        table
    }

    fn fifo_url(&mut self, name: &str) -> String {
        let Some(url) = self.text(name) else {
            self.problem(name, "is missing; set it to the URL of a FIFO queue");
            return String::new();
        };
        if !is_url(&url) {
            self.problem(name, format!("'{url}' is no URL of a queue; it begins with https://"));
        } else if !is_fifo(&url) {
            self.problem(name, format!("'{url}' is no FIFO queue: its name would end with .fifo"));
        }
        url
    }

    /// The SDK reads it by itself, and takes anything.
    fn endpoint(&mut self, name: &str) {
        if let Some(url) = self.text(name).filter(|url| !is_url(url)) {
            self.problem(name, format!("'{url}' is no URL; it begins with https:// or http://"));
        }
    }

    fn ttl(&mut self) -> TimeDelta {
        let hours = match self.text(CORRELATION_TTL_HOURS).map(|text| (text.trim().parse(), text)) {
            None => TTL_HOURS_DEFAULT,
            Some((Ok(hours @ 1..=TTL_HOURS_MAX), _)) => hours,
            Some((_, text)) => {
                let problem = format!("'{text}' is no whole number of hours from 1 to {TTL_HOURS_MAX}");
                self.problem(CORRELATION_TTL_HOURS, problem);
                TTL_HOURS_DEFAULT
            }
        };
        TimeDelta::hours(hours)
    }

    /// A limits file's text has a table in it; a path has not.
    fn limits(&mut self) -> Limits {
        let Some(text) = self.text(LIMITS) else { return Limits::default() };
        let is_text = text.contains(['[', '\n', '=', '#']);
        let limits = if is_text {
            parse_limits(&text).map_err(|error| error.to_string())
        } else {
            read_limits(Path::new(text.trim())).map_err(|error| format!("'{text}': {}", told(&error)))
        };
        limits.unwrap_or_else(|problem| {
            self.problem(LIMITS, problem);
            Limits::default()
        })
    }
}

fn told(error: &LimitsFileError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
