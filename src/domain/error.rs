//! Errors of an input. A declined attempt is not an error: it is a [`Decision`](super::Decision).

use std::fmt;

use super::{ATTEMPT_BYTES_MAX, AmountError, ID_BYTES_MAX, TimeError};

/// A field of a load attempt, in the order of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The event's id.
    Id,
    /// The customer's id.
    CustomerId,
    /// The amount.
    LoadAmount,
    /// The time.
    Time,
}

impl Field {
    /// All fields, in order.
    pub const ALL: [Field; 4] = [Field::Id, Field::CustomerId, Field::LoadAmount, Field::Time];

    /// Returns the field's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Id => "id",
            Field::CustomerId => "customer_id",
            Field::LoadAmount => "load_amount",
            Field::Time => "time",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reason why an id is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The id has no bytes.
    #[error("is empty")]
    Empty,
    /// The id has more than [`ID_BYTES_MAX`] bytes.
    #[error("is {bytes} bytes long; at most {ID_BYTES_MAX} are allowed")]
    TooLong {
        /// The id's length, in bytes.
        bytes: usize,
    },
    /// On a queue the customer id is the message group, which allows only ASCII letters, digits and punctuation.
    #[error("has a character that no message group takes: only ASCII letters, digits and punctuation are allowed")]
    Character,
}

/// Reason why an input is not a valid load attempt: one code for machines, one plain sentence for people.
///
/// The variants are in the order in which they are checked. An input with several faults gets the first one. No
/// sentence repeats any part of the input, because sentences go to logs. So no variant holds such a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The line or body is longer than [`ATTEMPT_BYTES_MAX`] bytes.
    #[error("the input is longer than {ATTEMPT_BYTES_MAX} bytes, the most that an attempt may have")]
    TooLong,
    /// The bytes are not UTF-8.
    #[error("the input is not UTF-8: byte {at} does not begin or continue a character")]
    NotUtf8 {
        /// The first wrong byte, from 1.
        at: usize,
    },
    /// The text is not one JSON value, or contains a field twice.
    #[error("the input is not one JSON object: {detail} (byte {at})")]
    NotJson {
        /// Position at which the reader stopped, in bytes from 1.
        at: usize,
        /// Reason: one of a few sentences, never a part of the input.
        detail: &'static str,
    },
    /// A field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// The first missing field.
        field: Field,
    },
    /// The input is not an object (`field` is `None`), or a field is not a string.
    #[error("{} must be {}, not {found}", Subject(*field), if field.is_some() { "a string" } else { "a JSON object" })]
    BadType {
        /// The first field of a wrong type.
        field: Option<Field>,
        /// The type found instead, in words.
        found: &'static str,
    },
    /// The event's or the customer's id is not valid.
    #[error("{field} {reason}")]
    BadId {
        /// The invalid id.
        field: Field,
        /// The reason why it is invalid.
        reason: IdError,
    },
    /// `load_amount` is not an amount.
    #[error("load_amount {0}")]
    BadAmount(AmountError),
    /// `time` is not an instant.
    #[error("time {0}")]
    BadTime(TimeError),
    /// The message came in the group of another customer, so its order among the messages of its own customer is
    /// unknown.
    #[error("customer_id is not the message group in which the message came")]
    GroupMismatch,
}

impl LoadError {
    /// Returns the code, the same in rejects, message attributes and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            LoadError::TooLong => "TOO_LONG",
            LoadError::NotUtf8 { .. } => "NOT_UTF8",
            LoadError::NotJson { .. } => "NOT_JSON",
            LoadError::MissingField { .. } => "MISSING_FIELD",
            LoadError::BadType { .. } => "BAD_TYPE",
            LoadError::BadId { .. } => "BAD_ID",
            LoadError::BadAmount(_) => "BAD_AMOUNT",
            LoadError::BadTime(_) => "BAD_TIME",
            LoadError::GroupMismatch => "GROUP_MISMATCH",
        }
    }
}

/// An error of an input: one code for machines, and one plain sentence that repeats no part of the input.
pub trait InputError: std::error::Error {
    /// Returns the code.
    fn code(&self) -> &'static str;
}

impl InputError for LoadError {
    fn code(&self) -> &'static str {
        LoadError::code(self)
    }
}

/// Subject of a sentence: a field, or the whole input.
struct Subject(Option<Field>);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(field) => write!(f, "the field {field}"),
            None => f.write_str("the input"),
        }
    }
}
