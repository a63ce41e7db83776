//! Writing a decision as a line of a file.

use super::needs_escape;
use crate::domain::{Decision, Limits, LoadAttempt};

/// Whether a line names the limits that an attempt would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// Exactly the line of the specification.
    Omitted,
    /// With `"reasons":[…]`, which is empty for an accepted attempt.
    Named,
}

/// Adds the line of a decision, with its line feed, to `out`.
pub fn write_decision(
    out: &mut Vec<u8>,
    attempt: &LoadAttempt<'_>,
    decision: Decision,
    limits: &Limits,
    reasons: Reasons,
) {
    out.extend_from_slice(br#"{"id":"#);
    push_string(out, attempt.id.as_str());
    out.extend_from_slice(br#","customer_id":"#);
    push_string(out, attempt.customer_id.as_str());
    out.extend_from_slice(if decision.is_accepted() { br#","accepted":true"# } else { br#","accepted":false"# });
    if reasons == Reasons::Named {
        out.extend_from_slice(br#","reasons":["#);
        for (place, code) in decision.reasons().codes(limits).enumerate() {
            out.extend_from_slice(if place > 0 { b"," } else { b"" });
            push_string(out, code);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}\n");
}

/// Adds a JSON string. Nearly all can stand as they are.
fn push_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(needs_escape) {
        // To memory, a string can always be written.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
