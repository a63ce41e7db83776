//! The check of a load attempt.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::UsageView;
use crate::domain::{Cents, Currency, StoredDecision};
use crate::wire::text::{decimal, instant};

pub use crate::wire::attempt::read_check;

/// A load attempt without ids. Other fields are ignored, so that a whole attempt may be sent.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(as = LoadToCheck)]
pub struct CheckRequest<'a> {
    /// The amount, written as in a load attempt.
    #[schema(example = "$3318.47", value_type = String)]
    pub load_amount: Cow<'a, str>,
    /// The time, RFC 3339 with any offset; the present if it is missing.
    #[schema(example = "2026-01-05T10:00:00Z", value_type = Option<String>, required = false)]
    pub time: Option<Cow<'a, str>>,
}

/// The decision that a load attempt would get now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    /// The customer.
    #[schema(example = "u-1")]
    customer_id: String,
    /// True if the load would be accepted.
    accepted: bool,
    /// The codes of the limits that it would break, each once: none if it would be accepted.
    #[schema(example = json!(["DAILY_AMOUNT"]))]
    reasons: Vec<String>,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "USD")]
    currency_code: String,
    /// The amount.
    #[schema(example = "3318.47")]
    load_amount: String,
    /// The time of the load.
    #[schema(example = "2026-01-05T10:00:00.000Z")]
    time: String,
    /// The instant of the check.
    #[schema(example = "2026-01-05T10:00:00.123Z")]
    checked_at: String,
    /// The usage of every limit that applies, as it would stand after the decision.
    usage: Vec<UsageView>,
    /// The codes of the shadow limits that it would break.
    shadow: Vec<String>,
    /// The codes of the shadow limits that were not judged.
    unjudged: Vec<String>,
}

impl CheckView {
    /// Combines a decision, the amount and the instant that it is about, and the usage after it.
    pub fn new(
        decision: &StoredDecision,
        amount: Cents,
        time: DateTime<Utc>,
        currency: Currency,
        usage: Vec<UsageView>,
    ) -> CheckView {
        CheckView {
            customer_id: decision.key.customer_id.clone(),
            accepted: decision.verdict.is_accepted(),
            reasons: decision.verdict.reasons().to_vec(),
            currency_code: currency.code().to_owned(),
            load_amount: decimal(amount.get()),
            time: instant(time),
            checked_at: instant(decision.decided_at),
            usage,
            shadow: decision.shadow.broken.clone(),
            unjudged: decision.shadow.unjudged.clone(),
        }
    }
}
