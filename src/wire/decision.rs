//! Conversion of a decision to a line of a file.

use super::needs_escape;

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

/// Adds the line of a decision, with its line feed, to `out`. `reasons` are named if given.
pub fn write_decision<'r>(
    out: &mut Vec<u8>,
    id: &str,
    customer_id: &str,
    accepted: bool,
    reasons: Option<impl Iterator<Item = &'r str>>,
) {
    out.extend_from_slice(br#"{"id":"#);
    push_string(out, id);
    out.extend_from_slice(br#","customer_id":"#);
    push_string(out, customer_id);
    out.extend_from_slice(if accepted { br#","accepted":true"# } else { br#","accepted":false"# });
    if let Some(reasons) = reasons {
        out.extend_from_slice(br#","reasons":["#);
        for (place, code) in reasons.enumerate() {
            out.extend_from_slice(if place > 0 { b"," } else { b"" });
            push_string(out, code);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}\n");
}

/// Adds a JSON string. Nearly all strings need no escapes.
fn push_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(needs_escape) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
