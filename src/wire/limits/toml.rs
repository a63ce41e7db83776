//! Limits in TOML.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::LimitsTextError;
use super::grammar::{Document, Entry, Table, Value, wrong};
use crate::domain::Limits;

/// Parses limits in the form of `limits.toml`.
///
/// # Errors
/// [`LimitsTextError`] with the line and the key of the first error.
pub fn parse_limits(text: &str) -> Result<Limits, LimitsTextError> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().unwrap_or_default().start;
        wrong(text, at, "", format!("not TOML: {}", error.message())).plainly("the text is not TOML")
    })?;
    if let Some((key, _)) = document.get_ref().iter().find(|(key, _)| key.get_ref() != "limit") {
        let reason = "unknown; a limits file has nothing but [[limit]] tables";
        return Err(wrong(text, key.span().start, key.get_ref(), reason).plainly(format!("a key is {reason}")));
    }
    let tables: &[Spanned<DeValue<'_>>] =
        match document.get_ref().get("limit").map(|value| (value.span(), value.get_ref())) {
            None => &[],
            Some((_, DeValue::Array(tables))) => tables,
            Some((span, _)) => {
                return Err(wrong(text, span.start, "limit", "must be an array of tables: write [[limit]]"));
            }
        };
    let tables = (1..).zip(tables).map(|(number, value)| table(text, number, value)).collect();
    Document { text, tables }.limits()
}

fn table<'t>(text: &str, number: usize, value: &'t Spanned<DeValue<'t>>) -> Result<Table<'t>, LimitsTextError> {
    let DeValue::Table(table) = value.get_ref() else {
        let reason = format!("must be a table, not {}", kind(value.get_ref()));
        return Err(wrong(text, value.span().start, &format!("limit {number}"), reason));
    };
    let entries = table.iter().map(|(key, value)| Entry {
        key: Cow::Borrowed(key.get_ref().as_ref()),
        key_at: key.span().start,
        value: to_value(value.get_ref()),
        value_at: value.span().start,
    });
    Ok(Table { at: value.span().start, entries: entries.collect() })
}

fn to_value<'t>(value: &'t DeValue<'t>) -> Value<'t> {
    match value {
        DeValue::String(string) => Value::String(Cow::Borrowed(string.as_ref())),
        DeValue::Integer(integer) => Value::Integer(u64::from_str_radix(integer.as_str(), integer.radix()).ok()),
        other => Value::Other(kind(other)),
    }
}

/// Returns the type of a value, with its article.
fn kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}
