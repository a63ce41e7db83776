//! Reading a load attempt from the bytes of a line or a message body.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use super::needs_escape;
use crate::domain::{ATTEMPT_BYTES_MAX, AttemptText, Field, LoadAttempt, LoadError};

/// Reads a load attempt. It borrows from `bytes` whatever is written there without escapes.
///
/// # Errors
/// What is wrong, the first in the order of [`LoadError`]'s variants.
pub fn parse_attempt(bytes: &[u8]) -> Result<LoadAttempt<'_>, LoadError> {
    LoadAttempt::check(read_attempt(bytes)?)
}

/// Reads the four texts of an attempt, and checks none of them.
///
/// # Errors
/// What is wrong with the whole or with a field's type, the first in the order of [`LoadError`]'s variants.
pub fn read_attempt(bytes: &[u8]) -> Result<AttemptText<'_>, LoadError> {
    if bytes.len() > ATTEMPT_BYTES_MAX {
        return Err(LoadError::TooLong);
    }
    let text = str::from_utf8(bytes).map_err(|error| LoadError::NotUtf8 { at: error.valid_up_to() })?;
    let shape = match read_plain(text) {
        Some(shape) => shape,
        None => read_any(text)?,
    };
    Ok(AttemptText::from(shape))
}

/// Reads the plain form that nearly every line has: the four fields in order, without white space or escapes. It takes
/// a third of `serde_json`'s time, which reads all other forms.
fn read_plain(text: &str) -> Option<Shape<'_>> {
    let rest = text.strip_prefix(r#"{"id":""#)?;
    let (id, rest) = split_string(rest, r#"","customer_id":""#)?;
    let (customer_id, rest) = split_string(rest, r#"","load_amount":""#)?;
    let (load_amount, rest) = split_string(rest, r#"","time":""#)?;
    let (time, rest) = split_string(rest, r#""}"#)?;
    rest.is_empty().then(|| Shape {
        id: id.into(),
        customer_id: customer_id.into(),
        load_amount: load_amount.into(),
        time: time.into(),
    })
}

/// Reads any form, or says what is wrong.
fn read_any(text: &str) -> Result<Shape<'_>, LoadError> {
    // To serde four strings in an array would be a shape as well.
    let shape = serde_json::from_str(text).map_err(|error| explain(text, &error))?;
    if kind_of(text) == OBJECT { Ok(shape) } else { Err(LoadError::BadType { field: None, found: kind_of(text) }) }
}

/// What stands before the end of a string, and behind what has to follow. None where anything needs a closer look.
fn split_string<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    let length = text.bytes().position(needs_escape)?;
    let (string, rest) = text.split_at_checked(length)?;
    Some((string, rest.strip_prefix(end)?))
}

/// The shape of an attempt. Other fields are ignored, whatever is in them.
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

/// The same fields with anything in them, to find out which one is wrong.
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

/// A field that is there, `null` too: only serde's default stands for one that is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Finds what is wrong with a text that has not the shape of an attempt: slower than reading, and seldom needed.
fn explain(text: &str, error: &serde_json::Error) -> LoadError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return not_json(text, &error);
    }
    let found = kind_of(text);
    if found != OBJECT {
        return LoadError::BadType { field: None, found };
    }
    let fields = match serde_json::from_str::<LooseShape<'_>>(text) {
        Ok(LooseShape { id, customer_id, load_amount, time }) => [id, customer_id, load_amount, time],
        // The text is an object and takes any value: a field stands twice, and which one counts is anyone's guess.
        Err(error) => return not_json(text, &error),
    };
    let present = || fields.into_iter().flatten();
    if present().any(|value| kind_of(value.get()) == STRING && serde_json::from_str::<String>(value.get()).is_err()) {
        // A string has an escape that stands for no character.
        return not_json(text, error);
    }
    let mut fields = Field::ALL.into_iter().zip(fields);
    if let Some((field, _)) = fields.clone().find(|(_, value)| value.is_none()) {
        return LoadError::MissingField { field };
    }
    fields
        .find_map(|(field, value)| value.map(|value| (field, kind_of(value.get()))).filter(|(_, kind)| *kind != STRING))
        .map_or_else(|| not_json(text, error), |(field, found)| LoadError::BadType { field: Some(field), found })
}

fn not_json(text: &str, error: &serde_json::Error) -> LoadError {
    let sentence = error.to_string();
    let detail = sentence.split(" at line ").next().unwrap_or(&sentence);
    // serde_json counts columns anew in each line.
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let at = lines_before.map(str::len).sum::<usize>() + error.column();
    LoadError::NotJson { at, detail: detail.into() }
}

const OBJECT: &str = "an object";
const STRING: &str = "a string";

/// What kind of value a valid JSON text holds: its first character says it.
fn kind_of(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'{') => OBJECT,
        Some(b'"') => STRING,
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
