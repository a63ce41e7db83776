//! What the handlers ask for, whatever the store: reading.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::deciding::{
    Checked, Clock, Decider, DecisionPage, LimitInForce, LoadToCheck, RecordReader, Store, StoreError,
};
use crate::domain::{CoolingOff, Currency, LimitProgress, Measure, Millis};
use crate::limits::{ChangePage, LimitReader, LimitStore};

/// Answer of a store.
pub type Read<'r, T> = BoxFuture<'r, Result<T, StoreError>>;

/// Everything that the handlers ask for. It keeps the types of stores out of them.
pub trait Reads: Send + Sync {
    /// Returns the limit with this id, with its progress now.
    fn limit<'r>(&'r self, limit_id: &'r str) -> Read<'r, Option<LimitProgress>>;

    /// Returns a customer's own limits, in the order of their ids, with their progress now.
    fn limits<'r>(&'r self, customer_id: &'r str) -> Read<'r, Vec<LimitProgress>>;

    /// Returns at most `max` changes of a limit: the first ones, or those behind a version. `None` for a limit that nobody has
    /// named.
    fn change_page<'r>(&'r self, limit_id: &'r str, after: Option<u64>, max: u16) -> Read<'r, Option<ChangePage>>;

    /// Returns the limits that apply to a customer's loads at an instant, with their usage.
    fn usage<'r>(&'r self, customer_id: &'r str, at: Millis) -> Read<'r, Vec<LimitInForce>>;

    /// Returns at most `max` remembered decisions of a customer: the first ones, or those behind an event id.
    fn decisions<'r>(&'r self, customer_id: &'r str, after: Option<&'r str>, max: u16) -> Read<'r, DecisionPage>;

    /// Returns the decision that an attempt would get now.
    fn check<'r>(&'r self, load: &'r LoadToCheck) -> Read<'r, Checked>;

    /// Returns the measure of the deployment's limit with this code.
    fn measure(&self, code: &str) -> Option<Measure>;

    /// Returns the currency of all amounts.
    fn currency(&self) -> Currency;

    /// Returns the present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// Reads and changes through a decider's store, with its limits.
#[derive(Clone, Debug)]
pub struct StoreService<S, C> {
    /// The decider.
    pub decider: Decider<S, C>,
    /// The rule for changes of own limits.
    pub cooling_off: CoolingOff,
}

impl<S, C> StoreService<S, C> {
    /// Returns a reader of own limits; `None` where customers have none.
    fn own_limits(&self) -> Option<LimitReader<'_, S, C>> {
        let Decider { store, clock, currency, has_own_limits, .. } = &self.decider;
        has_own_limits.then_some(LimitReader { store, clock, currency: *currency })
    }
}

impl<S: Store + LimitStore + RecordReader, C: Clock> Reads for StoreService<S, C> {
    fn limit<'r>(&'r self, limit_id: &'r str) -> Read<'r, Option<LimitProgress>> {
        async move {
            match self.own_limits() {
                Some(reader) => reader.get(limit_id).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn limits<'r>(&'r self, customer_id: &'r str) -> Read<'r, Vec<LimitProgress>> {
        async move {
            match self.own_limits() {
                Some(reader) => reader.of(customer_id).await,
                None => Ok(vec![]),
            }
        }
        .boxed()
    }

    fn change_page<'r>(&'r self, limit_id: &'r str, after: Option<u64>, max: u16) -> Read<'r, Option<ChangePage>> {
        async move {
            if !self.decider.has_own_limits || self.decider.store.read_pointer(limit_id).await?.is_none() {
                return Ok(None);
            }
            self.decider.store.read_changes(limit_id, after, max).await.map(Some)
        }
        .boxed()
    }

    fn usage<'r>(&'r self, customer_id: &'r str, at: Millis) -> Read<'r, Vec<LimitInForce>> {
        self.decider.usage_at(customer_id, at).boxed()
    }

    fn decisions<'r>(&'r self, customer_id: &'r str, after: Option<&'r str>, max: u16) -> Read<'r, DecisionPage> {
        self.decider.remembered(customer_id, after, max).boxed()
    }

    fn check<'r>(&'r self, load: &'r LoadToCheck) -> Read<'r, Checked> {
        self.decider.check(load).boxed()
    }

    fn measure(&self, code: &str) -> Option<Measure> {
        self.decider.limits.iter().find(|limit| limit.code == code).map(|limit| limit.measure)
    }

    fn currency(&self) -> Currency {
        self.decider.currency
    }

    fn now(&self) -> DateTime<Utc> {
        self.decider.clock.now()
    }
}
