//! A customer's own limits, as one item.

use std::collections::BTreeMap;

use crate::domain::{DAY_MS, Millis, OWN_LIMITS_KEPT_MAX, OWN_LIMITS_MAX, OwnLimit};

/// Time for which a canceled or ended limit stays with its customer, in milliseconds: 62 days. It still applies to loads
/// before its end.
pub const CLOSED_KEPT_MS: i64 = 62 * DAY_MS;

/// A limit with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedLimit {
    /// The limit.
    pub limit: OwnLimit,
    /// The version of the customer's limits that the limit's last change has made. It grows with each change of the limit,
    /// also if the limit has left the customer in between: the customer's version never starts again.
    pub version: u64,
}

/// A customer's own limits. One item holds all of them, so that a decision reads them at once. The item is never deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerLimits {
    /// 0 for a customer that has no item yet. It grows with each stored change.
    pub version: u64,
    /// The limits, by their ids.
    pub limits: BTreeMap<String, VersionedLimit>,
}

impl VersionedLimit {
    /// Returns the limit's version at `now`. It grows too when a pending change comes into force by itself.
    pub fn version_at(&self, now: Millis) -> u64 {
        if self.limit.is_due(now) { self.version.saturating_add(1) } else { self.version }
    }
}

impl CustomerLimits {
    /// Stores a limit, or replaces the one with its id. Removes every limit that has been closed for
    /// [`CLOSED_KEPT_MS`] at `now`, this one too.
    pub fn define(&mut self, limit: OwnLimit, now: Millis) {
        let version = self.version.saturating_add(1);
        // The next version is that of the limit once its pending change has come into force by itself.
        self.version = if limit.pending.is_some() { version.saturating_add(1) } else { version };
        self.limits.insert(limit.limit_id.clone(), VersionedLimit { limit, version });
        self.remove_closed(now);
    }

    /// Removes every limit that has been closed for [`CLOSED_KEPT_MS`] at `now`.
    pub fn remove_closed(&mut self, now: Millis) {
        let horizon = now.plus(-CLOSED_KEPT_MS);
        self.limits.retain(|_, known| known.limit.closes_at().is_none_or(|at| at > horizon));
    }

    /// Returns the limits, in the order of their ids.
    pub fn definitions(&self) -> impl Iterator<Item = &OwnLimit> {
        self.limits.values().map(|known| &known.limit)
    }

    /// Returns the limit with this id.
    pub fn get(&self, limit_id: &str) -> Option<&OwnLimit> {
        self.limits.get(limit_id).map(|known| &known.limit)
    }

    /// Returns true if the customer may have this limit: at `at`, fewer than [`OWN_LIMITS_MAX`] others are open, or the
    /// limit is closed or replaces an open one; and fewer than [`OWN_LIMITS_KEPT_MAX`] others have not been closed for
    /// [`CLOSED_KEPT_MS`], or the limit replaces one.
    pub(super) fn has_room_for(&self, limit: &OwnLimit, at: Millis) -> bool {
        let known = self.get(&limit.limit_id);
        let horizon = at.plus(-CLOSED_KEPT_MS);
        let others = || self.definitions().filter(|other| other.limit_id != limit.limit_id);
        let open = others().filter(|other| other.is_open(at)).count();
        let kept = others().filter(|other| other.closes_at().is_none_or(|at| at > horizon)).count();
        let replaces_open = known.is_some_and(|known| known.is_open(at));
        let may_be_open = !limit.is_open(at) || replaces_open || open < OWN_LIMITS_MAX;
        may_be_open && (known.is_some() || kept < OWN_LIMITS_KEPT_MAX)
    }
}
