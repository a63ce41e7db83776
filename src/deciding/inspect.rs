//! Inspection of a customer: the usage of the limits in force, and the decision that an attempt would get. Nothing is
//! written. The reads and the planning are those of [`Decider::decide_group`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::plans::Rules;
use super::round::Failure;
use super::usage::Usage;
use super::{
    Cause, Clock, Consistency, Decider, Delivery, FencedUsage, Lookup, MessageSource, Outcome, Planner, Sink, Snapshot,
    Stopped, Store, StoreError, UsageKey, read_settled,
};
use crate::domain::{
    AttemptText, Cents, Currency, Limit, LimitOrigin, LimitUsage, Limits, LoadAttempt, LoadError, Measure, Millis,
    StoredDecision,
};

/// Event id of an attempt that is only checked. No record is read under it, and none is written.
const NO_EVENT: &str = "check";

/// A limit in force, with its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitInForce {
    /// The usage.
    pub usage: LimitUsage,
    /// The quantity that the limit adds up.
    pub measure: Measure,
    /// Origin of the limits that are not the customer's own.
    pub origin: LimitOrigin,
}

/// The limits in force at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The limits with their usage, in the order in which a decision names them, and then the shadow limits.
    pub limits: Vec<LimitInForce>,
    /// The codes of the shadow limits whose usage is not known.
    pub unjudged: Vec<String>,
}

/// A load attempt that is only checked.
#[derive(Clone, Debug)]
pub struct LoadToCheck(Delivery);

/// The decision that an attempt would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The decision. Its event id has no meaning.
    pub decision: StoredDecision,
    /// The limits that apply to the attempt, with their usage after the decision.
    pub limits: Vec<LimitInForce>,
}

/// What was read about a customer.
struct Customer<'d> {
    snapshot: Snapshot,
    rules: Rules<'d>,
    usage: Option<FencedUsage>,
}

/// Sink of no outcomes.
struct NoSink;

impl Sink for NoSink {
    async fn take(&mut self, _settled: Vec<(Delivery, Outcome)>) -> Result<(), Stopped> {
        Err(Stopped)
    }
}

impl LoadToCheck {
    /// Creates an attempt of a customer from the texts of its amount and its time.
    ///
    /// # Errors
    /// See [`LoadAttempt::check_in`].
    pub fn new(customer_id: &str, load_amount: &str, time: &str, currency: Currency) -> Result<LoadToCheck, LoadError> {
        let written = AttemptText {
            id: NO_EVENT.into(),
            customer_id: customer_id.into(),
            load_amount: load_amount.into(),
            time: time.into(),
        };
        let attempt = LoadAttempt::check_in(written.clone(), currency)?;
        Ok(LoadToCheck(Delivery::new(0, MessageSource::default(), &written, attempt, currency)))
    }

    /// Returns the amount.
    pub const fn amount(&self) -> Cents {
        self.0.attempt.amount
    }

    /// Returns the time.
    pub const fn time(&self) -> DateTime<Utc> {
        self.0.attempt.time
    }
}

impl LimitInForce {
    /// Combines the usage of limits with their measures and their origin.
    fn all(usage: Vec<LimitUsage>, limits: &Limits, origin: &LimitOrigin) -> Vec<LimitInForce> {
        let measures = measures(limits);
        let limit = |usage: LimitUsage| {
            // A customer's own limits limit amounts.
            let measure = measures.get(&usage.code).copied().filter(|_| usage.limit_id.is_none());
            LimitInForce { usage, measure: measure.unwrap_or(Measure::Amount), origin: origin.clone() }
        };
        usage.into_iter().map(limit).collect()
    }
}

impl<S: Store, C: Clock> Decider<S, C> {
    /// Returns the limits that apply to a customer's loads at an instant, in the order in which a decision names them, with
    /// their usage.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn usage_at(&self, customer_id: &str, at: Millis) -> Result<InForce, StoreError> {
        let Customer { snapshot, rules, usage } = self.inspect(customer_id, at).await?;
        let limits = rules.in_force();
        let mut usage = Usage::new(&snapshot, usage);
        usage.need(&usage_key(customer_id, at))?;
        let mut used = LimitUsage::at(at, limits, |limit| usage.history().used(limit, at));
        let known = |limit: &Limit| usage.known(limit, at);
        used.extend(LimitUsage::of_shadow(at, limits.base, known));
        let unjudged = limits.base.shadow().filter(|limit| known(limit).is_none()).map(|limit| limit.code.clone());
        Ok(InForce { unjudged: unjudged.collect(), limits: LimitInForce::all(used, limits.base, &rules.origin) })
    }

    /// Returns the decision that an attempt would get now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn check(&self, LoadToCheck(delivery): &LoadToCheck) -> Result<Checked, StoreError> {
        let at = Millis::of(delivery.attempt.time);
        let Customer { snapshot, rules, usage } = self.inspect(delivery.customer_id(), at).await?;
        let limits = rules.in_force();
        let planner = Planner::new(&snapshot, false, self.correlation_ttl, self.clock.now());
        let plan = planner.decide(std::slice::from_ref(delivery), limits, &rules.origin, usage)?;
        let decided = plan.outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Decided(record) => Some(record.decision),
            Outcome::Redelivered { .. } | Outcome::Ignored { .. } => None,
        });
        // Without records, every delivery is decided.
        let decision = decided.ok_or_else(|| StoreError::Misconfigured(Cause::new("an attempt was not decided")))?;
        Ok(Checked { limits: LimitInForce::all(decision.usage.clone(), limits.base, &rules.origin), decision })
    }

    /// Returns the measures of the limits of an origin, by their codes.
    ///
    /// # Errors
    /// [`StoreError`] when the plan cannot be read, or cannot be understood.
    pub async fn measures(&self, origin: &LimitOrigin) -> Result<BTreeMap<String, Measure>, StoreError> {
        match origin.plan() {
            None => Ok(measures(&self.limits)),
            Some(plan) => Ok(measures(&*self.plan(plan, &NoSink).await.map_err(failed)?)),
        }
    }

    /// Reads what a decision about a load at an instant is made from, but no records.
    async fn inspect(&self, customer_id: &str, at: Millis) -> Result<Customer<'_>, StoreError> {
        read_settled(&self.clock, || self.try_inspect(customer_id, at)).await
    }

    async fn try_inspect(&self, customer_id: &str, at: Millis) -> Result<Customer<'_>, StoreError> {
        let mut lookup = Lookup::default();
        self.add_customer(&mut lookup, usage_key(customer_id, at));
        let snapshot = self.store.read(&lookup, Consistency::Strong).await?;
        let rules = self.rules(customer_id, &snapshot, &NoSink).await.map_err(failed)?;
        let read = self.read_usage(customer_id, &[at], rules.in_force(), &snapshot, &NoSink).await;
        let (_, usage) = read.map_err(failed)?;
        Ok(Customer { snapshot, rules, usage })
    }
}

/// Returns the measures of limits, shadow limits included, by their codes.
fn measures(limits: &Limits) -> BTreeMap<String, Measure> {
    limits.iter().chain(limits.shadow()).map(|limit| (limit.code.clone(), limit.measure)).collect()
}

fn failed(failure: Failure) -> StoreError {
    match failure {
        Failure::Store(error) => error,
        Failure::Ended(_) => StoreError::Unavailable(Cause::new("the time for the read has passed")),
    }
}

fn usage_key(customer_id: &str, at: Millis) -> UsageKey {
    UsageKey { customer_id: customer_id.to_owned(), week: at.day().week() }
}
