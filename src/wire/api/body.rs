//! Bodies of requests that change something. Sentences about them repeat no part of the body.

use serde_json::value::RawValue;

use crate::domain::{Cents, ID_BYTES_MAX, PlanVersion};
use crate::wire::json::{Fault, Keys, OBJECT, STRING, kind_of, repeated};

/// Reason why a body is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8: byte {at} does not begin or continue a character")]
    NotUtf8 {
        /// The first wrong byte, from 1.
        at: usize,
    },
    /// The text is not one JSON value.
    #[error("the body is not one JSON object: {detail} (byte {at})")]
    NotJson {
        /// Position at which the reader stopped, in bytes from 1.
        at: usize,
        /// Reason: one of a few sentences.
        detail: &'static str,
    },
    /// A field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// The field.
        field: &'static str,
    },
    /// A value is of another type.
    #[error("{field} must be {expected}, not {found}")]
    BadType {
        /// The field, or the body.
        field: &'static str,
        /// The type that it must have, in words.
        expected: &'static str,
        /// The type found instead, in words.
        found: &'static str,
    },
    /// An id is empty or too long.
    #[error("{field} must have 1 to {ID_BYTES_MAX} bytes")]
    BadId {
        /// The field.
        field: &'static str,
    },
    /// A value is none that the field can have.
    #[error("{field} must be {expected}")]
    BadValue {
        /// The field.
        field: &'static str,
        /// The values that it can have, in words.
        expected: &'static str,
    },
    /// An amount is not written as one.
    #[error("{field} is not an amount: 1 to 14 digits, and at most two after a point")]
    BadAmount {
        /// The field.
        field: &'static str,
    },
    /// The body has a field that the request does not have. It could be an option, misspelt.
    #[error("the body has a field that the request does not have; /openapi.json lists all")]
    UnknownField,
}

/// The fields of a body. Unknown ones are ignored, unless [`Fields::only`] is asked.
#[derive(Debug)]
pub struct Fields<'b> {
    text: &'b str,
    fields: Vec<(String, &'b RawValue)>,
}

impl<'b> Fields<'b> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BodyError`] if the body is not one JSON object.
    pub fn read(body: &'b [u8]) -> Result<Fields<'b>, BodyError> {
        let text = str::from_utf8(body).map_err(|error| BodyError::NotUtf8 { at: error.valid_up_to() + 1 })?;
        let value: &RawValue = serde_json::from_str(text).map_err(|error| not_json(Fault::of(text, &error)))?;
        if kind_of(value.get()) != OBJECT {
            return Err(BodyError::BadType { field: "the body", expected: OBJECT, found: kind_of(value.get()) });
        }
        let Keys(fields) = serde_json::from_str(text).map_err(|error| not_json(Fault::of(text, &error)))?;
        if let Some((_, value)) = repeated(&fields) {
            let at = value.get().as_ptr().addr().saturating_sub(text.as_ptr().addr()).saturating_add(1);
            return Err(BodyError::NotJson { at, detail: "a field appears twice" });
        }
        Ok(Fields { text, fields })
    }

    /// Returns a string.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing or of another type.
    pub fn string(&self, field: &'static str) -> Result<String, BodyError> {
        let value = self.get(field)?;
        if let Some(fault) = Fault::of_escape(self.text, value) {
            return Err(not_json(fault));
        }
        let found = kind_of(value);
        serde_json::from_str(value).map_err(|_| BodyError::BadType { field, expected: STRING, found })
    }

    /// Returns an id.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing or not an id.
    pub fn id(&self, field: &'static str) -> Result<String, BodyError> {
        let id = self.string(field)?;
        if (1..=ID_BYTES_MAX).contains(&id.len()) { Ok(id) } else { Err(BodyError::BadId { field }) }
    }

    /// Returns a whole number from 1 on.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing or not such a number.
    pub fn version(&self, field: &'static str) -> Result<u64, BodyError> {
        let value = self.get(field)?;
        let found = kind_of(value);
        if found != "a number" {
            return Err(BodyError::BadType { field, expected: "a number", found });
        }
        let version = value.parse().ok().filter(|version| *version > 0);
        version.ok_or(BodyError::BadValue { field, expected: "a whole number from 1 on" })
    }

    /// Returns an amount in whole units of the currency, with at most two decimals.
    ///
    /// # Errors
    /// [`BodyError`] if the field is missing, is no string, or is not written as an amount.
    pub fn amount(&self, field: &'static str) -> Result<Cents, BodyError> {
        Cents::of_units(&self.string(field)?).ok_or(BodyError::BadAmount { field })
    }

    /// Returns a truth value; false if the field is missing.
    ///
    /// # Errors
    /// [`BodyError`] if the field is no truth value.
    pub fn flag(&self, field: &'static str) -> Result<bool, BodyError> {
        match self.get(field).ok() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(BodyError::BadType { field, expected: "a boolean", found: kind_of(other) }),
        }
    }

    /// Checks that the body has no other fields than these. A request with options calls it, so that none is missed.
    ///
    /// # Errors
    /// [`BodyError::UnknownField`].
    pub fn only(&self, known: &[&str]) -> Result<(), BodyError> {
        let is_known = self.fields.iter().all(|(name, _)| known.contains(&name.as_str()));
        if is_known { Ok(()) } else { Err(BodyError::UnknownField) }
    }

    fn get(&self, field: &'static str) -> Result<&'b str, BodyError> {
        let value = self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.get());
        value.ok_or(BodyError::MissingField { field })
    }
}

/// Reads a reference to a plan version: `{"planId":"standard","version":3}`.
///
/// # Errors
/// [`BodyError`] of the first wrong field.
pub fn read_plan_version(body: &[u8]) -> Result<PlanVersion, BodyError> {
    let fields = Fields::read(body)?;
    Ok(PlanVersion { plan_id: fields.id("planId")?, version: fields.version("version")? })
}

const fn not_json(Fault { at, detail }: Fault) -> BodyError {
    BodyError::NotJson { at, detail }
}
