//! Limits in JSON: `{"limit":[{"code":"DAILY_AMOUNT","measure":"amount","window":"day","max":"5000.00"}]}`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::LimitsTextError;
use super::grammar::{Document, Entry, Table, Value, wrong};
use crate::domain::{Limit, Limits, Measure, Window, Zone};
use crate::wire::decision::SHADOW;
use crate::wire::json::{Fault, Keys, OBJECT, STRING, kind_of, repeated};
use crate::wire::text::decimal;

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
            return Err(wrong(text, place(text, value.get()), &key, reason).plainly(format!("a key is {reason}")));
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
    if let Some((key, value)) = repeated(&keys) {
        let error = wrong(text, place(text, value.get()), what, format!("has the key {key} twice"));
        return Err(error.plainly(format!("{what}: has a key twice")));
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

/// One limit of a plan, with its keys in a fixed order.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = PlanLimit))]
pub struct LimitJson {
    /// The code that a decision has among its reasons if the limit declines.
    #[cfg_attr(feature = "http", schema(example = "DAILY_AMOUNT"))]
    code: String,
    /// `amount` or `count`.
    #[cfg_attr(feature = "http", schema(example = "amount"))]
    measure: &'static str,
    /// `load`, `day`, `week`, `month`, `lifetime` or `rolling`.
    #[cfg_attr(feature = "http", schema(example = "day"))]
    window: &'static str,
    /// IANA name of the time zone of a `day`, a `week` or a `month`; missing for UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(example = "Europe/London"))]
    zone: Option<&'static str>,
    /// Length of a `rolling` window in hours, 1 to 744.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(example = 24))]
    hours: Option<u16>,
    /// The maximum, inclusive.
    max: Max,
    /// `shadow` for a limit that is judged and never declines; missing for one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(example = "shadow"))]
    mode: Option<&'static str>,
}

/// An amount, in a string as in a limits file, or a number of loads.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = PlanMaximum, examples("5000.00", 3)))]
#[serde(untagged)]
enum Max {
    /// An amount.
    Amount(String),
    /// A number of loads.
    Count(u64),
}

/// The limits of a plan.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = PlanLimits))]
pub struct LimitsJson {
    /// The limits, at least 1 and at most 32, in the order in which a decision names them.
    limit: Vec<LimitJson>,
}

/// Writes limits in JSON, in one form only: equal limits have equal texts. [`parse_limits_json`] reads it.
///
/// Anchored windows belong to customers' own limits, and have no such form. Their word is one that no parser reads.
pub fn limits_json(limits: &Limits) -> String {
    let json = LimitsJson { limit: LimitJson::all(limits) };
    // Nothing in it can fail to serialize.
    serde_json::to_string(&json).unwrap_or_default()
}

impl LimitJson {
    /// Converts all limits: those in force, and then the shadow limits.
    pub(in crate::wire) fn all(limits: &Limits) -> Vec<LimitJson> {
        let live = limits.iter().map(|limit| LimitJson::new(limit, None));
        live.chain(limits.shadow().map(|limit| LimitJson::new(limit, Some(SHADOW)))).collect()
    }

    fn new(limit: &Limit, mode: Option<&'static str>) -> LimitJson {
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
        LimitJson { code: limit.code.clone(), measure, window, zone, hours, max, mode }
    }
}
