//! Conversion of a decision to a line of a file, and to a message of the decisions queue.

use chrono::SecondsFormat;
use serde::Serialize;

use super::is_plain;
use crate::domain::{LimitUsage, StoredDecision};

/// Choice to name the limits that an attempt would break, or to omit them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// The line of the specification, exactly.
    Omitted,
    /// The line with `"reasons":[…]`, which is empty for an accepted attempt.
    Named,
}

impl Reasons {
    /// Returns the reasons if they are named.
    pub fn named<T>(self, reasons: T) -> Option<T> {
        (self == Reasons::Named).then_some(reasons)
    }
}

/// The codes with which a decision is explained.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<R, S, U> {
    /// The limits that the attempt would break.
    pub reasons: R,
    /// The shadow limits that it would break.
    pub shadow: S,
    /// The shadow limits that were not judged.
    pub unjudged: U,
}

/// The beginning of a decision's line: the ids of its attempt.
#[derive(Clone, Copy, Debug)]
pub enum DecisionHead<'a> {
    /// The beginning of the attempt's own line, which has the same form. It ends with the customer's id.
    OfAttempt(&'a str),
    /// The ids.
    Ids {
        /// The event's id.
        id: &'a str,
        /// The customer's id.
        customer_id: &'a str,
    },
}

impl DecisionHead<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            DecisionHead::OfAttempt(line) => out.extend_from_slice(line.as_bytes()),
            DecisionHead::Ids { id, customer_id } => {
                out.extend_from_slice(br#"{"id":"#);
                push_string(out, id);
                out.extend_from_slice(br#","customer_id":"#);
                push_string(out, customer_id);
            }
        }
    }
}

/// Adds the line of a decision, with its line feed, to `out`. It is explained if an explanation is given.
pub fn write_decision<'r>(
    out: &mut Vec<u8>,
    head: DecisionHead<'_>,
    accepted: bool,
    explanation: Option<
        Explanation<impl Iterator<Item = &'r str>, impl Iterator<Item = &'r str>, impl Iterator<Item = &'r str>>,
    >,
) {
    head.write(out);
    out.extend_from_slice(if accepted { br#","accepted":true"# } else { br#","accepted":false"# });
    if let Some(Explanation { reasons, shadow, unjudged }) = explanation {
        push_codes(out, br#","reasons":["#, reasons);
        // Missing where they would be empty, as in a message.
        let (mut shadow, mut unjudged) = (shadow.peekable(), unjudged.peekable());
        if shadow.peek().is_some() {
            push_codes(out, br#","shadow":["#, shadow);
        }
        if unjudged.peek().is_some() {
            push_codes(out, br#","unjudged":["#, unjudged);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn push_codes<'r>(out: &mut Vec<u8>, begin: &[u8], codes: impl Iterator<Item = &'r str>) {
    out.extend_from_slice(begin);
    for (place, code) in codes.enumerate() {
        out.extend_from_slice(if place > 0 { b"," } else { b"" });
        push_string(out, code);
    }
    out.push(b']');
}

/// Adds a JSON string. Nearly all strings need no escapes.
fn push_string(out: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// The mode of a shadow limit, in JSON and in a limits file.
pub(super) const SHADOW: &str = "shadow";

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
    #[serde(skip_serializing_if = "is_empty")]
    shadow: &'a [String],
    #[serde(skip_serializing_if = "is_empty")]
    unjudged: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Usage<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    used: u64,
    limit: u64,
    remaining: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
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
        shadow: &decision.shadow.broken,
        unjudged: &decision.shadow.unjudged,
        run_id: decision.log.as_ref().map(|log| log.run_id.as_str()),
    };
    // Strings, integers and booleans can always be serialised.
    let text = serde_json::to_string(&message).unwrap_or_default();
    escape_refused(text)
}

impl<'a> Usage<'a> {
    fn new(usage: &'a LimitUsage) -> Usage<'a> {
        // Whole seconds, or three digits of a second.
        let resets_at = usage.resets_at.map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        Usage {
            code: &usage.code,
            limit_id: usage.limit_id.as_deref(),
            mode: usage.is_shadow.then_some(SHADOW),
            used: usage.used,
            limit: usage.limit,
            remaining: usage.remaining(),
            resets_at,
        }
    }
}

fn is_empty(codes: &[String]) -> bool {
    codes.is_empty()
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

/// Returns true when SQS accepts every character of a body (the SQS API reference, `SendMessage`, `MessageBody`).
pub fn can_be_body(text: &str) -> bool {
    let is_taken = |character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    !text.is_empty() && text.chars().all(is_taken)
}
