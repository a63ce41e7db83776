//! Diagnosis of JSON texts: the place and the kind of a fault, never a part of the text.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub(super) const OBJECT: &str = "an object";
pub(super) const STRING: &str = "a string";

/// A fault in a text that is not valid JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Position at which the parser stopped, in bytes from 1.
    pub(super) at: usize,
    /// Kind of the fault, in one of a few sentences.
    pub(super) detail: &'static str,
}

impl Fault {
    pub(super) fn of(text: &str, error: &serde_json::Error) -> Fault {
        Fault { at: position(text, error), detail: detail(error) }
    }

    /// Returns the fault of a string with an invalid escape. `value` must be a part of `text`.
    pub(super) fn of_escape(text: &str, value: &str) -> Option<Fault> {
        let error = serde_json::from_str::<String>(value).err().filter(|_| kind_of(value) == STRING)?;
        let before = value.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        Some(Fault { at: before + position(value, &error), detail: detail(&error) })
    }
}

/// Reads a field that is present, even if it is `null`; a missing field gets serde's default instead.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The keys of an object, in their order, with their values.
pub(super) struct Keys<'t>(pub(super) Vec<(String, &'t RawValue)>);

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

/// Returns the first key that stands before in an object.
pub(super) fn repeated<'k, 't>(keys: &'k [(String, &'t RawValue)]) -> Option<&'k (String, &'t RawValue)> {
    let is_repeated =
        |(index, (key, _)): &(usize, &(String, _))| keys.iter().take(*index).any(|(other, _)| other == key);
    keys.iter().enumerate().find(is_repeated).map(|(_, entry)| entry)
}

/// Returns the position at which the parser stopped, in bytes from 1. `serde_json` restarts its columns in each line.
pub(super) fn position(text: &str, error: &serde_json::Error) -> usize {
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines_before.map(str::len).sum::<usize>() + error.column()
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

/// Returns the type of a valid JSON text, which its first character determines.
pub(super) fn kind_of(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'{') => OBJECT,
        Some(b'"') => STRING,
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
