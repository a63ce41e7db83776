//! Decisions that are still remembered.

use serde::Serialize;
use utoipa::ToSchema;

use super::UsageView;
use crate::domain::{Cents, Currency, LimitUsage, Measure, StoredDecision, parse_time};
use crate::wire::text::{decimal, instant};

/// Some of a customer's decisions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecisionList)]
#[serde(rename_all = "camelCase")]
pub struct DecisionListView {
    /// The customer.
    #[schema(example = "u-1")]
    customer_id: String,
    /// The decisions, in the order of their event ids.
    decisions: Vec<DecisionView>,
    /// The parameter `cursor` of the next page; null if there is none.
    next_cursor: Option<String>,
}

/// A decision, as it was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// The event's id.
    #[schema(example = "15888")]
    event_id: String,
    /// True if the load was accepted.
    accepted: bool,
    /// The codes of the limits that it would have broken, each once: none if it was accepted.
    #[schema(example = json!(["DAILY_AMOUNT"]))]
    reasons: Vec<String>,
    /// The amount.
    #[schema(example = "3318.47")]
    load_amount: String,
    /// The time of the load.
    #[schema(example = "2026-01-05T10:00:00.000Z")]
    time: String,
    /// The instant of the decision.
    #[schema(example = "2026-01-05T10:00:00.123Z")]
    decided_at: String,
    /// The usage of every limit that applied, as it stood after the decision.
    usage: Vec<UsageView>,
    /// The codes of the shadow limits that it would have broken.
    shadow: Vec<String>,
    /// The codes of the shadow limits that were not judged.
    unjudged: Vec<String>,
}

impl DecisionListView {
    /// Combines some of a customer's decisions with the cursor of the next page.
    pub fn new(customer_id: &str, decisions: Vec<DecisionView>, next_cursor: Option<String>) -> DecisionListView {
        DecisionListView { customer_id: customer_id.to_owned(), decisions, next_cursor }
    }
}

impl DecisionView {
    /// Converts a decision. `measure` returns the measure of a limit that is not the customer's own by its code. `None` if the amount or
    /// the time of the decision cannot be understood.
    pub fn new(decision: &StoredDecision, measure: impl Fn(&str) -> Option<Measure>) -> Option<DecisionView> {
        // A customer's own limits limit amounts.
        let of = |usage: &LimitUsage| match usage.limit_id {
            Some(_) => Some(Measure::Amount),
            None => measure(&usage.code),
        };
        Some(DecisionView {
            event_id: decision.key.event_id.clone(),
            accepted: decision.verdict.is_accepted(),
            reasons: decision.verdict.reasons().to_vec(),
            load_amount: decimal(amount(&decision.load_amount)?.get()),
            time: instant(parse_time(&decision.time).ok()?),
            decided_at: instant(decision.decided_at),
            usage: decision.usage.iter().map(|usage| UsageView::new(usage, of(usage), &decision.origin)).collect(),
            shadow: decision.shadow.broken.clone(),
            unjudged: decision.shadow.unjudged.clone(),
        })
    }
}

/// Reads the amount of a decision, which may have been made in another currency than the deployment's present one.
fn amount(written: &str) -> Option<Cents> {
    let currency = written.get(..3).and_then(Currency::parse).unwrap_or(Currency::USD);
    Cents::parse_in(written, currency).ok()
}
