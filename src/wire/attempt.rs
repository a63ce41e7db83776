//! Parser of a load attempt from the bytes of a line or a message body.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::{Fault, OBJECT, STRING, kind_of, position, present};
use super::{is_plain, plain_bytes};
use crate::domain::{ATTEMPT_BYTES_MAX, AttemptText, Currency, Field, LoadAttempt, LoadError, StoredDecision};

/// Parses a load attempt in a deployment with this currency. It borrows from `bytes` all text that is written without escapes.
///
/// # Errors
/// The first error in the order of [`LoadError`]'s variants.
pub fn parse_attempt(bytes: &[u8], currency: Currency) -> Result<LoadAttempt<'_>, LoadError> {
    LoadAttempt::check_in(read_attempt(bytes)?, currency)
}

/// Reads the four texts of an attempt, without checking them.
///
/// # Errors
/// The first error of the whole text or of a field's type, in the order of [`LoadError`]'s variants.
pub fn read_attempt(bytes: &[u8]) -> Result<AttemptText<'_>, LoadError> {
    if bytes.len() > ATTEMPT_BYTES_MAX {
        return Err(LoadError::TooLong);
    }
    let text = str::from_utf8(bytes).map_err(|error| LoadError::NotUtf8 { at: error.valid_up_to() + 1 })?;
    Ok(match read_plain(text).filter(|shape| is_plain(shape.time.as_bytes())) {
        Some(shape) => shape.into(),
        None => read_any(text)?.into(),
    })
}

/// A load attempt as a line of a file.
#[derive(Serialize)]
struct AttemptLine<'d> {
    id: &'d str,
    customer_id: &'d str,
    load_amount: &'d str,
    time: &'d str,
}

/// Returns the attempt that a decision was made about, as a line of a file, with its line feed.
pub fn attempt_line(decision: &StoredDecision) -> String {
    let line = AttemptLine {
        id: &decision.key.event_id,
        customer_id: &decision.key.customer_id,
        load_amount: &decision.load_amount,
        time: &decision.time,
    };
    // Strings can always be serialised.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// An attempt in the plain form.
#[derive(Clone, Copy)]
pub(super) struct PlainShape<'a> {
    /// The line up to the customer's id, with its last quote.
    #[cfg_attr(not(feature = "replay"), allow(dead_code))]
    pub(super) head: &'a str,
    pub(super) id: &'a str,
    pub(super) customer_id: &'a str,
    pub(super) load_amount: &'a str,
    pub(super) time: &'a str,
}

impl<'a> From<PlainShape<'a>> for AttemptText<'a> {
    fn from(PlainShape { id, customer_id, load_amount, time, .. }: PlainShape<'a>) -> AttemptText<'a> {
        AttemptText {
            id: id.into(),
            customer_id: customer_id.into(),
            load_amount: load_amount.into(),
            time: time.into(),
        }
    }
}

/// Reads the plain form that nearly every line has: the four fields in order, without white space or escapes. It takes
/// a third of the time of `serde_json`, which reads all other forms. It does not check that the time has nothing to escape.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn read_plain(text: &str) -> Option<PlainShape<'_>> {
    let rest = text.strip_prefix(r#"{"id":""#)?;
    let (id, rest) = split_string(rest, r#"","customer_id":""#)?;
    let (customer_id, rest) = split_string(rest, "\"")?;
    let head = text.get(..text.len().saturating_sub(rest.len()))?;
    let rest = rest.strip_prefix(r#","load_amount":""#)?;
    let (load_amount, rest) = split_string(rest, r#"","time":""#)?;
    let time = rest.strip_suffix(r#""}"#)?;
    Some(PlainShape { head, id, customer_id, load_amount, time })
}

/// Reads any form.
fn read_any(text: &str) -> Result<Shape<'_>, LoadError> {
    // Serde would also accept an array of four strings.
    let shape = serde_json::from_str(text).map_err(|_| explain(text))?;
    if kind_of(text) == OBJECT { Ok(shape) } else { Err(LoadError::BadType { field: None, found: kind_of(text) }) }
}

/// Splits at the end of a string: returns the string, and the text after `end`. `None` if the text needs the full
/// parser. Inlined, because comparing with a text of known length takes a few instructions.
#[inline]
fn split_string<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    let (string, rest) = text.split_at_checked(plain_bytes(text.as_bytes()))?;
    Some((string, rest.strip_prefix(end)?))
}

/// Shape of an attempt. Other fields are ignored, whatever they contain.
#[derive(Debug, PartialEq, Deserialize)]
struct Shape<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    customer_id: Cow<'a, str>,
    #[serde(borrow)]
    load_amount: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl<'a> From<Shape<'a>> for AttemptText<'a> {
    fn from(Shape { id, customer_id, load_amount, time }: Shape<'a>) -> AttemptText<'a> {
        AttemptText { id, customer_id, load_amount, time }
    }
}

/// The same fields with any value, to find the wrong one.
#[derive(Deserialize)]
struct LooseShape<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    customer_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    load_amount: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    time: Option<&'a RawValue>,
}

/// Reads the texts of a load that is only checked: an attempt without ids. Its time may be missing.
///
/// # Errors
/// The first error of the whole text or of a field's type, in the order of [`LoadError`]'s variants.
#[cfg(feature = "http")]
pub fn read_check(bytes: &[u8]) -> Result<super::api::CheckRequest<'_>, LoadError> {
    let text = str::from_utf8(bytes).map_err(|error| LoadError::NotUtf8 { at: error.valid_up_to() + 1 })?;
    let fields = serde_json::from_str::<LooseShape<'_>>(text).map_err(|_| explain(text))?;
    if kind_of(text) != OBJECT {
        return Err(LoadError::BadType { field: None, found: kind_of(text) });
    }
    let string = |field, value: &'_ RawValue| {
        if let Some(fault) = Fault::of_escape(text, value.get()) {
            return Err(not_json(fault));
        }
        let wrong = |_| LoadError::BadType { field: Some(field), found: kind_of(value.get()) };
        serde_json::from_str::<String>(value.get()).map(Cow::Owned).map_err(wrong)
    };
    let load_amount = fields.load_amount.ok_or(LoadError::MissingField { field: Field::LoadAmount })?;
    let load_amount = string(Field::LoadAmount, load_amount)?;
    let time = fields.time.map(|time| string(Field::Time, time)).transpose()?;
    Ok(super::api::CheckRequest { load_amount, time })
}

/// Finds the error in a text without the shape of an attempt. It is slower than parsing, and rarely needed.
fn explain(text: &str) -> LoadError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return not_json(Fault::of(text, &error));
    }
    let found = kind_of(text);
    if found != OBJECT {
        return LoadError::BadType { field: None, found };
    }
    let fields = match serde_json::from_str::<LooseShape<'_>>(text) {
        Ok(LooseShape { id, customer_id, load_amount, time }) => [id, customer_id, load_amount, time],
        // The text is an object and any value is accepted, so a field occurs twice. It is unclear which one counts.
        Err(error) => return LoadError::NotJson { at: position(text, &error), detail: field_twice(&error) },
    };
    if let Some(fault) = fields.into_iter().flatten().find_map(|value| Fault::of_escape(text, value.get())) {
        return not_json(fault);
    }
    let mut fields = Field::ALL.into_iter().zip(fields);
    if let Some((field, _)) = fields.clone().find(|(_, value)| value.is_none()) {
        return LoadError::MissingField { field };
    }
    fields
        .find_map(|(field, value)| value.map(|value| (field, kind_of(value.get()))).filter(|(_, kind)| *kind != STRING))
        // A text with all four fields, each a readable string, has the shape of an attempt.
        .map_or(LoadError::BadType { field: None, found }, |(field, found)| LoadError::BadType {
            field: Some(field),
            found,
        })
}

const fn not_json(Fault { at, detail }: Fault) -> LoadError {
    LoadError::NotJson { at, detail }
}

fn field_twice(error: &serde_json::Error) -> &'static str {
    let said = error.to_string();
    let twice = |(field, sentence): (Field, _)| said.contains(&format!("`{field}`")).then_some(sentence);
    let sentences =
        ["id appears twice", "customer_id appears twice", "load_amount appears twice", "time appears twice"];
    Field::ALL.into_iter().zip(sentences).find_map(twice).unwrap_or("a field appears twice")
}
