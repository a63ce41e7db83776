//! Velocity limits, as data: amounts or numbers of loads that a customer may reach in a window.

use std::fmt;

use chrono::{DateTime, Utc};

use super::noted_periods::NotedPeriods;
use super::{Cents, Millis, OwnLimits, OwnRule, Window, Zone};

/// Maximum number of limits in a table, shadow limits included. A [`BrokenLimits`] has one bit for each.
pub const LIMITS_MAX: usize = 32;

/// Maximum length of a limit's code, in bytes.
pub const LIMIT_CODE_BYTES_MAX: usize = 64;

/// Beginning of the codes of customers' own limits. No other limit has it.
pub const OWN_CODE_PREFIX: &str = "CUSTOMER_";

/// Quantity that a limit adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The amounts of accepted loads, in cents.
    Amount,
    /// The number of accepted loads.
    Count,
}

/// One velocity limit. It is inclusive: a load that brings the total to exactly `max` is within the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The reason that a decision names when the limit declines.
    pub code: String,
    /// The quantity that is added up.
    pub measure: Measure,
    /// The window over which it is added up.
    pub window: Window,
    /// The maximum usage: cents for [`Measure::Amount`], loads for [`Measure::Count`].
    pub max: u64,
}

/// Effect of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitMode {
    /// The limit declines.
    #[default]
    Live,
    /// The limit is judged, and never declines.
    Shadow,
}

/// The limits in force, in the order in which a decision names them: at least one, at most [`LIMITS_MAX`]. Shadow limits
/// are apart from them, so that no rule can take one for a limit in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    live: Vec<Limit>,
    shadow: Vec<Limit>,
}

/// Reason why some limits cannot be in force together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no limit, or none but shadow limits, which would accept every attempt, and is surely a mistake.
    #[error("there is no limit that declines: every attempt would be accepted")]
    None,
    /// There are more limits than a decision can name.
    #[error("there are {count} limits; at most {LIMITS_MAX} are allowed")]
    TooMany {
        /// Their number.
        count: usize,
    },
    /// A code begins as those of customers' own limits do.
    #[error("the code of limit {number} must not begin with {OWN_CODE_PREFIX}: customers' own limits have such codes")]
    OwnCode {
        /// The limit's number in the table, from 1.
        number: usize,
    },
    /// A limit over single loads counts them. It would be 1 for each.
    #[error("limit {number} counts loads in the window load, which holds one load: only amounts can be limited there")]
    CountOfOne {
        /// The limit's number in the table, from 1.
        number: usize,
    },
    /// A code is not a plain word.
    #[error("the code of limit {number} must be 1 to {LIMIT_CODE_BYTES_MAX} letters, digits, '_', '-' or '.'")]
    BadCode {
        /// The limit's number in the table, from 1.
        number: usize,
    },
    /// Two limits have the same code.
    #[error("limits {first} and {second} have the same code {code}")]
    SameCode {
        /// The first limit's number in the table, from 1.
        first: usize,
        /// The second limit's number in the table, from 1.
        second: usize,
        /// The code that they share.
        code: String,
    },
}

/// The limits that apply to a customer. A load must be within every limit of both groups.
#[derive(Clone, Copy, Debug)]
pub struct LimitsInForce<'l> {
    /// The limits of the customer's plan, or those of the deployment.
    pub base: &'l Limits,
    /// The customer's own limits.
    pub own: &'l OwnLimits,
}

/// The limits that an attempt would break: at least one. They describe themselves by their codes, whatever limits apply
/// to the next customer.
#[derive(Clone, Copy)]
pub struct BrokenLimits<'l> {
    base: &'l Limits,
    /// A bit for each broken limit, by its place in `base`.
    places: u32,
    /// The periods of broken own limits, in the order of the limits.
    own: NotedPeriods,
}

impl Limit {
    /// Returns a total of this limit's window after one more load of that amount: cents or loads.
    pub const fn with_load(&self, used: u64, amount: Cents) -> u64 {
        match self.measure {
            Measure::Amount => used.saturating_add(amount.get()),
            Measure::Count => used.saturating_add(1),
        }
    }
}

impl Limits {
    /// Checks limits, and combines them into a table.
    ///
    /// # Errors
    /// [`LimitError`] of the first limit that is not valid, or when there are none or too many.
    pub fn new(limits: Vec<Limit>) -> Result<Limits, LimitError> {
        Limits::with_modes(limits.into_iter().map(|limit| (limit, LimitMode::Live)).collect())
    }

    /// Checks limits, some of which may be shadow limits, and combines them into a table.
    ///
    /// # Errors
    /// [`LimitError`] of the first limit that is not valid, or when none declines, or when there are too many.
    pub fn with_modes(limits: Vec<(Limit, LimitMode)>) -> Result<Limits, LimitError> {
        match limits.len() {
            0..=LIMITS_MAX => {}
            count => return Err(LimitError::TooMany { count }),
        }
        for (number, (limit, _)) in (1..).zip(&limits) {
            if !is_plain_word(&limit.code) {
                return Err(LimitError::BadCode { number });
            }
            if limit.code.starts_with(OWN_CODE_PREFIX) {
                return Err(LimitError::OwnCode { number });
            }
            if limit.measure == Measure::Count && limit.window == Window::Load {
                return Err(LimitError::CountOfOne { number });
            }
            let mut with_code = (1..).zip(&limits).filter(|(_, (other, _))| other.code == limit.code);
            if let Some((first, _)) = with_code.next().filter(|(first, _)| *first < number) {
                return Err(LimitError::SameCode { first, second: number, code: limit.code.clone() });
            }
        }
        let (live, shadow): (Vec<_>, Vec<_>) = limits.into_iter().partition(|(_, mode)| *mode == LimitMode::Live);
        let [live, shadow] =
            [live, shadow].map(|limits| limits.into_iter().map(|(limit, _)| limit).collect::<Vec<_>>());
        if live.is_empty() {
            return Err(LimitError::None);
        }
        Ok(Limits { live, shadow })
    }

    /// Returns the limits in force, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.live.iter()
    }

    /// Returns the shadow limits, in order.
    pub fn shadow(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.shadow.iter()
    }

    /// Returns true when there is a shadow limit.
    pub const fn has_shadow(&self) -> bool {
        !self.shadow.is_empty()
    }

    /// Returns the first limit whose window is long: see [`Window::is_long`].
    pub fn first_long(&self) -> Option<&Limit> {
        self.iter().find(|limit| limit.window.is_long())
    }
}

impl<'l> From<&'l Limits> for LimitsInForce<'l> {
    fn from(base: &'l Limits) -> LimitsInForce<'l> {
        LimitsInForce { base, own: OwnLimits::NONE }
    }
}

impl<'l> LimitsInForce<'l> {
    /// Returns all limits, whether they apply to a load or not, in order.
    pub fn iter(self) -> impl Iterator<Item = (Option<&'l OwnRule>, &'l Limit)> {
        let own = self.own.iter().map(|own| (Some(own), &own.rule));
        self.base.iter().map(|limit| (None, limit)).chain(own)
    }

    /// Returns the limits that apply to a load at an instant, in order. A rule of the customer's own comes with its limit's id.
    pub fn applying_to(self, at: Millis) -> impl Iterator<Item = (Option<&'l OwnRule>, &'l Limit)> {
        self.iter().filter(move |(own, _)| own.is_none_or(|own| own.applies_to(at)))
    }

    /// Returns the limits that apply to a load at this time and that `is_broken` selects; `None` when there are none.
    /// Places count the limits of the first group, and then all own limits.
    pub fn broken(self, time: DateTime<Utc>, is_broken: impl Fn(usize, &Limit) -> bool) -> Option<BrokenLimits<'l>> {
        let (mut places, mut bit) = (0, 1_u32);
        for (place, limit) in self.base.iter().enumerate() {
            if is_broken(place, limit) {
                places |= bit;
            }
            bit = bit.rotate_left(1);
        }
        let own =
            if self.own.is_empty() { NotedPeriods::default() } else { self.broken_own(Millis::of(time), is_broken) };
        let is_any = places != 0 || !own.is_empty();
        is_any.then_some(BrokenLimits { base: self.base, places, own })
    }

    fn broken_own(self, at: Millis, is_broken: impl Fn(usize, &Limit) -> bool) -> NotedPeriods {
        let mut broken = NotedPeriods::default();
        let first = self.base.iter().len();
        for (place, own) in (first..).zip(self.own.iter()) {
            if own.applies_to(at) && is_broken(place, &own.rule) {
                broken.note(own.period);
            }
        }
        broken
    }
}

impl Default for Limits {
    /// Returns the built-in limits: $5,000.00 and 3 loads a day, $20,000.00 a week. `limits.toml` has the same.
    fn default() -> Limits {
        let limit = |code: &str, measure, window, max| Limit { code: code.to_owned(), measure, window, max };
        let live = vec![
            limit("DAILY_AMOUNT", Measure::Amount, Window::Day(Zone::UTC), Cents::new(5_000_00).get()),
            limit("WEEKLY_AMOUNT", Measure::Amount, Window::Week(Zone::UTC), Cents::new(20_000_00).get()),
            limit("DAILY_COUNT", Measure::Count, Window::Day(Zone::UTC), 3),
        ];
        Limits { live, shadow: vec![] }
    }
}

impl<'l> BrokenLimits<'l> {
    /// Returns the limits' codes, each once: those of the first group, and then those of the customer's own.
    pub fn codes(self) -> impl Iterator<Item = &'l str> {
        let is_broken = move |place: u32| self.places.checked_shr(place).is_some_and(|bits| bits & 1 == 1);
        let broken = (0_u32..).zip(self.base.iter()).filter(move |(place, _)| is_broken(*place));
        let own = self.own.iter().map(|period| -> &'l str { period.code() });
        broken.map(|(_, limit)| limit.code.as_str()).chain(own)
    }
}

impl PartialEq for BrokenLimits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.codes().eq(other.codes())
    }
}

impl Eq for BrokenLimits<'_> {}

impl fmt::Debug for BrokenLimits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.codes()).finish()
    }
}

fn is_plain_word(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=LIMIT_CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(plain)
}
