//! Customers' own limits: what they limit, and the loads that they apply to.

use super::{Anchored, Cents, Currency, Limit, Measure, Millis, Period, Window, Zone};

/// Maximum number of own limits of a customer that are neither canceled nor ended.
pub const OWN_LIMITS_MAX: usize = 32;

/// Maximum number of own limits of a customer that are stored, canceled and ended ones included. With ids of the
/// greatest length they take about half of what an item of a table may have, 400 KB.
pub const OWN_LIMITS_KEPT_MAX: usize = 500;

/// A customer's own limit, as its last definition states it.
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
    /// The maximum, in hundredths of the currency.
    pub value: Cents,
    /// The status.
    pub status: OwnLimitStatus,
    /// The first instant at which it applies.
    pub active_from: Millis,
    /// The first instant at which it no longer applies; `None` if there is no end.
    pub active_until: Option<Millis>,
}

/// A customer's own limits that are enforced, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits(Vec<(OwnLimit, Limit)>);

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

    /// Returns the first instant at which the limit is canceled or ended; `None` if it has no end.
    pub fn closes_at(&self) -> Option<Millis> {
        let canceled_at = match self.status {
            OwnLimitStatus::Canceled { at } => Some(at),
            OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => None,
        };
        canceled_at.into_iter().chain(self.active_until).min()
    }

    /// Returns true when the limit is neither canceled nor ended at this instant.
    pub fn is_open(&self, now: Millis) -> bool {
        self.closes_at().is_none_or(|at| now < at)
    }

    /// Returns the limit as a rule.
    pub fn rule(&self) -> Limit {
        Limit {
            code: self.period.code().to_owned(),
            measure: Measure::Amount,
            window: self.period.window(self.active_from),
            max: self.value.get(),
        }
    }
}

impl OwnLimits {
    /// No limits.
    pub const NONE: &OwnLimits = &OwnLimits(Vec::new());

    /// Creates the limits of these that a deployment with this currency enforces.
    pub fn enforced<'l>(limits: impl IntoIterator<Item = &'l OwnLimit>, currency: Currency) -> OwnLimits {
        let mut own = OwnLimits::default();
        limits.into_iter().filter(|limit| limit.is_enforced_in(currency)).for_each(|limit| own.add(limit.clone()));
        own
    }

    /// Adds a limit at its place.
    pub fn add(&mut self, limit: OwnLimit) {
        let rule = limit.rule();
        let place = self.0.partition_point(|(other, _)| other.limit_id < limit.limit_id);
        self.0.insert(place, (limit, rule));
    }

    /// Returns true when there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each limit with its rule, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&OwnLimit, &Limit)> {
        self.0.iter().map(|(limit, rule)| (limit, rule))
    }
}
