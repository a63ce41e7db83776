//! The fence: one more row of each customer with a long limit. It makes writers of different weeks meet.
//!
//! A condition covers one item, and the span of a long window touches several rows. So every commit that changes usage of
//! such a customer also increments the fence's version, on the condition that it is the one that was read together with
//! the rows, in one transaction. Whoever else writes for this customer loses the race, and decides again.
//!
//! The fence also keeps totals for windows without an end. They are counted once, from all rows, and every later commit
//! adds to them. [`UsageRow::fenced_changes`] proves that such a count has seen every commit: the rows are read one by
//! one, and a transaction's items are applied one by one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::deciding::{Cause, Commit, Snapshot, StoreError, Units, UsageRow};
use crate::domain::{History, Limit, LoadTotal, Millis, Span, Week, WeekHistory};

/// Age of a fence from which it keeps totals. A writer that has decided before the customer's first long limit was stored
/// does not know the fence. Its commit ends long before, because of [`SNAPSHOT_AGE_MAX`].
pub const FENCE_SETTLES_IN: TimeDelta = TimeDelta::hours(1);

/// Age of a read after which nothing is committed that was decided from it without the fence. A replay reads ahead, and may
/// be suspended, or wait for the reader of its output.
pub const SNAPSHOT_AGE_MAX: TimeDelta = TimeDelta::minutes(15);

/// Maximum number of weeks that are read together with the fence (the DynamoDB API reference, `TransactGetItems`: 100
/// items).
pub const FENCED_WEEKS_MAX: usize = 99;

/// A customer's fence. Only the erasure of its customer deletes it, when no commit is under way that has read it: its version
/// must not start again under one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// 0 for a fence that does not exist yet. Each change adds 1.
    pub version: u64,
    /// The instant at which it was created, in whole seconds; the epoch for a fence that does not exist yet.
    pub created_at: DateTime<Utc>,
    /// Number of changes of the customer's rows by commits that changed the fence.
    pub row_changes: u64,
    /// Totals of all loads from an instant on, for windows without an end.
    pub totals: BTreeMap<Millis, LoadTotal>,
}

/// What a commit requires of the fence, or does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceWrite {
    /// The version must be this one; 0 for a fence that does not exist.
    Check(u64),
    /// The fence becomes this one, if its version is one less.
    Change(Fence),
}

/// Keys of one transactional read: a customer's fence, and at most [`FENCED_WEEKS_MAX`] weeks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FencedLookup {
    /// The customer.
    pub customer_id: String,
    /// The weeks whose usage rows are read.
    pub weeks: BTreeSet<Week>,
}

/// Result of a transactional read.
#[derive(Clone, Debug, Default)]
pub struct FencedSnapshot {
    /// The fence.
    pub fence: Fence,
    /// The rows found.
    pub rows: BTreeMap<Week, UsageRow>,
    /// Capacity consumed by the read.
    pub units: Units,
}

/// All usage rows of a customer, read one by one.
#[derive(Clone, Debug, Default)]
pub struct AllRows {
    /// The rows.
    pub rows: BTreeMap<Week, UsageRow>,
    /// Capacity consumed by the read.
    pub units: Units,
}

/// A customer's usage, read together with the fence.
#[derive(Clone, Debug, Default)]
pub struct FencedUsage {
    /// The fence.
    pub fence: Fence,
    /// The rows of all weeks that the windows of some attempts touch.
    pub rows: BTreeMap<Week, UsageRow>,
    /// All weeks that were read, also those without a row.
    pub weeks: BTreeSet<Week>,
    /// Totals for windows without an end.
    pub totals: BTreeMap<Millis, LoadTotal>,
    /// True when the totals have been counted now, because the fence does not keep them.
    pub is_counted: bool,
}

impl Fence {
    /// Returns true when every writer knows the fence.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        self.version > 0 && now.signed_duration_since(self.created_at) >= FENCE_SETTLES_IN
    }

    /// Returns the fence after a commit that changes `rows` usage rows and leaves these totals.
    #[must_use]
    pub fn after(&self, rows: u64, totals: BTreeMap<Millis, LoadTotal>, now: DateTime<Utc>) -> Fence {
        Fence {
            version: self.version.saturating_add(1),
            created_at: if self.version == 0 { now.trunc_subsecs(0) } else { self.created_at },
            row_changes: self.row_changes.saturating_add(rows),
            totals: if self.is_settled(now) { totals } else { BTreeMap::new() },
        }
    }
}

impl AllRows {
    /// Counts the totals from these instants on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the rows do not show every commit up to the fence's version. No row can show a later
    /// one unnoticed, because then the fence has changed too, and nothing that was decided from these totals is committed.
    pub fn totals(&self, fence: &Fence, since: &BTreeSet<Millis>) -> Result<BTreeMap<Millis, LoadTotal>, StoreError> {
        let changes = self.rows.values().fold(0_u64, |changes, row| changes.saturating_add(row.fenced_changes));
        if changes != fence.row_changes {
            let what = "the customer's usage rows do not show every commit yet";
            return Err(StoreError::Conflict(Cause::new(what)));
        }
        let weeks = self.rows.iter().map(|(week, row)| (*week, row.history(*week))).collect();
        let history = History { weeks, totals: BTreeMap::new() };
        let total = |since: &Millis| (*since, history.total(Span { start: *since, ..Span::ALWAYS }));
        Ok(since.iter().map(total).collect())
    }
}

impl FenceWrite {
    /// Returns the version that was read; 0 for a fence that does not exist.
    pub const fn read_version(&self) -> u64 {
        match self {
            FenceWrite::Check(version) => *version,
            FenceWrite::Change(after) => after.version.saturating_sub(1),
        }
    }
}

impl FencedUsage {
    /// Returns the loads.
    pub fn history(&self) -> History {
        let weeks = self.rows.iter().map(|(week, row)| (*week, row.history(*week))).collect();
        History { weeks, totals: self.totals.clone() }
    }
}

/// Returns the weeks that the windows of limits touch around an instant, later ones too: a late load must not break a span
/// that ends after it.
pub fn touched_weeks<'l>(limits: impl Iterator<Item = &'l Limit>, at: Millis) -> BTreeSet<Week> {
    let spans = limits.filter_map(|limit| limit.window.weeks(at));
    let weeks = spans.flat_map(|[first, last]| {
        std::iter::successors(Some(first), |week| Some(week.next())).take_while(move |week| *week <= last)
    });
    weeks.chain([at.day().week()]).collect()
}

/// Returns the instants from which the windows of limits count that have no end.
pub fn endless<'l>(limits: impl Iterator<Item = &'l Limit>) -> BTreeSet<Millis> {
    limits.filter_map(|limit| limit.window.since()).collect()
}

impl UsageRow {
    /// Returns the row's loads. `week` must be its week.
    pub fn history(&self, week: Week) -> WeekHistory {
        WeekHistory::new(week, self.usage, self.loads.clone())
    }
}

impl FencedSnapshot {
    /// Returns the usage with the totals from these instants on that the fence keeps.
    ///
    /// # Errors
    /// The snapshot itself, when the fence does not keep all of them: then they must be counted.
    pub fn kept(self, since: &BTreeSet<Millis>) -> Result<FencedUsage, FencedSnapshot> {
        let totals = since.iter().map(|since| Some((*since, *self.fence.totals.get(since)?))).collect();
        match totals {
            Some(totals) => Ok(FencedUsage { totals, ..self.usage() }),
            None => Err(self),
        }
    }

    /// Returns the usage with the totals from these instants on, counted from all rows of the customer.
    ///
    /// # Errors
    /// See [`AllRows::totals`].
    pub fn counted(self, all: &AllRows, since: &BTreeSet<Millis>) -> Result<FencedUsage, StoreError> {
        let totals = all.totals(&self.fence, since)?;
        Ok(FencedUsage { totals, is_counted: true, ..self.usage() })
    }

    fn usage(self) -> FencedUsage {
        FencedUsage { fence: self.fence, rows: self.rows, ..FencedUsage::default() }
    }
}

/// Refuses to commit what was decided long after its read, unless a condition on the fence guards it.
///
/// # Errors
/// [`StoreError::Conflict`], so that the customer is read and decided again.
pub(super) fn check_age(commit: &Commit, snapshot: &Snapshot, now: DateTime<Utc>) -> Result<(), StoreError> {
    if commit.fence().is_some() || now.signed_duration_since(snapshot.read_at) <= SNAPSHOT_AGE_MAX {
        return Ok(());
    }
    Err(StoreError::Conflict(Cause::new("the customer was read long before the commit; it is read again")))
}
