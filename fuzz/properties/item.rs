//! A DynamoDB item: a valid item survives being stored again, and any other item is reported as corrupt.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::dynamodb::{Item, encode_loads, from_days, from_record, to_record, to_row, week_of};
use loadgate::deciding::StoreError;
use loadgate::domain::{Cents, Day, Limits, Span};
use serde_json::Value;

use super::decision;

/// The deepest nesting that DynamoDB stores (its developer guide, "Service quotas").
const DEPTH_MAX: u32 = 32;

/// Maximum length of an error message besides the item's keys, which it repeats.
const MESSAGE_BYTES_MAX: usize = 200;

/// Checks bytes that are an item in DynamoDB's JSON: `{"CUSTOMER_ID":{"S":"528"},…}`.
pub fn check(bytes: &[u8]) -> bool {
    let Some(item) = serde_json::from_slice(bytes).ok().and_then(|json| map(&json, DEPTH_MAX)) else { return false };
    let is_record = check_record(&item, bytes.len());
    check_row(&item, bytes.len()) || is_record
}

fn check_record(item: &Item, bytes: usize) -> bool {
    let record = match to_record(item, "records") {
        Ok(record) => record,
        Err(error) => return check_error(&error, bytes),
    };
    let stored = from_record(&record);
    assert_eq!(to_record(&stored, "records").ok().as_ref(), Some(&record), "stored again, it is another record");
    decision::message(&record.decision);
    // EXPIRES_AT is a number of seconds in DynamoDB's conditions, and an instant in the plan. Both must agree.
    let expires_at_s: i64 = item["EXPIRES_AT"].as_n().expect("a number").parse().expect("a whole number");
    for now in [DateTime::<Utc>::MIN_UTC, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(365_000)] {
        assert_eq!(record.is_expired(now), expires_at_s <= now.timestamp(), "{expires_at_s} at {now}");
    }
    true
}

fn check_row(item: &Item, bytes: usize) -> bool {
    let row = match to_row(item, "rows") {
        Ok(row) => row,
        Err(error) => return check_error(&error, bytes),
    };
    // The next change adds 1 to the version.
    assert!(row.version >= 1 && row.version < u64::MAX, "{row:?}");
    let number = |number: u64| AttributeValue::N(number.to_string());
    let mut stored = HashMap::from([
        ("VERSION".to_owned(), number(row.version)),
        ("DAYS".to_owned(), from_days(&row.usage)),
        ("FENCED_CHANGES".to_owned(), number(row.fenced_changes)),
    ]);
    if let Some(week) = week_of(item) {
        stored.insert("DATE".to_owned(), item["DATE"].clone());
        stored.insert("LOADS".to_owned(), AttributeValue::B(Blob::new(encode_loads(week, &row.loads))));
        // What is beyond the kept loads counts in every span of its day, so no total is below them.
        let history = row.history(week);
        assert!(history.total(week, Span::ALWAYS).count >= u32::try_from(row.loads.len()).unwrap_or(u32::MAX));
    }
    assert_eq!(to_row(&stored, "rows").ok().as_ref(), Some(&row), "stored again, it is another row");
    // A sum never overflows. It exceeds every limit instead.
    let day = Day::of(DateTime::UNIX_EPOCH);
    let after = row.usage.with_load(day, Cents::LOAD_MAX);
    let limits = Limits::default();
    assert!(limits.iter().all(|limit| after.used(limit, day) >= row.usage.used(limit, day)));
    assert!(limits.iter().any(|limit| after.used(limit, day) > limit.max));
    true
}

fn check_error(error: &StoreError, bytes: usize) -> bool {
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().len() <= bytes + MESSAGE_BYTES_MAX, "{error}");
    false
}

fn map(json: &Value, depth: u32) -> Option<Item> {
    let attributes = json.as_object()?.iter();
    attributes.map(|(name, value)| Some((name.clone(), attribute(value, depth)?))).collect()
}

/// Parses an attribute: an object with the name of its type. Binary attributes are read as text.
fn attribute(json: &Value, depth: u32) -> Option<AttributeValue> {
    let depth = depth.checked_sub(1)?;
    let typed = json.as_object().filter(|typed| typed.len() == 1)?;
    let (kind, value) = typed.iter().next()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned();
    let texts = |value: &Value| list(value)?.iter().map(text).collect::<Option<Vec<_>>>();
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?),
        "N" => AttributeValue::N(text(value)?),
        "B" => AttributeValue::B(Blob::new(text(value)?)),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(texts(value)?),
        "NS" => AttributeValue::Ns(texts(value)?),
        "L" => AttributeValue::L(list(value)?.iter().map(|value| attribute(value, depth)).collect::<Option<_>>()?),
        "M" => AttributeValue::M(map(value, depth)?),
        _ => return None,
    })
}
