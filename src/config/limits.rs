//! Limits file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::{Cents, Limit, LimitError, Limits, Measure, RollingHours, Window, Zone};

/// Maximum size of a limits file, in bytes: room for [`LIMITS_MAX`](crate::domain::LIMITS_MAX) limits and many
/// comments.
const LIMITS_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Error of a limits file.
#[derive(Debug, thiserror::Error)]
pub enum LimitsFileError {
    /// The file cannot be read.
    #[error("could not read the limits file")]
    Read(#[source] io::Error),
    /// The file is over [`LIMITS_FILE_BYTES_MAX`].
    #[error("is over {LIMITS_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// The file contains something other than limits.
    #[error(transparent)]
    Invalid(#[from] LimitsTextError),
}

/// Error in the text of a limits file, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}{reason}")]
pub struct LimitsTextError {
    /// Line of the error, from 1.
    pub line: usize,
    /// Key of the error, as `limit 2, max: `; empty if the reason names it, or if the text is not TOML.
    key: String,
    reason: String,
}

/// Reads the limits from a file.
///
/// # Errors
/// [`LimitsFileError`] if the file cannot be read, or contains anything but limits.
pub fn read_limits(path: &Path) -> Result<Limits, LimitsFileError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(LimitsFileError::Read)?;
    file.take(LIMITS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(LimitsFileError::Read)?;
    if bytes.len() as u64 > LIMITS_FILE_BYTES_MAX {
        return Err(LimitsFileError::TooLarge);
    }
    let text = str::from_utf8(&bytes).map_err(|_| LimitsFileError::NotUtf8)?;
    Ok(parse_limits(text)?)
}

/// Parses limits in the form of `limits.toml`.
///
/// # Errors
/// [`LimitsTextError`] with the line and the key of the first error.
pub fn parse_limits(text: &str) -> Result<Limits, LimitsTextError> {
    let document = DeTable::parse(text)
        .map_err(|error| wrong(text, error.span().unwrap_or_default(), "", format!("not TOML: {}", error.message())))?;
    if let Some((key, _)) = document.get_ref().iter().find(|(key, _)| key.get_ref() != "limit") {
        let reason = "unknown; a limits file has nothing but [[limit]] tables";
        return Err(wrong(text, key.span(), key.get_ref(), reason));
    }
    let tables: &[Spanned<DeValue<'_>>] =
        match document.get_ref().get("limit").map(|value| (value.span(), value.get_ref())) {
            None => &[],
            Some((_, DeValue::Array(tables))) => tables,
            Some((span, _)) => return Err(wrong(text, span, "limit", "must be an array of tables: write [[limit]]")),
        };
    let read = (1..).zip(tables).map(|(number, table)| LimitTable::new(text, number, table)?.limit());
    let (limits, codes): (Vec<Limit>, Vec<Range<usize>>) = read.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    Limits::new(limits).map_err(|error| {
        let number = match error {
            LimitError::None | LimitError::TooMany { .. } => tables.len(),
            LimitError::BadCode { number }
            | LimitError::OwnCode { number }
            | LimitError::CountOfOne { number }
            | LimitError::SameCode { second: number, .. } => number,
        };
        let code = number.checked_sub(1).and_then(|at| codes.get(at)).cloned().unwrap_or_default();
        wrong(text, code, "", error)
    })
}

/// One `[[limit]]` of the text.
struct LimitTable<'t> {
    text: &'t str,
    /// Number of the limit, from 1.
    number: usize,
    table: &'t DeTable<'t>,
    span: Range<usize>,
}

impl<'t> LimitTable<'t> {
    fn new(text: &'t str, number: usize, value: &'t Spanned<DeValue<'t>>) -> Result<LimitTable<'t>, LimitsTextError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(LimitTable { text, number, table, span: value.span() }),
            other => {
                let reason = format!("must be a table, not {}", kind(other));
                Err(wrong(text, value.span(), &format!("limit {number}"), reason))
            }
        }
    }

    /// Returns the limit, and the place of its code in the text.
    fn limit(&self) -> Result<(Limit, Range<usize>), LimitsTextError> {
        let known = ["code", "measure", "window", "zone", "hours", "max"];
        if let Some((key, _)) = self.table.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let reason = "unknown; a limit has code, measure, window, max, and zone or hours for some windows";
            return Err(self.wrong(key.get_ref(), key.span(), reason));
        }
        let measure = self.word("measure", &[("amount", Measure::Amount), ("count", Measure::Count)])?;
        let (code, code_span) = self.string("code")?;
        let limit = Limit { code: code.to_owned(), measure, window: self.window()?, max: self.max(measure)? };
        Ok((limit, code_span))
    }

    fn window(&self) -> Result<Window, LimitsTextError> {
        let words = ["load", "day", "week", "month", "lifetime", "rolling"].map(|word| (word, word));
        let word = self.word("window", &words)?;
        for (key, windows) in [("zone", &["day", "week", "month"][..]), ("hours", &["rolling"])] {
            if let Some(value) = self.table.get(key).filter(|_| !windows.contains(&word)) {
                let reason = format!("the window {word} has none; it belongs to {}", windows.join(", "));
                return Err(self.wrong(key, value.span(), reason));
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
        if self.table.get("zone").is_none() {
            return Ok(Zone::UTC);
        }
        let (name, span) = self.string("zone")?;
        let unknown = || format!("must be a time zone of the IANA database, like \"Europe/London\", not \"{name}\"");
        Zone::named(name).ok_or_else(|| self.wrong("zone", span, unknown()))
    }

    fn hours(&self) -> Result<RollingHours, LimitsTextError> {
        let value = self.get("hours")?;
        let hours = match value.get_ref() {
            DeValue::Integer(hours) => u16::from_str_radix(hours.as_str(), hours.radix()).ok(),
            _ => None,
        };
        let reason = format!("must be a whole number from 1 to {}", RollingHours::MAX);
        hours.and_then(RollingHours::new).ok_or_else(|| self.wrong("hours", value.span(), reason))
    }

    fn max(&self, measure: Measure) -> Result<u64, LimitsTextError> {
        let value = self.get("max")?;
        let span = value.span();
        match (measure, value.get_ref()) {
            (Measure::Amount, DeValue::String(amount)) => Cents::parse(amount)
                .map(Cents::get)
                .map_err(|error| self.wrong("max", span, format!("the amount {error}"))),
            (Measure::Amount, other) => {
                let reason = format!("must be dollars in a string, like \"5000.00\", not {}", kind(other));
                Err(self.wrong("max", span, reason))
            }
            (Measure::Count, DeValue::Integer(count)) => u64::from_str_radix(count.as_str(), count.radix())
                .map_err(|_| self.wrong("max", span, format!("must be a number of loads from 0 to {}", u64::MAX))),
            (Measure::Count, other) => {
                let reason = format!("must be a whole number of loads, not {}", kind(other));
                Err(self.wrong("max", span, reason))
            }
        }
    }

    /// Returns the value of a key that accepts one of several words.
    fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<T, LimitsTextError> {
        let (found, span) = self.string(key)?;
        words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value).ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.wrong(key, span, format!("must be {}, not \"{found}\"", all.join(" or ")))
        })
    }

    fn string(&self, key: &str) -> Result<(&'t str, Range<usize>), LimitsTextError> {
        let value = self.get(key)?;
        let string = value.get_ref().as_str();
        string.map(|string| (string, value.span())).ok_or_else(|| {
            let reason = format!("must be a string, not {}", kind(value.get_ref()));
            self.wrong(key, value.span(), reason)
        })
    }

    fn get(&self, key: &str) -> Result<&'t Spanned<DeValue<'t>>, LimitsTextError> {
        self.table.get(key).ok_or_else(|| self.wrong(key, self.span.clone(), "missing"))
    }

    fn wrong(&self, key: &str, span: Range<usize>, reason: impl fmt::Display) -> LimitsTextError {
        wrong(self.text, span, &format!("limit {}, {key}", self.number), reason)
    }
}

/// Returns the type of a value, with its article.
fn kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn wrong(text: &str, span: Range<usize>, key: &str, reason: impl fmt::Display) -> LimitsTextError {
    let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
    let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
    LimitsTextError { line, key, reason: reason.to_string() }
}
