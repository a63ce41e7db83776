//! Customers' own limits: what they limit, and the loads that they apply to.

use super::{Anchored, Cents, Currency, Limit, Measure, Millis, Period, Window, Zone};

/// Maximum number of own limits of a customer that are neither canceled nor ended.
pub const OWN_LIMITS_MAX: usize = 32;

/// Maximum number of own limits of a customer that are stored, canceled and ended ones included. With ids of the
/// greatest length and [`RAISES_MAX`](super::RAISES_MAX) increases each, they still fit into an item of a table, 400 KB.
pub const OWN_LIMITS_KEPT_MAX: usize = 500;

/// A customer's own limit, as its last definition and the changes since then leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLimit {
    /// The limit's id, unique for the deployment.
    pub limit_id: String,
    /// The customer.
    pub user_id: String,
    /// The brand. It is shown, and has no effect.
    pub brand_id: Option<String>,
    /// The quantity that is limited.
    pub kind: OwnLimitKind,
    /// The period, which determines the window.
    pub period: OwnPeriod,
    /// The currency of the value.
    pub currency: Currency,
    /// The maximum, in hundredths of the currency. Later increases are in `raises`.
    pub value: Cents,
    /// The status.
    pub status: OwnLimitStatus,
    /// The first instant at which it applies.
    pub active_from: Millis,
    /// The first instant at which it no longer applies; `None` if there is no end.
    pub active_until: Option<Millis>,
    /// Increases that have come into force, in the order of their instants. Each value is above the one before it.
    pub raises: Vec<Raise>,
    /// The change that waits; `None` if none does.
    pub pending: Option<PendingChange>,
}

/// Increase that has come into force. Earlier loads are still decided under the value before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The first instant at which it applies to a load.
    pub from: Millis,
    /// The maximum from then on, in hundredths of the currency.
    pub value: Cents,
}

/// An increase or a removal that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingChange {
    /// The new maximum, in hundredths of the currency; `None` for the removal of the limit.
    pub value: Option<Cents>,
    /// The instant of the request.
    pub requested_at: Millis,
    /// The end of the wait.
    pub applies_at: Millis,
    /// True if it comes into force only once it is confirmed. Otherwise it does so by itself, at the end of the wait.
    pub needs_confirmation: bool,
}

/// Quantity that an own limit limits. Only deposits are enforced; they are loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimitKind {
    /// `DEPOSIT`.
    Deposit,
    /// `BALANCE`.
    Balance,
    /// `BET`.
    Bet,
    /// `LOSS`.
    Loss,
    /// `SESSION`.
    Session,
}

/// Period of an own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnPeriod {
    /// `CALENDAR_DAY`: the UTC day.
    CalendarDay,
    /// `CALENDAR_WEEK`: the ISO week in UTC.
    CalendarWeek,
    /// `CALENDAR_MONTH`: the calendar month in UTC.
    CalendarMonth,
    /// `DAY`: 24 hours, counted from the limit's first instant.
    Day,
    /// `WEEK`: 7 times 24 hours, counted from the limit's first instant.
    Week,
    /// `MONTH`: a calendar month in UTC, counted from the limit's first instant.
    Month,
    /// `INDEFINITE`: all time since the limit's first instant.
    Indefinite,
    /// `INSTANCE`: the load alone.
    Instance,
}

/// Status of an own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnLimitStatus {
    /// `ACTIVE`.
    Active,
    /// `FUTURE`.
    Future,
    /// `IN_COOLDOWN`.
    InCooldown,
    /// `CANCELED`.
    Canceled {
        /// The instant of the cancellation. The limit still applies to loads before it.
        at: Millis,
    },
}

impl OwnLimitKind {
    /// All kinds.
    pub const ALL: [OwnLimitKind; 5] =
        [OwnLimitKind::Deposit, OwnLimitKind::Balance, OwnLimitKind::Bet, OwnLimitKind::Loss, OwnLimitKind::Session];

    /// Returns the name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            OwnLimitKind::Deposit => "DEPOSIT",
            OwnLimitKind::Balance => "BALANCE",
            OwnLimitKind::Bet => "BET",
            OwnLimitKind::Loss => "LOSS",
            OwnLimitKind::Session => "SESSION",
        }
    }
}

impl OwnPeriod {
    /// All periods.
    pub const ALL: [OwnPeriod; 8] = [
        OwnPeriod::CalendarDay,
        OwnPeriod::CalendarWeek,
        OwnPeriod::CalendarMonth,
        OwnPeriod::Day,
        OwnPeriod::Week,
        OwnPeriod::Month,
        OwnPeriod::Indefinite,
        OwnPeriod::Instance,
    ];

    /// Returns the code of a limit with this period: [`OWN_CODE_PREFIX`](super::OWN_CODE_PREFIX) and the name.
    pub const fn code(self) -> &'static str {
        match self {
            OwnPeriod::CalendarDay => "CUSTOMER_CALENDAR_DAY",
            OwnPeriod::CalendarWeek => "CUSTOMER_CALENDAR_WEEK",
            OwnPeriod::CalendarMonth => "CUSTOMER_CALENDAR_MONTH",
            OwnPeriod::Day => "CUSTOMER_DAY",
            OwnPeriod::Week => "CUSTOMER_WEEK",
            OwnPeriod::Month => "CUSTOMER_MONTH",
            OwnPeriod::Indefinite => "CUSTOMER_INDEFINITE",
            OwnPeriod::Instance => "CUSTOMER_INSTANCE",
        }
    }

    /// Returns the name in JSON.
    pub fn name(self) -> &'static str {
        self.code().trim_start_matches(super::OWN_CODE_PREFIX)
    }

    /// Returns the window of a limit with this period whose first instant is `active_from`.
    pub fn window(self, active_from: Millis) -> Window {
        let anchored = |period| Window::Anchored(Anchored { anchor: active_from, period });
        match self {
            OwnPeriod::CalendarDay => Window::Day(Zone::UTC),
            OwnPeriod::CalendarWeek => Window::Week(Zone::UTC),
            OwnPeriod::CalendarMonth => Window::Month(Zone::UTC),
            OwnPeriod::Day => anchored(Period::Day),
            OwnPeriod::Week => anchored(Period::Week),
            OwnPeriod::Month => anchored(Period::Month),
            OwnPeriod::Indefinite => anchored(Period::Indefinite),
            OwnPeriod::Instance => Window::Load,
        }
    }
}

impl OwnLimitStatus {
    /// Returns the name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            OwnLimitStatus::Active => "ACTIVE",
            OwnLimitStatus::Future => "FUTURE",
            OwnLimitStatus::InCooldown => "IN_COOLDOWN",
            OwnLimitStatus::Canceled { .. } => "CANCELED",
        }
    }
}

impl OwnLimit {
    /// Returns true when a deployment with this currency enforces the limit.
    pub fn is_enforced_in(&self, currency: Currency) -> bool {
        self.kind == OwnLimitKind::Deposit && self.currency == currency
    }

    /// Returns true when the limit, if it is enforced, applies to a load at this instant.
    pub fn applies_to(&self, at: Millis) -> bool {
        let is_active = self.active_from <= at && self.active_until.is_none_or(|until| at < until);
        let is_canceled = matches!(self.status, OwnLimitStatus::Canceled { at: canceled_at } if at >= canceled_at);
        is_active && !is_canceled
    }

    /// Returns the first instant at which the limit is canceled or ended; `None` if it has no end. A removal that comes
    /// into force by itself is an end.
    pub fn closes_at(&self) -> Option<Millis> {
        let canceled_at = match self.status {
            OwnLimitStatus::Canceled { at } => Some(at),
            OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => None,
        };
        let removal = self.pending.filter(|pending| pending.value.is_none() && !pending.needs_confirmation);
        let removed_at = removal.map(|removal| removal.applies_at);
        canceled_at.into_iter().chain(self.active_until).chain(removed_at).min()
    }

    /// Returns true when the limit is neither canceled nor ended at this instant.
    pub fn is_open(&self, now: Millis) -> bool {
        self.closes_at().is_none_or(|at| now < at)
    }

    /// Returns the limit as a rule with this maximum.
    pub fn rule(&self, max: Cents) -> Limit {
        Limit {
            code: self.period.code().to_owned(),
            measure: Measure::Amount,
            window: self.period.window(self.active_from),
            max: max.get(),
        }
    }
}
