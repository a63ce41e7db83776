//! A customer's own limits as rules for loads, as they stand at the moment of a decision.

use super::{Cents, Currency, Limit, Millis, OwnLimit, OwnLimitStatus, OwnPeriod};

/// A customer's own limits that are enforced, in the order of their ids. A limit that has been raised has a rule for each
/// of its maxima; at most one of them applies to a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits(Vec<OwnRule>);

/// A rule of a customer's own, and the loads that it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRule {
    /// The id of the limit.
    pub limit_id: String,
    /// The period of the limit.
    pub period: OwnPeriod,
    /// The rule.
    pub rule: Limit,
    /// The first instant at which it applies to a load.
    from: Millis,
    /// The first instant at which it no longer applies to a load; `None` if there is no end.
    until: Option<Millis>,
}

impl OwnRule {
    /// Returns true if the rule applies to a load at this instant.
    pub fn applies_to(&self, at: Millis) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl OwnLimits {
    /// No limits.
    pub const NONE: &OwnLimits = &OwnLimits(Vec::new());

    /// Creates the rules of these limits that a deployment with this currency enforces in a decision at `decided_at`.
    pub fn enforced<'l>(
        limits: impl IntoIterator<Item = &'l OwnLimit>,
        currency: Currency,
        decided_at: Millis,
    ) -> OwnLimits {
        let mut own = OwnLimits::default();
        let enforced = limits.into_iter().filter(|limit| limit.is_enforced_in(currency));
        enforced.for_each(|limit| own.add(limit, decided_at));
        own
    }

    /// Adds the rules of a limit, as they stand at `decided_at`.
    pub fn add(&mut self, limit: &OwnLimit, decided_at: Millis) {
        let limit = limit.settled(decided_at);
        // A raise applies to a load only if both the load and its decision are at or after it.
        let raises = || limit.raises.iter().filter(|raise| raise.from <= decided_at);
        let maxima = [(Millis::FIRST, limit.value)].into_iter().chain(raises().map(|raise| (raise.from, raise.value)));
        let ends = raises().map(|raise| Some(raise.from)).chain([None]);
        let mut place = self.0.partition_point(|other| other.limit_id <= limit.limit_id);
        for ((from, max), until) in maxima.zip(ends) {
            self.0.insert(place, own_rule(&limit, max, from, until));
            place = place.saturating_add(1);
        }
    }

    /// Returns true when there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the rules, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &OwnRule> {
        self.0.iter()
    }
}

/// Returns the rule of a limit for the loads of a time in which it has this maximum.
fn own_rule(limit: &OwnLimit, max: Cents, from: Millis, until: Option<Millis>) -> OwnRule {
    let canceled_at = match limit.status {
        OwnLimitStatus::Canceled { at } => Some(at),
        OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => None,
    };
    OwnRule {
        limit_id: limit.limit_id.clone(),
        period: limit.period,
        rule: limit.rule(max),
        from: from.max(limit.active_from),
        until: until.into_iter().chain(limit.active_until).chain(canceled_at).min(),
    }
}
