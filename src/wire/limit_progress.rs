//! Conversion of customers' own limits, with their progress, to JSON.

use chrono::SecondsFormat;
use serde::Serialize;

use crate::domain::{LimitProgress, Millis};

/// A limit as people and programs read it. Amounts are decimal numbers, times are RFC 3339 with milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    limit_id: &'a str,
    user_id: &'a str,
    brand_id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    period: &'static str,
    currency_code: &'a str,
    status: &'static str,
    enforced: bool,
    value: String,
    progress: String,
    remaining: String,
    window_start: Option<String>,
    next_reset_time: Option<String>,
    active_from: Option<String>,
    active_until: Option<String>,
    reported_progress: String,
}

/// Returns the JSON object of a limit.
pub fn limit_progress_json(known: &LimitProgress) -> String {
    let limit = &known.limit;
    let shown = Shown {
        limit_id: &limit.limit_id,
        user_id: &limit.user_id,
        brand_id: limit.brand_id.as_deref(),
        kind: limit.kind.name(),
        period: limit.period.name(),
        currency_code: limit.currency.code(),
        status: limit.status.name(),
        enforced: known.is_enforced,
        value: decimal(limit.value.get()),
        progress: decimal(known.progress),
        remaining: decimal(known.remaining()),
        window_start: known.span.and_then(|span| text(span.start)),
        next_reset_time: known.span.and_then(|span| text(span.end)),
        active_from: text(limit.active_from),
        active_until: limit.active_until.and_then(text),
        reported_progress: decimal(known.reported),
    };
    // Strings and booleans can always be serialised.
    serde_json::to_string(&shown).unwrap_or_default()
}

fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Returns an instant as text; `None` where RFC 3339 cannot write it.
fn text(instant: Millis) -> Option<String> {
    Some(instant.instant()?.to_rfc3339_opts(SecondsFormat::Millis, true))
}
