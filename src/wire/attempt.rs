//! Parser of a load attempt from the bytes of a line or a message body.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::needs_escape;
use crate::domain::{ATTEMPT_BYTES_MAX, AttemptText, Field, LoadAttempt, LoadError};

/// Parses a load attempt. It borrows from `bytes` all text that is written without escapes.
///
/// # Errors
/// The first error in the order of [`LoadError`]'s variants.
pub fn parse_attempt(bytes: &[u8]) -> Result<LoadAttempt<'_>, LoadError> {
    LoadAttempt::check(read_attempt(bytes)?)
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
    let shape = match read_plain(text) {
        Some(shape) => shape,
        None => read_any(text)?,
    };
    Ok(AttemptText::from(shape))
}

/// Reads the plain form that nearly every line has: the four fields in order, without white space or escapes. It takes
/// a third of the time of `serde_json`, which reads all other forms.
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

/// Reads any form.
fn read_any(text: &str) -> Result<Shape<'_>, LoadError> {
    // Serde would also accept an array of four strings.
    let shape = serde_json::from_str(text).map_err(|_| explain(text))?;
    if kind_of(text) == OBJECT { Ok(shape) } else { Err(LoadError::BadType { field: None, found: kind_of(text) }) }
}

/// Splits at the end of a string: returns the string, and the text after `end`. `None` if the text needs the full
/// parser.
fn split_string<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    let length = text.bytes().position(needs_escape)?;
    let (string, rest) = text.split_at_checked(length)?;
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

/// Reads a field that is present, even if it is `null`; a missing field gets serde's default instead.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Finds the error in a text without the shape of an attempt. It is slower than parsing, and rarely needed.
fn explain(text: &str) -> LoadError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return not_json(text, &error);
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
    if let Some(error) = fields.into_iter().flatten().find_map(|value| bad_escape(text, value.get())) {
        return error;
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

/// Returns the error of a string with an invalid escape.
fn bad_escape(text: &str, value: &str) -> Option<LoadError> {
    let error = serde_json::from_str::<String>(value).err().filter(|_| kind_of(value) == STRING)?;
    let before = value.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    Some(LoadError::NotJson { at: before + position(value, &error), detail: detail(&error) })
}

fn not_json(text: &str, error: &serde_json::Error) -> LoadError {
    LoadError::NotJson { at: position(text, error), detail: detail(error) }
}

/// Returns the position at which the parser stopped, in bytes from 1. `serde_json` restarts its columns in each line.
fn position(text: &str, error: &serde_json::Error) -> usize {
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines_before.map(str::len).sum::<usize>() + error.column()
}

fn field_twice(error: &serde_json::Error) -> &'static str {
    let said = error.to_string();
    let twice = |(field, sentence): (Field, _)| said.contains(&format!("`{field}`")).then_some(sentence);
    let sentences =
        ["id appears twice", "customer_id appears twice", "load_amount appears twice", "time appears twice"];
    Field::ALL.into_iter().zip(sentences).find_map(twice).unwrap_or("a field appears twice")
}

/// Messages of `serde_json` about a text's grammar. Its other messages could quote the text.
const DETAILS: [&str; 21] = [
    "EOF while parsing a list",
    "EOF while parsing a string",
    "EOF while parsing a value",
    "EOF while parsing an object",
    "control character (\\u0000-\\u001F) found while parsing a string",
    "expected `,` or `]`",
    "expected `,` or `}`",
    "expected `:`",
    "expected `\"`",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "invalid unicode code point",
    "key must be a string",
    "lone leading surrogate in hex escape",
    "number out of range",
    "recursion limit exceeded",
    "trailing characters",
    "trailing comma",
    "unexpected end of hex escape",
];

fn detail(error: &serde_json::Error) -> &'static str {
    let said = error.to_string();
    DETAILS.into_iter().find(|detail| said.starts_with(detail)).unwrap_or("it does not follow the grammar of JSON")
}

const OBJECT: &str = "an object";
const STRING: &str = "a string";

/// Returns the type of a valid JSON text, which its first character determines.
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
