//! A decision's message: every queue accepts it, and any JSON parser finds the decision's fields in it.

use chrono::{DateTime, Utc};
use loadgate::domain::{LimitUsage, StoredDecision};
use loadgate::wire::{can_be_body, decision_message};
use serde_json::{Value, json};

/// Checks the message of a decision, and returns it.
pub fn message(decision: &StoredDecision) -> String {
    let message = decision_message(decision);
    assert!(can_be_body(&message), "no queue takes {message}");
    let mut read: Value = serde_json::from_str(&message).expect("a message is JSON");
    let decided_at = read["decided_at"].take();
    let decided_at = decided_at.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    assert_eq!(decided_at, Some(decision.decided_at), "{message}");
    let usage = |usage: &LimitUsage| {
        let remaining = usage.limit.saturating_sub(usage.used);
        let mut entry = json!({ "code": usage.code, "used": usage.used, "limit": usage.limit, "remaining": remaining });
        if let Some(resets_at) = usage.resets_at {
            // The message has no fraction, or three digits.
            let is_whole = resets_at.timestamp_subsec_millis() == 0;
            let format = if is_whole { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
            entry["resets_at"] = resets_at.format(format).to_string().into();
        }
        entry
    };
    let expected = json!({
        "id": decision.key.event_id,
        "customer_id": decision.key.customer_id,
        "accepted": decision.verdict.is_accepted(),
        "reasons": decision.verdict.reasons(),
        "load_amount": decision.load_amount,
        "time": decision.time,
        "decided_at": null,
        "usage": decision.usage.iter().map(usage).collect::<Vec<_>>(),
    });
    assert_eq!(read, expected, "{message}");
    message
}
