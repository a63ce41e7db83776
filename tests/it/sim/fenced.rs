//! The store's part for customers with a fence: the second read, the read of all rows, and the fence in a commit.

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::{
    AllRows, Cause, Commit, Fence, FenceWrite, FencedLookup, FencedSnapshot, StoreError, Units, UsageKey, UsageRow,
};
use loadgate::domain::{Cents, Day, LoadTotal, Week};

use super::limits::Basis;
use super::sabotage::Sabotage;
use super::simulation::{Chance, State};
use super::store::{SimStore, Stored};

/// Maximum time after which the sender of a commit gives up, and from then until the commit takes effect.
const GIVEN_UP_MS_MAX: u64 = 5_000;
const ZOMBIE_MS_MAX: u64 = 60_000;

/// Times of a commit whose sender gives up before it takes effect.
pub struct Zombie {
    pub given_up_ms: u64,
    pub late_ms: u64,
}

/// Reads a fence and rows at one moment.
pub async fn read_fenced(store: &SimStore, lookup: &FencedLookup) -> Result<FencedSnapshot, StoreError> {
    let (simulation, customer_id) = (&store.simulation, lookup.customer_id.as_str());
    let mut rng = simulation.state().draw(&store.actor, &format!("read fenced {customer_id}"));
    let is_hanging = simulation.hangs(&mut rng, &[customer_id]).await;
    simulation.delay(&mut rng).await;
    if is_hanging {
        return Err(StoreError::Unavailable(Cause::new("no answer")));
    }
    let mut read = simulation.state().read_fenced(lookup, &mut rng)?;
    if simulation.state().sabotage == Sabotage::FenceReadLast {
        simulation.delay(&mut rng).await;
        let state = simulation.state();
        read.fence = state.tables.fences.get(customer_id).map(|fence| fence.item.clone()).unwrap_or_default();
    }
    Ok(read)
}

/// Reads all rows of a customer, page by page: they may be of two moments.
pub async fn read_rows(store: &SimStore, customer_id: &str) -> Result<AllRows, StoreError> {
    let simulation = &store.simulation;
    let mut rng = simulation.state().draw(&store.actor, &format!("read rows {customer_id}"));
    let is_hanging = simulation.hangs(&mut rng, &[customer_id]).await;
    simulation.delay(&mut rng).await;
    if is_hanging {
        return Err(StoreError::Unavailable(Cause::new("no answer")));
    }
    simulation.state().fail_without_effect(&mut rng)?;
    let mut rows = simulation.state().all_rows(customer_id);
    if rng.bool() {
        let page = rng.usize(..=rows.len());
        simulation.delay(&mut rng).await;
        let later = simulation.state().all_rows(customer_id);
        rows.truncate(page);
        let last = rows.last().map(|(week, _)| *week);
        rows.extend(later.into_iter().filter(|(week, _)| last.is_none_or(|last| last < *week)));
    }
    let mut all = AllRows { rows: rows.into_iter().collect(), units: Units::default() };
    if simulation.state().sabotage == Sabotage::UncheckedCount {
        simulation.state().hide_missing_changes(customer_id, &mut all);
    }
    Ok(all)
}

impl State {
    /// Reads a fence and rows at one moment. A commit that is being applied to one of them cancels the read.
    fn read_fenced(&mut self, lookup: &FencedLookup, rng: &mut Chance) -> Result<FencedSnapshot, StoreError> {
        self.fail_without_effect(rng)?;
        let now = self.now();
        let key = |week| UsageKey { customer_id: lookup.customer_id.clone(), week };
        let rows = || lookup.weeks.iter().filter_map(|week| Some((*week, self.tables.usage.get(&key(*week))?)));
        let fence = self.tables.fences.get(&lookup.customer_id);
        let is_conflict =
            fence.is_some_and(|fence| fence.is_being_applied(now)) || rows().any(|(_, row)| row.is_being_applied(now));
        if is_conflict && self.sabotage != Sabotage::PlainReads {
            self.count("conflicts", 1);
            return Err(StoreError::Conflict(Cause::new("TransactionConflict")));
        }
        let mut fence = fence.and_then(|fence| fence.seen(now)).cloned().unwrap_or_default();
        if self.sabotage == Sabotage::EarlyTotals && fence.version > 0 {
            fence.created_at = now - TimeDelta::days(1);
        }
        let rows = rows().filter_map(|(week, row)| Some((week, row.seen(now)?.clone()))).collect();
        Ok(FencedSnapshot { fence, rows, units: Units::default() })
    }

    fn all_rows(&self, customer_id: &str) -> Vec<(Week, UsageRow)> {
        let rows = self.tables.usage.iter().filter(|(key, _)| key.customer_id == customer_id);
        rows.filter_map(|(key, row)| Some((key.week, row.seen(self.now())?.clone()))).collect()
    }

    /// Adds the number of changes that the rows do not show.
    fn hide_missing_changes(&self, customer_id: &str, all: &mut AllRows) {
        let fence = self.tables.fences.get(customer_id).and_then(|fence| fence.seen(self.now()));
        let shown: u64 = all.rows.values().map(|row| row.fenced_changes).sum();
        let missing = fence.map_or(0, |fence| fence.row_changes).saturating_sub(shown);
        let row = UsageRow { fenced_changes: missing, ..UsageRow::default() };
        all.rows.insert(Day::from_epoch_days(0).week(), row);
    }

    /// Draws whether a commit becomes one whose sender gives up before it takes effect.
    pub fn zombie(&mut self, actor: &str, customer_id: &str) -> Option<Zombie> {
        let chance = self.setting.zombies;
        let mut rng = self.draw(actor, &format!("zombie {customer_id}"));
        let is_zombie = self.happens(&mut rng, chance);
        let given_up_ms = rng.u64(1_000..GIVEN_UP_MS_MAX);
        is_zombie.then(|| Zombie { given_up_ms, late_ms: given_up_ms + rng.u64(..ZOMBIE_MS_MAX) })
    }

    /// Returns true if a commit requires another version of the fence than the one that is stored.
    pub fn is_fence_changed(&mut self, commit: &Commit, are_rows_changed: bool, is_zombie: bool) -> bool {
        let Some(required) = commit.fence() else { return false };
        let version = self.tables.fences.get(&commit.customer_id).map_or(0, |fence| fence.item.version);
        let is_changed = required.read_version() != version;
        let is_only_fence = is_changed && !are_rows_changed;
        self.count("fenced_conflicts", u64::from(is_only_fence));
        self.count("zombies", u64::from(is_only_fence && is_zombie));
        is_changed && self.sabotage != Sabotage::NoFence
    }

    /// Returns true if another commit is still being applied to the fence.
    pub fn is_fence_being_applied(&self, commit: &Commit, now: DateTime<Utc>) -> bool {
        let fence = self.tables.fences.get(&commit.customer_id).filter(|_| commit.fence().is_some());
        fence.is_some_and(|fence| fence.is_being_applied(now)) && self.sabotage != Sabotage::NoFence
    }

    /// Writes the fence of a commit.
    pub fn apply_fence(&mut self, commit: &Commit, basis: Basis, applied_at: DateTime<Utc>, rng: &mut Chance) {
        let now = self.now();
        let has_long = self.own_limits.at(&commit.customer_id, now).has_long(self);
        self.count("unaware", u64::from(basis.is_unaware && has_long));
        let Some(FenceWrite::Change(fence)) = commit.fence() else { return };
        let before = self.tables.fences.get(&commit.customer_id).map(|stored| stored.item.clone());
        let mut item = fence.clone();
        if self.sabotage == Sabotage::NoFence {
            let before = before.clone().unwrap_or_default();
            let row_changes = before.row_changes + commit.usage().len() as u64;
            item = Fence { version: before.version, row_changes, ..item };
        }
        self.count("kept_totals", u64::from(!item.totals.is_empty()));
        self.tables.fences.insert(commit.customer_id.clone(), Stored::new(item, before, applied_at));
        if self.sabotage == Sabotage::FenceDeleted && rng.u32(..3) == 0 {
            self.tables.fences.remove(&commit.customer_id);
        }
    }

    /// Returns a row as it is written: it keeps the latest loads only.
    pub fn trimmed(&mut self, mut row: UsageRow) -> UsageRow {
        while row.loads.len() > self.setting.kept_max {
            self.count("trimmed", 1);
            let (at, amount) = row.loads.remove_first().unwrap();
            if self.sabotage == Sabotage::CapForgotten {
                let LoadTotal { amount: sum, count } = row.usage.day(at.day());
                let left = LoadTotal { amount: Cents::new(sum.get() - amount.get()), count: count - 1 };
                row.usage.set_day(at.day().days_since_monday(), left);
            }
        }
        row
    }
}
