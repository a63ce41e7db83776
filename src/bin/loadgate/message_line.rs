//! Conversion of a received message to one line, without loss.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use loadgate::deciding::{Attribute, AttributeValue, Received};
use loadgate::domain::LoadError;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct Line<'m> {
    message_id: &'m str,
    group_id: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deduplication_id: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    attributes: BTreeMap<&'m str, Value>,
    body: &'m str,
}

/// Converts a message to one JSON object with everything that was received, and with the error if there is one. The
/// result contains no line feed.
pub fn message_line(message: &Received, error: Option<&LoadError>) -> String {
    let line = Line {
        message_id: &message.message_id,
        group_id: &message.group_id,
        deduplication_id: message.deduplication_id.as_deref(),
        sent_at: message.sent_at.map(|sent_at| sent_at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        code: error.map(LoadError::code),
        reason: error.map(ToString::to_string),
        attributes: message.attributes.iter().map(|(name, attribute)| (name.as_str(), value(attribute))).collect(),
        body: &message.body,
    };
    // Strings and objects of strings can always be serialised.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Converts an attribute to JSON: a string for type `String`, an object of type and value for every other type.
fn value(attribute: &Attribute) -> Value {
    let data_type = &attribute.data_type;
    match &attribute.value {
        AttributeValue::Text(text) if data_type == "String" => json!(text),
        AttributeValue::Text(text) => json!({ "type": data_type, "value": text }),
        AttributeValue::Binary(bytes) => json!({ "type": data_type, "value_base64": STANDARD.encode(bytes) }),
    }
}

/// Converts a body to one line. In JSON a line break becomes a space; any other body with a line break becomes a JSON
/// string.
pub fn one_line(body: &str) -> String {
    let has_break = body.contains(['\n', '\r']);
    if !has_break {
        return body.to_owned();
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Ok(_) => body.trim().replace(['\n', '\r'], " "),
        Err(_) => json!(body).to_string(),
    }
}
