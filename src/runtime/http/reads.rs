//! Reading, as the handlers request it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::deciding::{
    Checked, Clock, Decider, DecisionPage, InForce, LoadToCheck, LogPage, LogReader, RecordReader, Store, StoreError,
    run_page,
};
use crate::domain::{Currency, LimitOrigin, LimitProgress, Measure, Millis};
use crate::limits::{ChangePage, LimitReader, LimitStore};

/// Answer of a store.
pub type Read<'r, T> = BoxFuture<'r, Result<T, StoreError>>;

/// Everything that the handlers ask for. It keeps the types of stores out of them.
pub trait Reads: Send + Sync {
    /// Returns the limit with this id, with its progress now.
    fn limit<'r>(&'r self, limit_id: &'r str) -> Read<'r, Option<LimitProgress>>;

    /// Returns a customer's own limits, in the order of their ids, with their progress now.
    fn limits<'r>(&'r self, customer_id: &'r str) -> Read<'r, Vec<LimitProgress>>;

    /// See [`LimitReader::changes`].
    fn change_page<'r>(&'r self, limit_id: &'r str, after: Option<u64>, max: u16) -> Read<'r, Option<ChangePage>>;

    /// Returns the limits that apply to a customer's loads at an instant, with their usage.
    fn usage<'r>(&'r self, customer_id: &'r str, at: Millis) -> Read<'r, InForce>;

    /// Returns at most `max` remembered decisions of a customer: the first ones, or those behind an event id.
    fn decisions<'r>(&'r self, customer_id: &'r str, after: Option<&'r str>, max: u16) -> Read<'r, DecisionPage>;

    /// Returns at most `max` logged decisions of a run: the first ones, or those behind a sequence number. `None` where there
    /// is no decision log.
    fn run<'r>(&'r self, run_id: &'r str, after: Option<u64>, max: u16) -> Read<'r, Option<LogPage>>;

    /// Returns the decision that an attempt would get now.
    fn check<'r>(&'r self, load: &'r LoadToCheck) -> Read<'r, Checked>;

    /// Returns the measures of the limits of an origin, by their codes.
    fn measures<'r>(&'r self, origin: &'r LimitOrigin) -> Read<'r, BTreeMap<String, Measure>>;

    /// Returns the currency of all amounts.
    fn currency(&self) -> Currency;

    /// Returns the present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// Reads through a decider's store, with its limits.
#[derive(Clone, Debug)]
pub struct StoreReads<S, C>(pub Decider<S, C>);

impl<S, C> StoreReads<S, C> {
    /// Returns a reader of own limits; `None` where customers have none.
    fn own_limits(&self) -> Option<LimitReader<'_, S, C>> {
        let Decider { store, clock, currency, has_limit_table, .. } = &self.0;
        has_limit_table.then_some(LimitReader { store, clock, currency: *currency })
    }
}

impl<S: Store + LimitStore + LogReader + RecordReader, C: Clock> Reads for StoreReads<S, C> {
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
            match self.own_limits() {
                Some(reader) => reader.changes(limit_id, after, max).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn usage<'r>(&'r self, customer_id: &'r str, at: Millis) -> Read<'r, InForce> {
        self.0.usage_at(customer_id, at).boxed()
    }

    fn decisions<'r>(&'r self, customer_id: &'r str, after: Option<&'r str>, max: u16) -> Read<'r, DecisionPage> {
        self.0.remembered(customer_id, after, max).boxed()
    }

    fn run<'r>(&'r self, run_id: &'r str, after: Option<u64>, max: u16) -> Read<'r, Option<LogPage>> {
        async move {
            match self.0.log {
                Some(_) => run_page(&self.0.store, &self.0.clock, run_id, after, max).await.map(Some),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn check<'r>(&'r self, load: &'r LoadToCheck) -> Read<'r, Checked> {
        self.0.check(load).boxed()
    }

    fn measures<'r>(&'r self, origin: &'r LimitOrigin) -> Read<'r, BTreeMap<String, Measure>> {
        self.0.measures(origin).boxed()
    }

    fn currency(&self) -> Currency {
        self.0.currency
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }
}
