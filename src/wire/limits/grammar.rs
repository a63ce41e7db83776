//! The grammar of limits, whatever the syntax of the text.

use std::borrow::Cow;
use std::fmt;

use crate::domain::{Cents, Limit, LimitError, LimitMode, Limits, Measure, RollingHours, Window, Zone};
use crate::wire::decision::SHADOW;

/// Error in a text of limits, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}{reason}")]
pub struct LimitsTextError {
    /// Line of the error, from 1.
    pub line: usize,
    /// True when the text is valid but for having no limit.
    pub has_no_limit: bool,
    /// Key of the error, as `limit 2, max: `; empty if the reason names it, or if the text does not follow its syntax.
    key: String,
    reason: String,
    /// The key and the reason, without a part of the text.
    plain: String,
}

/// A text of limits after its syntax is read.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// The limits; the error of one that is no table.
    pub(super) tables: Vec<Result<Table<'t>, LimitsTextError>>,
}

/// The keys of one limit.
pub(super) struct Table<'t> {
    /// Place of the limit in the text, in bytes.
    pub(super) at: usize,
    pub(super) entries: Vec<Entry<'t>>,
}

/// One key with its value, and their places in the text, in bytes.
pub(super) struct Entry<'t> {
    pub(super) key: Cow<'t, str>,
    pub(super) key_at: usize,
    pub(super) value: Value<'t>,
    pub(super) value_at: usize,
}

pub(super) enum Value<'t> {
    String(Cow<'t, str>),
    /// A whole number; `None` if it is negative or over the largest.
    Integer(Option<u64>),
    /// Any other value, by its type with the article.
    Other(String),
}

/// One limit of the text.
struct LimitTable<'t, 'd> {
    text: &'t str,
    /// Number of the limit, from 1.
    number: usize,
    table: &'d Table<'t>,
}

impl Document<'_> {
    /// Reads the limits.
    pub(super) fn limits(self) -> Result<Limits, LimitsTextError> {
        let (text, count) = (self.text, self.tables.len());
        let read = (1..).zip(self.tables).map(|(number, table)| LimitTable { text, number, table: &table? }.limit());
        let (limits, codes): (Vec<(Limit, LimitMode)>, Vec<usize>) =
            read.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Limits::with_modes(limits).map_err(|error| {
            let has_no_limit = error == LimitError::None;
            let number = match error {
                LimitError::None | LimitError::TooMany { .. } => count,
                LimitError::BadCode { number }
                | LimitError::OwnCode { number }
                | LimitError::CountOfOne { number }
                | LimitError::SameCode { second: number, .. } => number,
            };
            let code = number.checked_sub(1).and_then(|at| codes.get(at)).copied().unwrap_or_default();
            let plain = match &error {
                LimitError::SameCode { first, second, .. } => format!("limits {first} and {second} have the same code"),
                other => other.to_string(),
            };
            LimitsTextError { has_no_limit, ..wrong(text, code, "", error) }.plainly(plain)
        })
    }
}

impl LimitTable<'_, '_> {
    /// Returns the limit, and the place of its code in the text.
    fn limit(&self) -> Result<((Limit, LimitMode), usize), LimitsTextError> {
        let known = ["code", "measure", "window", "zone", "hours", "max", "mode"];
        if let Some(entry) = self.table.entries.iter().find(|entry| !known.contains(&entry.key.as_ref())) {
            let reason = "unknown; a limit has code, measure, window, max, mode, and zone or hours for some windows";
            let plain = format!("limit {}: a key is {reason}", self.number);
            return Err(self.wrong(&entry.key, entry.key_at, reason).plainly(plain));
        }
        let measure = self.word("measure", &[("amount", Measure::Amount), ("count", Measure::Count)])?;
        let (code, code_at) = self.string("code")?;
        let limit = Limit { code: code.to_owned(), measure, window: self.window()?, max: self.max(measure)? };
        Ok(((limit, self.mode()?), code_at))
    }

    fn mode(&self) -> Result<LimitMode, LimitsTextError> {
        if self.find("mode").is_none() {
            return Ok(LimitMode::Live);
        }
        self.word("mode", &[("live", LimitMode::Live), (SHADOW, LimitMode::Shadow)])
    }

    fn window(&self) -> Result<Window, LimitsTextError> {
        let words = ["load", "day", "week", "month", "lifetime", "rolling"].map(|word| (word, word));
        let word = self.word("window", &words)?;
        for (key, windows) in [("zone", &["day", "week", "month"][..]), ("hours", &["rolling"])] {
            if let Some(entry) = self.find(key).filter(|_| !windows.contains(&word)) {
                let reason = format!("the window {word} has none; it belongs to {}", windows.join(", "));
                return Err(self.wrong(key, entry.value_at, reason));
            }
        }
        Ok(match word {
            "day" => Window::Day(self.zone()?),
            "week" => Window::Week(self.zone()?),
            "month" => Window::Month(self.zone()?),
            "lifetime" => Window::Lifetime,
            "rolling" => Window::Rolling(self.hours()?),
            _ => Window::Load,
        })
    }

    fn zone(&self) -> Result<Zone, LimitsTextError> {
        if self.find("zone").is_none() {
            return Ok(Zone::UTC);
        }
        let (name, at) = self.string("zone")?;
        let expected = "must be a time zone of the IANA database, like \"Europe/London\"";
        Zone::named(name).ok_or_else(|| self.wrong_word("zone", at, expected, name))
    }

    fn hours(&self) -> Result<RollingHours, LimitsTextError> {
        let entry = self.get("hours")?;
        let hours = match entry.value {
            Value::Integer(hours) => hours.and_then(|hours| u16::try_from(hours).ok()),
            Value::String(_) | Value::Other(_) => None,
        };
        let reason = format!("must be a whole number from 1 to {}", RollingHours::MAX);
        hours.and_then(RollingHours::new).ok_or_else(|| self.wrong("hours", entry.value_at, reason))
    }

    fn max(&self, measure: Measure) -> Result<u64, LimitsTextError> {
        let entry = self.get("max")?;
        let wrong = |reason: String| self.wrong("max", entry.value_at, reason);
        match (measure, &entry.value) {
            (Measure::Amount, Value::String(amount)) => {
                Cents::parse(amount).map(Cents::get).map_err(|error| wrong(format!("the amount {error}")))
            }
            (Measure::Amount, other) => {
                Err(wrong(format!("must be dollars in a string, like \"5000.00\", not {}", other.kind())))
            }
            (Measure::Count, Value::Integer(count)) => {
                count.ok_or_else(|| wrong(format!("must be a number of loads from 0 to {}", u64::MAX)))
            }
            (Measure::Count, other) => Err(wrong(format!("must be a whole number of loads, not {}", other.kind()))),
        }
    }

    /// Returns the value of a key that accepts one of several words.
    fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<T, LimitsTextError> {
        let (found, at) = self.string(key)?;
        words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value).ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong_word(key, at, &format!("must be {}", all.join(" or ")), found)
        })
    }

    fn string(&self, key: &str) -> Result<(&str, usize), LimitsTextError> {
        let Entry { value, value_at, .. } = self.get(key)?;
        match value {
            Value::String(string) => Ok((string, *value_at)),
            other => Err(self.wrong(key, *value_at, format!("must be a string, not {}", other.kind()))),
        }
    }

    fn get(&self, key: &str) -> Result<&Entry<'_>, LimitsTextError> {
        self.find(key).ok_or_else(|| self.wrong(key, self.table.at, "missing"))
    }

    fn find(&self, key: &str) -> Option<&Entry<'_>> {
        self.table.entries.iter().find(|entry| entry.key == key)
    }

    fn wrong_word(&self, key: &str, at: usize, expected: &str, found: &str) -> LimitsTextError {
        let plain = format!("limit {}, {key}: {expected}", self.number);
        self.wrong(key, at, format!("{expected}, not \"{found}\"")).plainly(plain)
    }

    fn wrong(&self, key: &str, at: usize, reason: impl fmt::Display) -> LimitsTextError {
        wrong(self.text, at, &format!("limit {}, {key}", self.number), reason)
    }
}

impl LimitsTextError {
    /// Returns the sentence of the error without any part of the text.
    pub fn plain(&self) -> String {
        format!("line {}: {}", self.line, self.plain)
    }

    pub(super) fn plainly(self, plain: impl Into<String>) -> LimitsTextError {
        LimitsTextError { plain: plain.into(), ..self }
    }
}

impl Value<'_> {
    /// Returns the type of the value, with its article.
    fn kind(&self) -> &str {
        match self {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Other(kind) => kind,
        }
    }
}

/// Creates an error at a place of the text, in bytes.
pub(super) fn wrong(text: &str, at: usize, key: &str, reason: impl fmt::Display) -> LimitsTextError {
    let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
    let reason = reason.to_string();
    LimitsTextError { line, has_no_limit: false, plain: format!("{key}{reason}"), key, reason }
}
