//! Changes of own limits, and the requests for them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChangeRecord, Millis, OwnLimit};
use crate::wire::PendingView;
use crate::wire::text::{decimal, instant};

/// A limit to create.
#[derive(Debug, ToSchema)]
#[schema(as = NewLimit, rename_all = "camelCase")]
#[allow(dead_code)]
pub struct NewLimitRequest {
    /// The customer.
    #[schema(example = "u-1")]
    user_id: String,
    /// `CALENDAR_DAY`, `CALENDAR_WEEK`, `CALENDAR_MONTH`, `DAY`, `WEEK`, `MONTH`, `INDEFINITE` or `INSTANCE`.
    #[schema(example = "DAY")]
    period: String,
    /// The maximum: 1 to 14 digits, and at most two after a point.
    #[schema(example = "200")]
    value: String,
    /// ISO 4217 code of the deployment's currency.
    #[schema(example = "USD")]
    currency_code: String,
}

/// A new value of a limit.
#[derive(Debug, ToSchema)]
#[schema(as = NewValue)]
#[allow(dead_code)]
pub struct NewValueRequest {
    /// The maximum: 1 to 14 digits, and at most two after a point.
    #[schema(example = "200")]
    value: String,
}

/// Changes of a limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangeList)]
#[serde(rename_all = "camelCase")]
pub struct ChangeListView {
    /// The limit.
    #[schema(example = "l-1")]
    limit_id: String,
    /// The changes, in the order of their versions.
    changes: Vec<ChangeView>,
    /// The `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
}

/// One change of a limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
#[serde(rename_all = "camelCase")]
pub struct ChangeView {
    /// The version of the limit that the change has made.
    #[schema(example = 8)]
    version: u64,
    /// `CREATED`, `LOWERED`, `INCREASE_REQUESTED`, `REMOVAL_REQUESTED`, `WITHDRAWN` or `CONFIRMED` at somebody's request;
    /// `DEFINED` by a limit event.
    #[schema(example = "LOWERED")]
    kind: &'static str,
    /// The instant of the change. For a limit event, that of the event.
    #[schema(example = "2026-01-05T10:00:00.123Z")]
    changed_at: Option<String>,
    /// Who made the change.
    #[schema(example = "arn:aws:iam::123456789012:user/alice")]
    changed_by: String,
    /// The limit before the change; null if it did not exist.
    from: Option<LimitStateView>,
    /// The limit after the change.
    to: LimitStateView,
}

/// A limit's definition at some moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LimitState)]
#[serde(rename_all = "camelCase")]
struct LimitStateView {
    /// The type.
    #[serde(rename = "type")]
    #[schema(example = "DEPOSIT")]
    kind: &'static str,
    /// The period.
    #[schema(example = "DAY")]
    period: &'static str,
    /// ISO 4217 code of the currency.
    #[schema(example = "USD")]
    currency_code: String,
    /// `ACTIVE`, `FUTURE`, `IN_COOLDOWN` or `CANCELED`.
    #[schema(example = "ACTIVE")]
    status: &'static str,
    /// The maximum.
    #[schema(example = "200.00")]
    value: String,
    /// The first instant at which the limit applies.
    #[schema(example = "2026-01-05T10:00:00.000Z")]
    active_from: Option<String>,
    /// The first instant at which it no longer applies; null if there is none.
    active_until: Option<String>,
    /// The change that waits; null if none does.
    pending: Option<PendingView>,
}

impl ChangeListView {
    /// Combines changes of a limit.
    pub fn new(limit_id: &str, changes: &[ChangeRecord], next_cursor: Option<String>) -> ChangeListView {
        ChangeListView {
            limit_id: limit_id.to_owned(),
            changes: changes.iter().map(ChangeView::new).collect(),
            next_cursor,
        }
    }
}

impl ChangeView {
    /// Converts a change.
    pub fn new(change: &ChangeRecord) -> ChangeView {
        ChangeView {
            version: change.version,
            kind: change.kind.name(),
            changed_at: change.changed_at.instant().map(instant),
            changed_by: change.changed_by.clone(),
            from: change.before.as_ref().map(LimitStateView::new),
            to: LimitStateView::new(&change.after),
        }
    }
}

impl LimitStateView {
    fn new(limit: &OwnLimit) -> LimitStateView {
        let text = |at: Millis| at.instant().map(instant);
        LimitStateView {
            kind: limit.kind.name(),
            period: limit.period.name(),
            currency_code: limit.currency.code().to_owned(),
            status: limit.status.name(),
            value: decimal(limit.latest_value().get()),
            active_from: text(limit.active_from),
            active_until: limit.active_until.and_then(text),
            pending: limit.pending.map(PendingView::new),
        }
    }
}
