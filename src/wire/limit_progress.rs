//! Conversion of customers' own limits, with their progress, to JSON.

use serde::Serialize;

use super::text::{decimal, instant};
use crate::domain::{LimitProgress, Millis, PendingChange};

/// A limit of a customer's own, with its progress at the present moment.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Limit))]
#[serde(rename_all = "camelCase")]
pub struct LimitView {
    /// The limit's id.
    #[cfg_attr(feature = "http", schema(example = "l-1"))]
    limit_id: String,
    /// The customer.
    #[cfg_attr(feature = "http", schema(example = "u-1"))]
    user_id: String,
    /// The brand, as the limit's events name it. It has no effect.
    brand_id: Option<String>,
    /// `DEPOSIT`, `BALANCE`, `BET`, `LOSS` or `SESSION`. Only deposits are enforced.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "http", schema(example = "DEPOSIT"))]
    kind: &'static str,
    /// The period, which determines the window: `CALENDAR_DAY`, `CALENDAR_WEEK`, `CALENDAR_MONTH`, `DAY`, `WEEK`, `MONTH`,
    /// `INDEFINITE` or `INSTANCE`.
    #[cfg_attr(feature = "http", schema(example = "DAY"))]
    period: &'static str,
    /// ISO 4217 code of the currency of all amounts.
    #[cfg_attr(feature = "http", schema(example = "USD"))]
    currency_code: String,
    /// `ACTIVE`, `FUTURE`, `IN_COOLDOWN` or `CANCELED`.
    #[cfg_attr(feature = "http", schema(example = "ACTIVE"))]
    status: &'static str,
    /// True if the limit is enforced now: of type `DEPOSIT`, in the deployment's currency, not canceled, and active.
    enforced: bool,
    /// The maximum.
    #[cfg_attr(feature = "http", schema(example = "10000.00"))]
    value: String,
    /// The loads accepted in the window that holds the present moment; the reported progress if the limit is not enforced.
    #[cfg_attr(feature = "http", schema(example = "200.00"))]
    progress: String,
    /// The value without the progress, at least 0.
    #[cfg_attr(feature = "http", schema(example = "9800.00"))]
    remaining: String,
    /// The beginning of the window that holds the present moment; null if the limit has none.
    #[cfg_attr(feature = "http", schema(example = "2022-03-22T10:48:10.592Z"))]
    window_start: Option<String>,
    /// The end of that window; null if it has none.
    #[cfg_attr(feature = "http", schema(example = "2022-03-23T10:48:10.592Z"))]
    next_reset_time: Option<String>,
    /// The first instant at which the limit applies.
    #[cfg_attr(feature = "http", schema(example = "2022-03-22T10:48:10.592Z"))]
    active_from: Option<String>,
    /// The first instant at which it no longer applies; null if there is none.
    active_until: Option<String>,
    /// The progress that the limit's events report.
    #[cfg_attr(feature = "http", schema(example = "200.00"))]
    reported_progress: String,
    /// The change that waits; null if none does.
    pending: Option<PendingView>,
    /// It grows with each change of the limit, also when a pending one comes into force; not with reported progress. The header `ETag` has it too.
    #[cfg_attr(feature = "http", schema(example = 7))]
    version: u64,
}

/// A change that waits.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Pending))]
#[serde(rename_all = "camelCase")]
pub struct PendingView {
    /// The new maximum; null for the removal of the limit.
    #[cfg_attr(feature = "http", schema(example = "200.00"))]
    value: Option<String>,
    /// The instant of the request.
    #[cfg_attr(feature = "http", schema(example = "2022-03-22T10:48:10.592Z"))]
    requested_at: Option<String>,
    /// The end of the wait. The change applies to loads from then on.
    #[cfg_attr(feature = "http", schema(example = "2022-03-23T10:48:10.592Z"))]
    applies_at: Option<String>,
    /// True if the change comes into force only once it is confirmed.
    needs_confirmation: bool,
}

impl PendingView {
    /// Converts a pending change.
    pub fn new(pending: PendingChange) -> PendingView {
        PendingView {
            value: pending.value.map(|value| decimal(value.get())),
            requested_at: pending.requested_at.instant().map(instant),
            applies_at: pending.applies_at.instant().map(instant),
            needs_confirmation: pending.needs_confirmation,
        }
    }
}

impl LimitView {
    /// Converts a limit.
    pub fn new(known: &LimitProgress) -> LimitView {
        let limit = &known.limit;
        let text = |at: Millis| at.instant().map(instant);
        LimitView {
            limit_id: limit.limit_id.clone(),
            user_id: limit.user_id.clone(),
            brand_id: limit.brand_id.clone(),
            kind: limit.kind.name(),
            period: limit.period.name(),
            currency_code: limit.currency.code().to_owned(),
            status: limit.status.name(),
            enforced: known.is_enforced,
            value: decimal(known.value.get()),
            progress: decimal(known.progress),
            remaining: decimal(known.remaining()),
            window_start: known.span.and_then(|span| text(span.start)),
            next_reset_time: known.span.and_then(|span| text(span.end)),
            active_from: text(limit.active_from),
            active_until: limit.active_until.and_then(text),
            reported_progress: decimal(known.reported),
            pending: limit.pending.map(PendingView::new),
            version: known.version,
        }
    }
}

/// Returns the JSON object of a limit.
pub fn limit_progress_json(known: &LimitProgress) -> String {
    // Strings, numbers and booleans can always be serialised.
    serde_json::to_string(&LimitView::new(known)).unwrap_or_default()
}
