//! Usage of limits.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Currency, LimitOrigin, LimitUsage, Measure, PlanVersion};
use crate::wire::text::{decimal, instant};

/// The limits that apply to a customer's loads at an instant, with their usage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerUsage)]
#[serde(rename_all = "camelCase")]
pub struct CustomerUsageView {
    /// The customer.
    #[schema(example = "u-1")]
    customer_id: String,
    /// The instant.
    #[schema(example = "2026-01-05T10:00:00.000Z")]
    at: String,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "USD")]
    currency_code: String,
    /// One entry for each limit: those of the plan or of the deployment in the order of its table, then the customer's own in the order of
    /// their ids, then the shadow limits.
    usage: Vec<UsageView>,
    /// The codes of the shadow limits whose usage is not known.
    unjudged: Vec<String>,
}

/// Usage of one limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// The code that a decision has among its reasons if the limit declines.
    #[schema(example = "DAILY_AMOUNT")]
    code: String,
    /// The quantity that the limit adds up. Null only in a remembered decision whose limit is no longer in force: then the
    /// numbers are integers as they were stored, loads or hundredths of the currency.
    measure: Option<MeasureView>,
    /// The maximum.
    #[schema(value_type = QuantityView)]
    limit: QuantityView,
    /// The total of the limit's span around the load. For a window of single loads, the amount of an accepted load. For a
    /// rolling window, the largest total of any span that holds the load.
    #[schema(value_type = QuantityView)]
    used: QuantityView,
    /// The maximum without what is used, at least 0.
    #[schema(value_type = QuantityView)]
    remaining: QuantityView,
    /// The end of the span, at which the usage begins anew; null if it has none.
    #[schema(example = "2026-01-06T00:00:00.000Z")]
    resets_at: Option<String>,
    /// The limit's id; null unless it is the customer's own.
    limit_id: Option<String>,
    /// Effect of the limit.
    mode: ModeView,
    /// Where the limit comes from.
    origin: OriginView,
}

/// Effect of a limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Mode)]
#[serde(rename_all = "lowercase")]
enum ModeView {
    /// It declines.
    Live,
    /// It is judged, and never declines.
    Shadow,
}

/// Quantity that a limit adds up.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Measure)]
#[serde(rename_all = "lowercase")]
enum MeasureView {
    /// The amounts of accepted loads.
    Amount,
    /// The number of accepted loads.
    Count,
}

/// A decimal number with two decimals in a string if the measure is `amount`, an integer if it is `count`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quantity, examples("3318.47", 2))]
#[serde(untagged)]
enum QuantityView {
    /// An amount.
    Amount(String),
    /// A number of loads.
    Count(u64),
}

/// Where a limit comes from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Origin)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum OriginView {
    /// It is one of the deployment's limits.
    Deployment,
    /// It is the customer's own.
    Own,
    /// It is one of the plan version that is linked to the customer.
    #[serde(rename_all = "camelCase")]
    Plan {
        /// The plan's id.
        plan_id: String,
        /// The version of the plan.
        version: u64,
    },
    /// It is one of the default plan of the customer's programme.
    #[serde(rename_all = "camelCase")]
    Program {
        /// The programme's id.
        program_id: String,
        /// The plan's id.
        plan_id: String,
        /// The version of the plan.
        version: u64,
    },
}

impl From<&LimitOrigin> for OriginView {
    fn from(origin: &LimitOrigin) -> OriginView {
        match origin.clone() {
            LimitOrigin::Deployment => OriginView::Deployment,
            LimitOrigin::Plan(PlanVersion { plan_id, version }) => OriginView::Plan { plan_id, version },
            LimitOrigin::Program { program_id, plan: PlanVersion { plan_id, version } } => {
                OriginView::Program { program_id, plan_id, version }
            }
        }
    }
}

impl CustomerUsageView {
    /// Combines the usage of all limits that apply at an instant.
    pub fn new(
        customer_id: &str,
        at: DateTime<Utc>,
        currency: Currency,
        usage: Vec<UsageView>,
        unjudged: Vec<String>,
    ) -> CustomerUsageView {
        CustomerUsageView {
            customer_id: customer_id.to_owned(),
            at: instant(at),
            currency_code: currency.code().to_owned(),
            usage,
            unjudged,
        }
    }
}

impl UsageView {
    /// Converts the usage of a limit. Without its measure, it has the numbers as they were stored. `origin` is that of the
    /// limits that are not the customer's own.
    pub fn new(usage: &LimitUsage, measure: Option<Measure>, origin: &LimitOrigin) -> UsageView {
        let quantity = |number: u64| match measure {
            Some(Measure::Amount) => QuantityView::Amount(decimal(number)),
            Some(Measure::Count) | None => QuantityView::Count(number),
        };
        UsageView {
            code: usage.code.clone(),
            measure: measure.map(|measure| match measure {
                Measure::Amount => MeasureView::Amount,
                Measure::Count => MeasureView::Count,
            }),
            limit: quantity(usage.limit),
            used: quantity(usage.used),
            remaining: quantity(usage.remaining()),
            resets_at: usage.resets_at.map(instant),
            limit_id: usage.limit_id.clone(),
            mode: if usage.is_shadow { ModeView::Shadow } else { ModeView::Live },
            origin: if usage.limit_id.is_some() { OriginView::Own } else { origin.into() },
        }
    }
}
