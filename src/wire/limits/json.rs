//! Limits in JSON: `{"limit":[{"code":"DAILY_AMOUNT","measure":"amount","window":"day","max":"5000.00"}]}`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::LimitsTextError;
use super::grammar::{Document, Entry, Table, Value, wrong};
use crate::domain::{Limit, Limits, Measure, Window, Zone};
use crate::wire::json::{Fault, OBJECT, STRING, kind_of};
use crate::wire::text::decimal;

/// The keys of an object, in their order, with the places of their values.
struct Keys<'t>(Vec<(String, &'t RawValue)>);

/// Parses limits in JSON.
///
/// # Errors
/// [`LimitsTextError`] with the line and the key of the first error.
pub fn parse_limits_json(text: &str) -> Result<Limits, LimitsTextError> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    let mut tables = Vec::new();
    for (key, value) in keys(text, whole, "the text")? {
        if key != "limit" {
            let reason = "unknown; a plan has nothing but the array limit";
            return Err(wrong(text, place(text, value.get()), &key, reason));
        }
        let values: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| {
            let reason = format!("must be an array of objects, not {}", kind_of(value.get()));
            wrong(text, place(text, value.get()), "limit", reason)
        })?;
        tables = (1..).zip(values).map(|(number, value)| table(text, number, value)).collect();
    }
    Document { text, tables }.limits()
}

fn table<'t>(text: &'t str, number: usize, value: &'t RawValue) -> Result<Table<'t>, LimitsTextError> {
    let keys = keys(text, value, &format!("limit {number}"))?;
    let entries = keys.into_iter().map(|(key, value)| {
        let at = place(text, value.get());
        Entry { key: Cow::Owned(key), key_at: at, value: to_value(value.get()), value_at: at }
    });
    Ok(Table { at: place(text, value.get()), entries: entries.collect() })
}

/// Returns the keys of an object.
fn keys<'t>(text: &str, value: &'t RawValue, what: &str) -> Result<Vec<(String, &'t RawValue)>, LimitsTextError> {
    let at = place(text, value.get());
    if kind_of(value.get()) != OBJECT {
        return Err(wrong(text, at, what, format!("must be an object, not {}", kind_of(value.get()))));
    }
    let Keys(keys) = serde_json::from_str(value.get()).map_err(|error| not_json(text, &error))?;
    let is_repeated =
        |(index, (key, _)): &(usize, &(String, _))| keys.iter().take(*index).any(|(other, _)| other == key);
    if let Some((_, (key, value))) = keys.iter().enumerate().find(is_repeated) {
        return Err(wrong(text, place(text, value.get()), what, format!("has the key {key} twice")));
    }
    Ok(keys)
}

fn to_value(json: &str) -> Value<'static> {
    match kind_of(json) {
        STRING => serde_json::from_str(json)
            .map_or_else(|_| Value::Other("an invalid string".to_owned()), |string| Value::String(Cow::Owned(string))),
        "a number" if json.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
            Value::Integer(json.parse().ok())
        }
        kind => Value::Other(kind.to_owned()),
    }
}

/// Returns the place of a part in its text, in bytes.
fn place(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

fn not_json(text: &str, error: &serde_json::Error) -> LimitsTextError {
    let Fault { at, detail } = Fault::of(text, error);
    wrong(text, at.saturating_sub(1), "", format!("not JSON: {detail}"))
}

impl<'de> Deserialize<'de> for Keys<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys<'de>, D::Error> {
        struct KeysVisitor;

        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(OBJECT)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    keys.push(entry);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

/// One limit, with its keys in a fixed order.
#[derive(Serialize)]
struct LimitJson<'l> {
    code: &'l str,
    measure: &'static str,
    window: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u16>,
    max: Max,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Max {
    Amount(String),
    Count(u64),
}

#[derive(Serialize)]
struct LimitsJson<'l> {
    limit: Vec<LimitJson<'l>>,
}

/// Writes limits in JSON, in one form only: equal limits have equal texts. [`parse_limits_json`] reads it.
///
/// Anchored windows belong to customers' own limits, and have no such form. Their word is one that no parser reads.
pub fn limits_json(limits: &Limits) -> String {
    let json = LimitsJson { limit: limits.iter().map(to_json).collect() };
    // Nothing in it can fail to serialize.
    serde_json::to_string(&json).unwrap_or_default()
}

fn to_json(limit: &Limit) -> LimitJson<'_> {
    let zone = |zone: &Zone| (!zone.is_utc()).then(|| zone.name());
    let (window, zone, hours) = match &limit.window {
        Window::Load => ("load", None, None),
        Window::Day(of) => ("day", zone(of), None),
        Window::Week(of) => ("week", zone(of), None),
        Window::Month(of) => ("month", zone(of), None),
        Window::Lifetime => ("lifetime", None, None),
        Window::Rolling(hours) => ("rolling", None, Some(hours.get())),
        Window::Anchored(_) => ("anchored", None, None),
    };
    let (measure, max) = match limit.measure {
        Measure::Amount => ("amount", Max::Amount(decimal(limit.max))),
        Measure::Count => ("count", Max::Count(limit.max)),
    };
    LimitJson { code: &limit.code, measure, window, zone, hours, max }
}
