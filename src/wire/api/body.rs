//! Bodies of requests that change something: one JSON object, whose fields are all known and occur once.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::ProblemCode;
use crate::domain::{Cents, ID_BYTES_MAX};

/// Message of an object with a field that occurs twice.
const FIELD_TWICE: &str = "a field occurs twice";

/// Error of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// The code.
    pub code: ProblemCode,
    /// One sentence, which repeats no part of the body.
    pub detail: String,
}

/// The fields of a body that have not been taken yet.
#[derive(Debug)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`] if it is not one JSON object.
    pub fn read(bytes: &[u8]) -> Result<Fields, BodyError> {
        let text = str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to() + 1;
            let detail = format!("the body is not UTF-8: byte {at} does not begin or continue a character");
            BodyError { code: ProblemCode::NotUtf8, detail }
        })?;
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = if error.to_string().starts_with(FIELD_TWICE) { FIELD_TWICE } else { "it does not parse" };
            let detail = format!("the body is not one JSON object: {what} (line {line}, byte {column})");
            BodyError { code: ProblemCode::NotJson, detail }
        })
    }

    /// Takes a string.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing or is no string.
    pub fn string(&mut self, name: &str) -> Result<String, BodyError> {
        match self.required(name)? {
            Value::String(text) => Ok(text),
            _ => Err(bad_type(name, "a string")),
        }
    }

    /// Takes an id.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing, is no string, or does not have 1 to 128 bytes.
    pub fn id(&mut self, name: &str) -> Result<String, BodyError> {
        let id = self.string(name)?;
        let is_valid = (1..=ID_BYTES_MAX).contains(&id.len());
        let error =
            || BodyError { code: ProblemCode::BadId, detail: format!("{name} must have 1 to {ID_BYTES_MAX} bytes") };
        is_valid.then_some(id).ok_or_else(error)
    }

    /// Takes the version of a plan: a whole number from 1.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing, or is no such number.
    pub fn version(&mut self, name: &str) -> Result<u64, BodyError> {
        let version = self.required(name)?.as_u64().filter(|version| *version > 0);
        version.ok_or_else(|| bad_type(name, "a whole number from 1"))
    }

    /// Takes a truth value, false if the field is missing.
    ///
    /// # Errors
    /// [`BodyError`] if the field is no truth value.
    pub fn flag(&mut self, name: &str) -> Result<bool, BodyError> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad_type(name, "true or false")),
        }
    }

    /// Takes an amount in whole units of the currency, with at most two decimals.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing, is no string, or is not written as an amount.
    pub fn amount(&mut self, name: &str) -> Result<Cents, BodyError> {
        let text = self.string(name)?;
        Cents::of_units(&text).ok_or_else(|| BodyError {
            code: ProblemCode::BadAmount,
            detail: format!("{name} is not an amount: 1 to 14 digits, and at most two after a point"),
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`BodyError`] if a field is left: a misspelt one could be an option that is missed.
    pub fn end(self) -> Result<(), BodyError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let detail = "the body has a field that the request does not have; /openapi.json lists all".to_owned();
        Err(BodyError { code: ProblemCode::UnknownField, detail })
    }

    fn required(&mut self, name: &str) -> Result<Value, BodyError> {
        let error = || BodyError { code: ProblemCode::MissingField, detail: format!("the field {name} is missing") };
        self.0.remove(name).ok_or_else(error)
    }
}

fn bad_type(name: &str, expected: &str) -> BodyError {
    BodyError { code: ProblemCode::BadType, detail: format!("{name} must be {expected}") }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct OnceEach;

        impl<'de> Visitor<'de> for OnceEach {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if fields.insert(name, value).is_some() {
                        return Err(M::Error::custom(FIELD_TWICE));
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(OnceEach)
    }
}
