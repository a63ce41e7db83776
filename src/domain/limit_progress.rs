//! Progress of customers' own limits at an instant.

use super::{Cents, Currency, History, Millis, OwnLimit, OwnLimitStatus, Span};

/// A customer's own limit, with its progress at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitProgress {
    /// The limit, settled: a change whose wait is over has come into force.
    pub limit: OwnLimit,
    /// The version of the limit. It grows with each change.
    pub version: u64,
    /// The maximum for a load at the instant, in hundredths of the currency.
    pub value: Cents,
    /// True when the limit is enforced for a load at the instant: a deposit limit in the deployment's currency, active and
    /// not canceled.
    pub is_enforced: bool,
    /// The accepted loads in the span that holds the instant, in hundredths of the currency. The reported progress for a
    /// limit that is not enforced.
    pub progress: u64,
    /// The reported progress, in hundredths of the currency.
    pub reported: u64,
    /// The span that holds the instant. `None` for a limit of single loads.
    pub span: Option<Span>,
}

impl LimitProgress {
    /// Returns the progress of a limit of this version at an instant. `history` must know all loads in the limit's span.
    pub fn at(
        now: Millis,
        limit: &OwnLimit,
        version: u64,
        reported: u64,
        history: &History,
        currency: Currency,
    ) -> LimitProgress {
        let limit = limit.settled(now);
        let value = limit.value_at(now);
        let rule = limit.rule(value);
        let is_canceled = matches!(limit.status, OwnLimitStatus::Canceled { .. });
        let is_enforced = limit.is_enforced_in(currency) && limit.applies_to(now) && !is_canceled;
        LimitProgress {
            is_enforced,
            progress: if is_enforced { history.used(&rule, now) } else { reported },
            reported,
            span: rule.window.span(now),
            value,
            limit,
            version,
        }
    }

    /// Returns what remains of the limit, in hundredths of the currency.
    pub fn remaining(&self) -> u64 {
        self.value.get().saturating_sub(self.progress)
    }
}
