//! Configuration that every consumer of the input queue needs. The Lambda reads it from environment variables only.

use std::env::VarError;

use chrono::TimeDelta;

use super::reader::Reader;
use crate::domain::{Currency, Limits};

/// Variable for the name of the table of correlation records.
pub const CORRELATION_TABLE: &str = "LOADGATE_CORRELATION_TABLE";
/// Variable for the name of the table of usage rows.
pub const LOAD_TABLE: &str = "LOADGATE_LOAD_TABLE";
/// Variable for the name of the table of customers' own limits. Without it, customers have none.
pub const LIMIT_TABLE: &str = "LOADGATE_LIMIT_TABLE";
/// Variable for the name of the table of the decision log. Without it, there is none.
pub const DECISION_LOG_TABLE: &str = "LOADGATE_DECISION_LOG_TABLE";
/// Variable for the number of days for which an entry of the decision log is kept. At 0, new decisions are not logged.
pub const DECISION_LOG_DAYS: &str = "LOADGATE_DECISION_LOG_DAYS";
/// Variable for the number of days for which a usage row is kept. At 0, rows are kept for ever.
pub const USAGE_RETENTION_DAYS: &str = "LOADGATE_USAGE_RETENTION_DAYS";
/// Variable for the URL of the FIFO queue of load attempts. AWS Lambda does not need it.
pub const INPUT_QUEUE_URL: &str = "LOADGATE_INPUT_QUEUE_URL";
/// Variable for the URL of the FIFO queue to which decisions are published.
pub const DECISIONS_QUEUE_URL: &str = "LOADGATE_DECISIONS_QUEUE_URL";
/// Variable for the URL of the FIFO queue to which invalid input goes.
pub const DEAD_LETTER_QUEUE_URL: &str = "LOADGATE_DEAD_LETTER_QUEUE_URL";
/// Variable for the URL of the standard queue to which limit events go that cannot be applied.
pub const LIMIT_DEAD_LETTER_QUEUE_URL: &str = "LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL";
/// Variable for the URL of the standard queue of assignments, through which jobs proceed.
pub const ASSIGNMENT_QUEUE_URL: &str = "LOADGATE_ASSIGNMENT_QUEUE_URL";
/// Variable for the number of hours for which a decided event is remembered.
pub const CORRELATION_TTL_HOURS: &str = "LOADGATE_CORRELATION_TTL_HOURS";
/// Variable for the limits: the text of a limits file, or its path.
pub const LIMITS: &str = "LOADGATE_LIMITS";

/// Variable for the least severe level that the worker and `loadgate api` log. The functions have another.
#[cfg(any(feature = "http", feature = "worker"))]
pub const LOG_LEVEL: &str = "LOADGATE_LOG_LEVEL";

/// Variable for the currency of all amounts: an ISO 4217 code.
pub const CURRENCY: &str = "LOADGATE_CURRENCY";

/// SDK variables for the endpoints of services.
pub(super) const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"];

/// Default time for which a decided event is remembered: 15 days, a day longer than any queue keeps a message (the SQS
/// API reference, `MessageRetentionPeriod`).
pub const TTL_HOURS_DEFAULT: i64 = 15 * 24;

/// Maximum time for which a decided event is remembered: ten years.
pub const TTL_HOURS_MAX: i64 = 10 * 366 * 24;

/// Maximum number of days for which an entry of the decision log is kept: ten years.
pub const LOG_DAYS_MAX: i64 = 10 * 366;

/// Minimum number of days for which a usage row is kept, if not for ever. The longest window with an end has 31 days, and a
/// message may be in a queue and then in a dead-letter queue for 28 more.
pub const USAGE_DAYS_MIN: i64 = 62;

/// Maximum number of days for which a usage row is kept, if not for ever: ten years.
pub const USAGE_DAYS_MAX: i64 = 10 * 366;

/// Names of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// Table of correlation records.
    pub correlation: String,
    /// Table of usage rows.
    pub load: String,
    /// Table of customers' own limits; `None` where customers have none.
    pub limit: Option<String>,
    /// Table of the decision log; `None` where there is none.
    pub log: Option<String>,
}

impl TableNames {
    /// Reads the names through a reader, which collects the errors.
    pub(super) fn read_from<G, L>(reader: &mut Reader<G, L>) -> TableNames
    where
        G: Fn(&str) -> Result<String, VarError>,
        L: Fn(&str) -> String,
    {
        let default = TableNames::default();
        let names = TableNames {
            correlation: reader.table(CORRELATION_TABLE, default.correlation),
            load: reader.table(LOAD_TABLE, default.load),
            limit: reader.optional_table(LIMIT_TABLE),
            log: reader.optional_table(DECISION_LOG_TABLE),
        };
        if let Some([earlier, later]) = names.same() {
            reader.problem(later, format!("is the same table as {earlier}; they are two"));
        }
        names
    }

    /// Returns the names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.named().map(|(_, name)| name)
    }

    /// Returns the names, in order, with their variables.
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let two = [(CORRELATION_TABLE, Some(&self.correlation)), (LOAD_TABLE, Some(&self.load))];
        let others = [(LIMIT_TABLE, self.limit.as_ref()), (DECISION_LOG_TABLE, self.log.as_ref())];
        two.into_iter().chain(others).filter_map(|(variable, name)| Some((variable, name?.as_str())))
    }

    /// Returns the variables of two names that stand for one table: equal names, or a name and an ARN with that name.
    pub fn same(&self) -> Option<[&'static str; 2]> {
        let names: Vec<(&'static str, &str)> = self.named().collect();
        let pairs = names
            .iter()
            .enumerate()
            .flat_map(|(place, later)| names.iter().take(place).map(move |earlier| (earlier, later)));
        let mut same = pairs.filter(|((_, one), (_, other))| are_one(one, other));
        same.next().map(|((earlier, _), (later, _))| [*earlier, *later])
    }
}

fn are_one(one: &str, other: &str) -> bool {
    let name = |table: &str| table.rsplit('/').next().unwrap_or_default().to_owned();
    let are_arns = one.contains('/') && other.contains('/');
    one == other || !are_arns && name(one) == name(other)
}

impl Default for TableNames {
    fn default() -> TableNames {
        TableNames {
            correlation: "EventCorrelationTable".to_owned(),
            load: "DailyCustomerLoadTable".to_owned(),
            limit: None,
            log: None,
        }
    }
}

/// Configuration of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Names of the tables.
    pub tables: TableNames,
    /// Queue to which decisions are published.
    pub decisions_queue_url: String,
    /// Queue to which invalid input goes.
    pub dead_letter_queue_url: String,
    /// Time for which a decided event is remembered.
    pub correlation_ttl: TimeDelta,
    /// Time for which an entry of the decision log is kept; `None` if new decisions are not logged.
    pub log_retention: Option<TimeDelta>,
    /// Time for which a usage row is kept; `None` for ever.
    pub usage_retention: Option<TimeDelta>,
    /// Limits in force.
    pub limits: Limits,
    /// Currency of all amounts.
    pub currency: Currency,
}

/// All errors of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(problems))]
pub struct ConfigError {
    /// One sentence for each wrong setting, which begins with the setting's name.
    pub problems: Vec<String>,
}

/// One problem on the same line; several one a line.
fn listed(problems: &[String]) -> String {
    match problems {
        [one] => format!("the configuration is wrong: {one}"),
        several => format!("the configuration has {} mistakes:\n  {}", several.len(), several.join("\n  ")),
    }
}

impl ConsumerConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<ConsumerConfig, ConfigError> {
        ConsumerConfig::read(|name| std::env::var(name))
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable that is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Result<String, VarError>) -> Result<ConsumerConfig, ConfigError> {
        let mut reader = Reader::new(get, str::to_owned);
        let config = ConsumerConfig::read_from(&mut reader);
        reader.end(config)
    }

    /// Reads settings through a reader, which collects the errors.
    pub(super) fn read_from<G, L>(reader: &mut Reader<G, L>) -> ConsumerConfig
    where
        G: Fn(&str) -> Result<String, VarError>,
        L: Fn(&str) -> String,
    {
        let config = ConsumerConfig {
            tables: TableNames::read_from(reader),
            decisions_queue_url: reader.fifo_url(DECISIONS_QUEUE_URL),
            dead_letter_queue_url: reader.fifo_url(DEAD_LETTER_QUEUE_URL),
            correlation_ttl: TimeDelta::hours(reader.number(
                CORRELATION_TTL_HOURS,
                TTL_HOURS_DEFAULT,
                1..=TTL_HOURS_MAX,
            )),
            log_retention: log_retention(reader.number(DECISION_LOG_DAYS, 0, 0..=LOG_DAYS_MAX)),
            usage_retention: reader.usage_retention(USAGE_RETENTION_DAYS),
            limits: reader.limits(LIMITS),
            currency: reader.currency(CURRENCY),
        };
        for name in ENDPOINTS {
            reader.endpoint(name);
        }
        if config.log_retention.is_some() && config.tables.log.is_none() {
            reader.problem(DECISION_LOG_TABLE, format!("is missing: {DECISION_LOG_DAYS} turns the decision log on"));
        }
        if let Some(problem) = retention_problem(config.usage_retention, &config.limits) {
            reader.problem(USAGE_RETENTION_DAYS, problem);
        }
        if config.decisions_queue_url == config.dead_letter_queue_url && !config.decisions_queue_url.is_empty() {
            reader.problem(DEAD_LETTER_QUEUE_URL, format!("is the same queue as {DECISIONS_QUEUE_URL}; they are two"));
        }
        config
    }
}

/// Returns the time for which an entry of the decision log is kept; `None` for 0 days.
pub fn log_retention(days: i64) -> Option<TimeDelta> {
    Some(days).filter(|days| *days > 0).map(TimeDelta::days)
}

/// Returns the time for which a usage row is kept; `None` for 0 days.
///
/// # Errors
/// A sentence about a number that is neither 0 nor one from [`USAGE_DAYS_MIN`] to [`USAGE_DAYS_MAX`].
pub fn usage_retention(days: &str) -> Result<Option<TimeDelta>, String> {
    match days.trim().parse() {
        Ok(0) => Ok(None),
        Ok(days) if (USAGE_DAYS_MIN..=USAGE_DAYS_MAX).contains(&days) => Ok(Some(TimeDelta::days(days))),
        _ => Err(format!(
            "'{days}' is neither 0, for ever, nor a whole number from {USAGE_DAYS_MIN} to {USAGE_DAYS_MAX}"
        )),
    }
}

/// Returns a sentence if usage rows would be deleted that a live limit still counts.
pub fn retention_problem(retention: Option<TimeDelta>, limits: &Limits) -> Option<String> {
    let endless = limits.iter().find(|limit| limit.window.since().is_some()).filter(|_| retention.is_some())?;
    Some(format!("must be 0: the limit {} counts the loads of all time, so no usage may be deleted", endless.code))
}

/// Variables that AWS Lambda sets for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LambdaEnvironment {
    /// Name of the function; `None` if AWS Lambda does not run the program.
    pub function_name: Option<String>,
    /// Least severe level to log.
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

/// Returns true if the environment names credentials for the SDK. The SDK reads them itself.
pub fn has_credentials() -> bool {
    let names =
        ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    names.iter().any(|name| std::env::var_os(name).is_some())
}

/// Returns true for the URL or name of a FIFO queue. It ends with `.fifo` in lower case.
#[allow(clippy::case_sensitive_file_extension_comparisons)]
pub fn is_fifo(url: &str) -> bool {
    url.ends_with(".fifo")
}

/// Returns true if a text can be the URL of a service or a queue.
pub fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
