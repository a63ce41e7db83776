//! The definitions and the reported progress that limit events leave, in memory.

use std::collections::BTreeMap;

use super::{Applied, CustomerLimits, Judgement, LimitPointer, judge};
use crate::domain::{LimitEvent, LimitEventError, Millis, OwnLimit};

/// All customers' own limits. Closed limits stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitBook {
    /// Each customer's limits.
    customers: BTreeMap<String, CustomerLimits>,
    /// The pointer of each limit, by the limit's id.
    pointers: BTreeMap<String, LimitPointer>,
}

/// One limit, as its events have left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitEntry<'b> {
    /// The definition. `None` while only progress has been reported.
    pub definition: Option<&'b OwnLimit>,
    /// The highest sequence number of a definition.
    pub definition_mark: Option<u64>,
    /// The reported progress, in hundredths of the currency.
    pub reported: u64,
    /// The highest sequence number of a report.
    pub progress_mark: Option<u64>,
}

impl LimitBook {
    /// Applies an event.
    ///
    /// # Errors
    /// [`LimitEventError::OtherCustomer`] and [`LimitEventError::TooManyLimits`]. Nothing has changed then.
    pub fn apply(&mut self, event: &LimitEvent) -> Result<Applied, LimitEventError> {
        let Some(change) = &event.change else { return Ok(Applied::Ignored) };
        let (limit_id, user_id) = (change.limit_id(), change.user_id());
        let none = CustomerLimits::default();
        let customer = self.customers.get(user_id).unwrap_or(&none);
        let change = match judge(event, self.pointers.get(limit_id), customer)? {
            Judgement::Change(change) => change,
            Judgement::Outdated => return Ok(Applied::Outdated),
            Judgement::Ignored => return Ok(Applied::Ignored),
        };
        if let Some(definition) = change.definition {
            // At the first instant, no limit has been closed for long: all stay.
            let customer = self.customers.entry(user_id.to_owned()).or_default();
            customer.define(definition, Millis::FIRST);
            // Versions are for changes of what is stored. Here they would depend on the order of the events.
            customer.version = 0;
        }
        self.pointers.insert(limit_id.to_owned(), change.pointer);
        Ok(Applied::Changed)
    }

    /// Returns the limit with this id.
    pub fn get(&self, limit_id: &str) -> Option<LimitEntry<'_>> {
        let pointer = self.pointers.get(limit_id)?;
        let LimitPointer { definition_mark, progress_mark, reported, .. } = *pointer;
        let definition = self.customers.get(&pointer.user_id).and_then(|customer| customer.get(limit_id));
        Some(LimitEntry { definition, definition_mark, reported, progress_mark })
    }

    /// Returns all defined limits, by customer and then by id.
    pub fn definitions(&self) -> impl Iterator<Item = &OwnLimit> {
        self.customers.values().flat_map(CustomerLimits::definitions)
    }
}
