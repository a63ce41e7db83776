//! The usage of one customer while some of its deliveries are planned.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::deciding::{
    Fence, FenceWrite, FencedUsage, Snapshot, StoreError, UsageChange, UsageCheck, UsageKey, UsageRow, touched_weeks,
};
use crate::domain::{Cents, History, Limit, Millis, Week};

/// A customer's usage, with the loads that are accepted here.
pub struct Usage<'s> {
    snapshot: &'s Snapshot,
    /// The fence that was read, or is to be created; `None` for a customer without one and without a long limit.
    fence: Option<Fence>,
    /// True when totals have been counted, because the fence does not keep them.
    is_counted: bool,
    /// The rows of the weeks that are known, as they were read.
    rows: BTreeMap<Week, UsageRow>,
    /// All weeks that were read together with the fence.
    weeks: BTreeSet<Week>,
    /// The loads of these weeks, with those that are accepted here.
    history: History,
    /// The weeks of the loads that are accepted here.
    changed: BTreeSet<Week>,
}

impl<'s> Usage<'s> {
    /// Begins with what was read.
    pub fn new(snapshot: &'s Snapshot, fenced: Option<FencedUsage>) -> Usage<'s> {
        let changed = BTreeSet::new();
        match fenced {
            None => {
                let (rows, weeks, history) = (BTreeMap::new(), BTreeSet::new(), History::default());
                Usage { snapshot, fence: None, is_counted: false, rows, weeks, history, changed }
            }
            Some(fenced) => {
                let history = fenced.history();
                let FencedUsage { fence, rows, weeks, is_counted, .. } = fenced;
                Usage { snapshot, fence: Some(fence), is_counted, rows, weeks, history, changed }
            }
        }
    }

    /// Takes the row of a week from the snapshot. With a fence, all rows are known.
    ///
    /// # Errors
    /// The error with which the row was not read.
    pub fn need(&mut self, key: &UsageKey) -> Result<(), StoreError> {
        if self.fence.is_some() || self.rows.contains_key(&key.week) {
            return Ok(());
        }
        let row = self.snapshot.usage.get(key).cloned().transpose()?.unwrap_or_default();
        self.history.weeks.insert(key.week, row.history(key.week));
        self.rows.insert(key.week, row);
        Ok(())
    }

    /// Returns the loads.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Returns the total of a shadow limit's window around an instant: cents or loads. `None` if what was read for the limits
    /// in force does not show it.
    pub fn known(&self, limit: &Limit, at: Millis) -> Option<u64> {
        let is_known = match (limit.window.is_long(), limit.window.since()) {
            (false, _) => true,
            (true, Some(since)) => self.history.totals.contains_key(&since),
            (true, None) => self.fence.is_some() && touched_weeks(std::iter::once(limit), at).is_subset(&self.weeks),
        };
        is_known.then(|| self.history.used(limit, at))
    }

    /// Adds an accepted load. The loads themselves are kept for customers with a fence.
    pub fn add(&mut self, at: Millis, amount: Cents) {
        self.history.add(at, amount, self.fence.is_some());
        self.changed.insert(at.day().week());
    }

    /// Returns the maximum number of actions that the changes take.
    pub fn actions(&self) -> usize {
        if self.fence.is_some() { self.changed.len().saturating_add(1) } else { self.rows.len() }
    }

    /// Returns the changes of rows, the rows that must not have changed, and what is required of the fence.
    pub fn changes(
        self,
        has_stored: bool,
        now: DateTime<Utc>,
    ) -> (Vec<UsageChange>, Vec<UsageCheck>, Option<FenceWrite>) {
        let changes: Vec<UsageChange> = self.changed.iter().map(|week| self.change(*week)).collect();
        match self.fence {
            Some(fence) if !changes.is_empty() => {
                let rows = u64::try_from(changes.len()).unwrap_or(u64::MAX);
                let fence = fence.after(rows, self.history.totals, now);
                (changes, vec![], Some(FenceWrite::Change(fence)))
            }
            // Declines rely on one transactional read, and usage only grows. Rows that are read one by one for totals may
            // be of different moments, unless the fence stands.
            Some(fence) => (vec![], vec![], self.is_counted.then_some(FenceWrite::Check(fence.version))),
            None => {
                // A read of records and rows together may see half of a transaction: a record without its load in the
                // row. So a row is checked if such a record was found. Otherwise the row is consistent by itself, and a
                // decline that relies on it needs no check, because usage only grows.
                let relied_on = self.rows.iter().filter(|(week, _)| has_stored && !self.changed.contains(week));
                let checks = relied_on.map(|(week, row)| UsageCheck { week: *week, version: row.version }).collect();
                (changes, checks, None)
            }
        }
    }

    fn change(&self, week: Week) -> UsageChange {
        let (fenced_changes, version) =
            self.rows.get(&week).map_or((0, 0), |before| (before.fenced_changes, before.version));
        let history = self.history.weeks.get(&week).cloned().unwrap_or_default();
        let after = UsageRow {
            usage: *history.usage(),
            loads: history.loads().clone(),
            fenced_changes: fenced_changes.saturating_add(u64::from(self.fence.is_some())),
            version: version.saturating_add(1),
        };
        UsageChange { week, after }
    }
}
