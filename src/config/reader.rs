//! Reader of single settings, which collects all errors.

use std::env::VarError;
use std::error::Error;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use super::{ConfigError, LimitsFileError, is_fifo, is_url, read_limits, usage_retention};
use crate::domain::{Currency, Limits};
use crate::wire::parse_limits;

/// Reads settings by the names of their environment variables.
pub struct Reader<G, L> {
    get: G,
    /// Returns the name under which the user knows a setting.
    label: L,
    problems: Vec<String>,
}

impl<G, L> Reader<G, L>
where
    G: Fn(&str) -> Result<String, VarError>,
    L: Fn(&str) -> String,
{
    pub const fn new(get: G, label: L) -> Reader<G, L> {
        Reader { get, label, problems: vec![] }
    }

    /// Returns the configuration if there was no error.
    ///
    /// # Errors
    /// [`ConfigError`] with all errors.
    pub fn end<T>(self, config: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError { problems: self.problems }) }
    }

    pub fn problem(&mut self, name: &str, problem: impl Display) {
        self.problems.push(format!("{}: {problem}", (self.label)(name)));
    }

    /// Returns the text of a setting; `None` if it is not set, or empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match (self.get)(name) {
            Ok(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                self.problem(name, "is not UTF-8");
                None
            }
        }
    }

    /// Returns the name or the ARN of a table; `None` if it is not set.
    pub fn optional_table(&mut self, name: &str) -> Option<String> {
        let table = self.text(name)?;
        Some(self.table(name, table))
    }

    /// Returns the name or the ARN of a table.
    pub fn table(&mut self, name: &str, default: String) -> String {
        let table = self.text(name).unwrap_or(default);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:/".contains(&byte);
        if !(3..=1024).contains(&table.len()) || !table.bytes().all(is_name) {
            self.problem(
                name,
                format!("'{table}' is not a valid table name: 3 or more letters, digits, '_', '.' or '-'"),
            );
        }
        table
    }

    pub fn fifo_url(&mut self, name: &str) -> String {
        let Some(url) = self.text(name) else {
            self.problem(name, "is missing; set it to the URL of a FIFO queue");
            return String::new();
        };
        if !is_url(&url) {
            self.problem(name, format!("'{url}' is not the URL of a queue, which begins with https://"));
        } else if !is_fifo(&url) {
            self.problem(name, format!("'{url}' is not a FIFO queue: the name of a FIFO queue ends with .fifo"));
        }
        url
    }

    #[cfg(feature = "lambda")]
    pub fn standard_url(&mut self, name: &str) -> String {
        self.optional_standard_url(name).unwrap_or_else(|| {
            self.problem(name, "is missing; set it to the URL of a standard queue");
            String::new()
        })
    }

    /// Returns the URL of a standard queue; `None` if it is not set.
    #[cfg(any(feature = "http", feature = "lambda"))]
    pub fn optional_standard_url(&mut self, name: &str) -> Option<String> {
        let url = self.text(name)?;
        if !is_url(&url) {
            self.problem(name, format!("'{url}' is not the URL of a queue, which begins with https://"));
        } else if is_fifo(&url) {
            self.problem(name, format!("'{url}' is a FIFO queue: a standard queue is needed"));
        }
        Some(url)
    }

    /// Checks an endpoint. The SDK reads it by itself, without a check.
    pub fn endpoint(&mut self, name: &str) {
        if let Some(url) = self.text(name).filter(|url| !is_url(url)) {
            self.problem(name, format!("'{url}' is not a URL, which begins with https:// or http://"));
        }
    }

    /// Returns a whole number within bounds.
    pub fn number(&mut self, name: &str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(text) = self.text(name) else { return default };
        match text.trim().parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.problem(name, format!("'{text}' is not a whole number from {} to {}", range.start(), range.end()));
                default
            }
        }
    }

    /// Returns the time for which usage is kept: for ever by default.
    pub fn usage_retention(&mut self, name: &str) -> Option<TimeDelta> {
        let text = self.text(name)?;
        usage_retention(&text).unwrap_or_else(|problem| {
            self.problem(name, problem);
            None
        })
    }

    /// Returns a truth value: false by default.
    #[cfg(feature = "http")]
    pub fn flag(&mut self, name: &str) -> bool {
        match self.text(name).as_deref().map(str::trim) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.problem(name, format!("'{other}' is neither true nor false"));
                false
            }
        }
    }

    /// Returns a currency: US dollars by default.
    pub fn currency(&mut self, name: &str) -> Currency {
        let Some(text) = self.text(name) else { return Currency::USD };
        Currency::parse(text.trim()).unwrap_or_else(|| {
            self.problem(name, format!("'{text}' is not the code of a currency: three capital letters, such as USD"));
            Currency::USD
        })
    }

    /// Returns the least severe level to log: `info` by default.
    #[cfg(any(feature = "http", feature = "worker"))]
    pub fn log_level(&mut self, name: &str) -> String {
        let text = self.text(name).map_or_else(|| "info".to_owned(), |text| text.trim().to_ascii_lowercase());
        if !["error", "warn", "info", "debug"].contains(&text.as_str()) {
            self.problem(name, format!("'{text}' is none of error, warn, info and debug"));
        }
        text
    }

    /// Returns limits, from a limits file's text or path, which [`LimitsSource::of`]
    /// distinguishes.
    pub fn limits(&mut self, name: &str) -> Limits {
        let Some(text) = self.text(name) else { return Limits::default() };
        let limits = match LimitsSource::of(&text, Path::new("")) {
            LimitsSource::File(path) => {
                read_limits(&path).map_err(|error| format!("'{}': {}", path.display(), describe(&error)))
            }
            LimitsSource::Text => parse_limits(&text)
                .map_err(|error| format!("{error}; no file has this name, so it is read as the text of limits")),
        };
        limits.unwrap_or_else(|problem| {
            let hint = if is_cut_limits_text(&text) { CUT_HINT } else { "" };
            self.problem(name, format!("{problem}{hint}"));
            Limits::default()
        })
    }
}

/// Source of a setting's limits.
pub enum LimitsSource {
    /// File at this path.
    File(PathBuf),
    /// Text of the setting itself.
    Text,
}

impl LimitsSource {
    /// Distinguishes a path, relative to `folder`, from a text. If a file with this path exists, the setting is a path,
    /// whatever the name. Otherwise a setting with any of the characters that TOML requires is a text.
    pub fn of(setting: &str, folder: &Path) -> LimitsSource {
        let path = folder.join(setting.trim());
        if path.exists() || !setting.contains(['[', '\n', '=', '#']) {
            LimitsSource::File(path)
        } else {
            LimitsSource::Text
        }
    }
}

/// Advice for a text that [`is_cut_limits_text`].
const CUT_HINT: &str = ". The text is incomplete: the SAM CLI cuts a value at a space or a double quote. Put double quotes around \
                        the whole value and single quotes inside, as samconfig.toml shows";

/// Returns true if a text begins like limits on one line, and ends before the closing bracket.
fn is_cut_limits_text(text: &str) -> bool {
    let text = text.trim();
    let key = text.split(['=', ' ', '\n']).next().unwrap_or_default();
    match key {
        "limit" => !text.ends_with(']'),
        "[[limit]]" => !text.contains('='),
        _ => false,
    }
}

fn describe(error: &LimitsFileError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
