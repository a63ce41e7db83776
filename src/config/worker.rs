//! Configuration of the worker: a TOML file, which environment variables override.
//!
//! A key of the file is a variable's name in lower case, without `LOADGATE_`: `input_queue_url` is
//! `LOADGATE_INPUT_QUEUE_URL`. A variable overrides the file.

use std::collections::BTreeMap;
use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{
    CORRELATION_TABLE, CORRELATION_TTL_HOURS, CURRENCY, DEAD_LETTER_QUEUE_URL, DECISION_LOG_DAYS, DECISION_LOG_TABLE,
    DECISIONS_QUEUE_URL, INPUT_QUEUE_URL, LIMIT_TABLE, LIMITS, LOAD_TABLE, LOG_LEVEL, USAGE_RETENTION_DAYS,
};
use super::reader::{LimitsSource, Reader};
use super::{ConfigError, ConsumerConfig};

const CUSTOMERS_IN_PARALLEL: &str = "LOADGATE_CUSTOMERS_IN_PARALLEL";
const POLL_WAIT_S: &str = "LOADGATE_POLL_WAIT_S";
const WORK_TIMEOUT_S: &str = "LOADGATE_WORK_TIMEOUT_S";
const STOP_TIMEOUT_S: &str = "LOADGATE_STOP_TIMEOUT_S";
const LISTEN: &str = "LOADGATE_LISTEN";

/// All settings, by the names of their variables.
pub const SETTINGS: [&str; 18] = [
    INPUT_QUEUE_URL,
    DECISIONS_QUEUE_URL,
    DEAD_LETTER_QUEUE_URL,
    CORRELATION_TABLE,
    LOAD_TABLE,
    LIMIT_TABLE,
    DECISION_LOG_TABLE,
    CORRELATION_TTL_HOURS,
    DECISION_LOG_DAYS,
    USAGE_RETENTION_DAYS,
    LIMITS,
    CURRENCY,
    CUSTOMERS_IN_PARALLEL,
    POLL_WAIT_S,
    WORK_TIMEOUT_S,
    STOP_TIMEOUT_S,
    LISTEN,
    LOG_LEVEL,
];

/// Maximum size of the configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Default number of customers handled at once.
const CUSTOMERS_DEFAULT: i64 = 16;
const CUSTOMERS_MAX: i64 = 256;

/// Default time for which a request waits for messages, in seconds. It is short because a stopping worker waits for it.
/// SQS waits for at most 20 s.
const POLL_WAIT_S_DEFAULT: i64 = 5;
const POLL_WAIT_S_MAX: i64 = 20;

/// Default time-out for one customer's messages, in seconds: the same as the Lambda's.
const WORK_TIMEOUT_S_DEFAULT: i64 = 30;
const WORK_TIMEOUT_S_MAX: i64 = 900;

/// Default stop time-out, in seconds. It is shorter than the 30 s after which container schedulers kill.
const STOP_TIMEOUT_S_DEFAULT: i64 = 25;
const STOP_TIMEOUT_S_MAX: i64 = 900;

/// Default address of health and metrics: on this machine only, at the port that OpenTelemetry assigns to Prometheus.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9464));

/// Configuration of the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Configuration that every consumer needs.
    pub consumer: ConsumerConfig,
    /// Queue of load attempts.
    pub input_queue_url: String,
    /// Maximum number of customers handled at once.
    pub customers_in_parallel: NonZeroUsize,
    /// Time for which a request waits for messages.
    pub poll_wait: Duration,
    /// Time-out for one customer's messages.
    pub work_timeout: Duration,
    /// Stop time-out.
    pub stop_timeout: Duration,
    /// Address of health and metrics.
    pub listen: SocketAddr,
    /// Least severe level to log.
    pub log_level: String,
}

/// Origin of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Environment variable.
    Environment,
    /// Configuration file.
    File,
    /// Default value.
    Default,
}

/// Source of the worker's configuration.
pub struct WorkerSource<G> {
    get: G,
    /// Settings of the file, by the names of their variables.
    file: BTreeMap<&'static str, String>,
}

/// The process's environment, with an optional file.
pub type WorkerEnvironment = WorkerSource<fn(&str) -> Result<String, VarError>>;

impl WorkerEnvironment {
    /// Reads the optional file; settings are read from the process's environment first.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, or contains an unknown setting.
    pub fn read_with(path: Option<&Path>) -> Result<WorkerEnvironment, ConfigError> {
        WorkerSource::open(path, |name| std::env::var(name))
    }
}

impl<G: Fn(&str) -> Result<String, VarError>> WorkerSource<G> {
    /// Reads the optional file; settings are read from the environment first, through `get`.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, or contains an unknown setting.
    pub fn open(path: Option<&Path>, get: G) -> Result<WorkerSource<G>, ConfigError> {
        let file = path.map(read_file).transpose().map_err(|problems| ConfigError { problems })?;
        Ok(WorkerSource { get, file: file.unwrap_or_default() })
    }

    /// Returns the origin of a setting.
    pub fn origin(&self, name: &str) -> Origin {
        match (self.get)(name) {
            Ok(text) if !text.trim().is_empty() => Origin::Environment,
            Err(VarError::NotUnicode(_)) => Origin::Environment,
            _ if self.file.contains_key(name) => Origin::File,
            _ => Origin::Default,
        }
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// [`ConfigError`] with every setting that is missing or wrong.
    pub fn read(&self) -> Result<WorkerConfig, ConfigError> {
        let mut reader = Reader::new(|name: &str| self.get(name), |name: &str| self.label(name));
        let consumer = ConsumerConfig::read_from(&mut reader);
        let input_queue_url = reader.fifo_url(INPUT_QUEUE_URL);
        let others = [&consumer.decisions_queue_url, &consumer.dead_letter_queue_url];
        if !input_queue_url.is_empty() && others.contains(&&input_queue_url) {
            reader.problem(INPUT_QUEUE_URL, "is the same queue as another one; they are three");
        }
        let customers = reader.number(CUSTOMERS_IN_PARALLEL, CUSTOMERS_DEFAULT, 1..=CUSTOMERS_MAX);
        let mut seconds = |name, default, min, max| {
            Duration::from_secs(u64::try_from(reader.number(name, default, min..=max)).unwrap_or(0))
        };
        let poll_wait = seconds(POLL_WAIT_S, POLL_WAIT_S_DEFAULT, 1, POLL_WAIT_S_MAX);
        let work_timeout = seconds(WORK_TIMEOUT_S, WORK_TIMEOUT_S_DEFAULT, 1, WORK_TIMEOUT_S_MAX);
        let stop_timeout = seconds(STOP_TIMEOUT_S, STOP_TIMEOUT_S_DEFAULT, 1, STOP_TIMEOUT_S_MAX);
        if poll_wait >= stop_timeout {
            reader.problem(STOP_TIMEOUT_S, "must be longer than the wait of a poll, which the end waits for");
        }
        let customers_in_parallel =
            usize::try_from(customers).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
        let (listen, log_level) = (listen(&mut reader), reader.log_level(LOG_LEVEL));
        reader.end(WorkerConfig {
            consumer,
            input_queue_url,
            customers_in_parallel,
            poll_wait,
            work_timeout,
            stop_timeout,
            listen,
            log_level,
        })
    }

    fn get(&self, name: &str) -> Result<String, VarError> {
        match self.origin(name) {
            Origin::File => self.file.get(name).cloned().ok_or(VarError::NotPresent),
            Origin::Environment | Origin::Default => (self.get)(name),
        }
    }

    /// Returns the name under which the user knows a setting.
    fn label(&self, name: &str) -> String {
        match self.origin(name) {
            Origin::Environment => name.to_owned(),
            Origin::File => key(name),
            Origin::Default => format!("{name}, or {} in the file", key(name)),
        }
    }
}

impl<G> std::fmt::Debug for WorkerSource<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerSource").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Returns the name of a setting in the file.
fn key(name: &str) -> String {
    name.trim_start_matches("LOADGATE_").to_ascii_lowercase()
}

fn listen<G, L>(reader: &mut Reader<G, L>) -> SocketAddr
where
    G: Fn(&str) -> Result<String, VarError>,
    L: Fn(&str) -> String,
{
    let Some(text) = reader.text(LISTEN) else { return LISTEN_DEFAULT };
    text.trim().parse().unwrap_or_else(|_| {
        reader.problem(LISTEN, format!("'{text}' is not an address with a port, such as {LISTEN_DEFAULT}"));
        LISTEN_DEFAULT
    })
}

/// Reads a file's settings. Its path for limits starts from where the file is.
///
/// # Errors
/// Every setting that is unknown or of another type, or why the file cannot be read as one.
fn read_file(path: &Path) -> Result<BTreeMap<&'static str, String>, Vec<String>> {
    let at = path.display();
    let mut bytes = Vec::new();
    let read = |file: File| -> io::Result<_> { file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) };
    File::open(path).and_then(read).map_err(|error| vec![format!("could not read '{at}': {error}")])?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(vec![format!("'{at}' is over {FILE_BYTES_MAX} bytes")]);
    }
    let text = String::from_utf8(bytes).map_err(|_| vec![format!("'{at}' is not UTF-8")])?;
    let named = |problems: Vec<String>| problems.iter().map(|problem| format!("'{at}', {problem}")).collect::<Vec<_>>();
    let mut settings = parse_file(&text).map_err(named)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    settings.entry(LIMITS).and_modify(|limits| {
        if let LimitsSource::File(path) = LimitsSource::of(limits, folder) {
            *limits = path.to_string_lossy().into_owned();
        }
    });
    Ok(settings)
}

fn parse_file(text: &str) -> Result<BTreeMap<&'static str, String>, Vec<String>> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, &error.span().unwrap_or_default());
        vec![format!("line {line}: not TOML: {}", error.message())]
    })?;
    let mut entries: Vec<_> = document.get_ref().iter().collect();
    entries.sort_unstable_by_key(|(name, _)| name.span().start);
    let (mut settings, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, value) in entries {
        match setting(text, name, value) {
            Ok((name, value)) => {
                settings.insert(name, value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn setting(
    text: &str,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<(&'static str, String), String> {
    let (line, name) = (line_of(text, &name.span()), name.get_ref());
    let Some(known) = SETTINGS.into_iter().find(|known| key(known) == *name) else {
        let all = SETTINGS.map(key).join(", ");
        return Err(format!("line {line}: {name}: unknown; the settings are {all}"));
    };
    match value.get_ref() {
        DeValue::String(text) => Ok((known, text.clone().into_owned())),
        DeValue::Integer(number) if number.radix() == 10 => Ok((known, number.as_str().to_owned())),
        _ => Err(format!("line {line}: {name}: must be a string or a whole number")),
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}
