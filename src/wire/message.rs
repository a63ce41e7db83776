//! Conversion of a decision to a message of the decisions queue.

use chrono::SecondsFormat;
use serde::Serialize;

use crate::domain::{LimitUsage, StoredDecision};

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    customer_id: &'a str,
    accepted: bool,
    reasons: &'a [String],
    load_amount: &'a str,
    time: &'a str,
    decided_at: String,
    usage: Vec<Usage<'a>>,
}

#[derive(Serialize)]
struct Usage<'a> {
    code: &'a str,
    used: u64,
    limit: u64,
    remaining: u64,
}

/// Returns the body of a decision's message. The same decision gives the same bytes.
pub fn decision_message(decision: &StoredDecision) -> String {
    let message = Message {
        id: &decision.key.event_id,
        customer_id: &decision.key.customer_id,
        accepted: decision.verdict.is_accepted(),
        reasons: decision.verdict.reasons(),
        load_amount: &decision.load_amount,
        time: &decision.time,
        decided_at: decision.decided_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        usage: decision.usage.iter().map(Usage::new).collect(),
    };
    // Strings, integers and booleans can always be serialised.
    let text = serde_json::to_string(&message).unwrap_or_default();
    escape_refused(text)
}

impl<'a> Usage<'a> {
    fn new(usage: &'a LimitUsage) -> Usage<'a> {
        Usage { code: &usage.code, used: usage.used, limit: usage.limit, remaining: usage.remaining() }
    }
}

/// Escapes two characters that JSON, and so an id, may contain, but a message may not (the SQS API reference,
/// `SendMessage`, `MessageBody`). The escapes have the same meaning.
fn escape_refused(text: String) -> String {
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        text
    }
}
