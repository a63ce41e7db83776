//! Changes of a customer's own limit at the customer's request, under the cooling-off rule.
//!
//! A lower maximum applies at once, to every load that is decided from then on. A higher one, or the removal of the limit,
//! waits. It applies to a load only if both the load's time and the moment of its decision are at or after the end of the
//! wait, so that a load dated ahead does not skip it. A limit therefore remembers what it was before each increase: an
//! earlier load that arrives late is decided under the earlier maximum. The rule follows regulators (UK Gambling
//! Commission, RTS 12; Sweden, 72 hours).

use super::{Cents, Millis, OwnLimit, OwnLimitStatus, PendingChange, Raise};

/// Maximum number of increases that a limit remembers. Beyond it the earliest one is forgotten, and the loads of its time
/// get the lower maximum before it.
pub const RAISES_MAX: usize = 8;

/// The cooling-off rule of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolingOff {
    /// The wait of an increase or a removal, in milliseconds.
    pub delay_ms: i64,
    /// True if an increase or a removal must be confirmed after the wait.
    pub needs_confirmation: bool,
}

/// A request to change a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRequest {
    /// Give the limit this maximum, in hundredths of the currency.
    Set(Cents),
    /// Remove the limit.
    Remove,
    /// Withdraw the pending change.
    Withdraw,
    /// Confirm the pending change.
    Confirm,
}

/// Effect of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeEffect {
    /// The limit becomes this one.
    Changed(Box<OwnLimit>),
    /// The limit is as requested already.
    Unchanged,
}

/// Reason why a request has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The limit is canceled or has ended.
    #[error("the limit is canceled or has ended, and cannot be changed; create another one")]
    Closed,
    /// No change waits.
    #[error("the limit has no pending change")]
    NotPending,
    /// The change is confirmed before its wait is over.
    #[error("the pending change cannot be confirmed before its wait is over; its appliesAt says when")]
    TooEarly,
    /// The change comes into force by itself.
    #[error("the pending change needs no confirmation; it applies by itself at its appliesAt")]
    NeedsNone,
}

impl OwnLimit {
    /// Returns the limit as it stands at `now`: a pending change that needs no confirmation and whose wait is over has come
    /// into force.
    #[must_use]
    pub fn settled(&self, now: Millis) -> OwnLimit {
        self.due(now).map_or_else(|| self.clone(), |pending| self.with(pending))
    }

    /// Returns true if [`OwnLimit::settled`] differs from the limit itself.
    pub fn is_due(&self, now: Millis) -> bool {
        self.due(now).is_some()
    }

    fn due(&self, now: Millis) -> Option<PendingChange> {
        self.pending.filter(|pending| pending.applies_at <= now && !pending.needs_confirmation)
    }

    /// Returns the maximum for a load at an instant, in hundredths of the currency. The limit must be settled.
    pub fn value_at(&self, at: Millis) -> Cents {
        let raised = self.raises.iter().rev().find(|raise| raise.from <= at);
        raised.map_or(self.value, |raise| raise.value)
    }

    /// Returns the maximum after all increases that have come into force, in hundredths of the currency. The limit must be
    /// settled.
    pub fn latest_value(&self) -> Cents {
        self.raises.last().map_or(self.value, |raise| raise.value)
    }

    /// Returns the effect of a request at `now`.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change(&self, request: ChangeRequest, now: Millis, rule: CoolingOff) -> Result<ChangeEffect, ChangeError> {
        let limit = self.settled(now);
        if !limit.is_open(now) {
            return Err(ChangeError::Closed);
        }
        match request {
            ChangeRequest::Set(value) => Ok(limit.set(value, now, rule)),
            ChangeRequest::Remove => Ok(changed(limit.waiting(None, now, rule))),
            ChangeRequest::Withdraw if limit.pending.is_none() => Err(ChangeError::NotPending),
            ChangeRequest::Withdraw => Ok(changed(OwnLimit { pending: None, ..limit })),
            ChangeRequest::Confirm => {
                let pending = limit.pending.ok_or(ChangeError::NotPending)?;
                if !pending.needs_confirmation {
                    return Err(ChangeError::NeedsNone);
                }
                if now < pending.applies_at {
                    return Err(ChangeError::TooEarly);
                }
                Ok(changed(limit.with(pending)))
            }
        }
    }

    fn set(self, value: Cents, now: Millis, rule: CoolingOff) -> ChangeEffect {
        // An increase may lie ahead of this machine's clock if another machine has made it. A value below it is a lower one.
        let current = self.latest_value();
        if value == current {
            return ChangeEffect::Unchanged;
        }
        changed(if value < current { self.lowered(value) } else { self.waiting(Some(value), now, rule) })
    }

    /// Returns the limit with at most this maximum, for all loads, and without a pending change.
    fn lowered(self, value: Cents) -> OwnLimit {
        let raises = self.raises.iter().map(|raise| Raise { value: raise.value.min(value), ..*raise });
        let (base, mut kept) = (self.value.min(value), Vec::<Raise>::new());
        for raise in raises {
            if raise.value > kept.last().map_or(base, |last| last.value) {
                kept.push(raise);
            }
        }
        OwnLimit { value: base, raises: kept, pending: None, ..self }
    }

    /// Returns the limit with a change that waits from now on. It replaces the pending one.
    fn waiting(self, value: Option<Cents>, now: Millis, rule: CoolingOff) -> OwnLimit {
        let CoolingOff { delay_ms, needs_confirmation } = rule;
        let applies_at = now.plus(delay_ms);
        OwnLimit { pending: Some(PendingChange { value, requested_at: now, applies_at, needs_confirmation }), ..self }
    }

    /// Returns the limit after a pending change has come into force.
    fn with(&self, pending: PendingChange) -> OwnLimit {
        let mut limit = OwnLimit { pending: None, ..self.clone() };
        match pending.value {
            Some(value) => {
                // Clocks of two machines may differ, so no increase begins before its predecessor.
                let from = limit.raises.last().map_or(pending.applies_at, |last| last.from.max(pending.applies_at));
                limit.raises.push(Raise { from, value });
                if limit.raises.len() > RAISES_MAX {
                    limit.raises.remove(0);
                }
            }
            None => limit.status = OwnLimitStatus::Canceled { at: pending.applies_at },
        }
        limit
    }
}

fn changed(limit: OwnLimit) -> ChangeEffect {
    ChangeEffect::Changed(Box::new(limit))
}
