//! Velocity limits, as data: amounts or numbers of loads that a customer may reach in a calendar window.

use std::fmt;
use std::num::NonZeroU32;

use super::{Cents, Day, WeekUsage};

/// Maximum number of limits in a table. A [`BrokenLimits`] has one bit for each.
pub const LIMITS_MAX: usize = 32;

/// Maximum length of a limit's code, in bytes.
pub const LIMIT_CODE_BYTES_MAX: usize = 64;

/// Quantity that a limit adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The amounts of accepted loads, in cents.
    Amount,
    /// The number of accepted loads.
    Count,
}

/// Calendar window over which a limit adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The attempt's UTC calendar day.
    Day,
    /// The attempt's ISO week, Monday 00:00:00 UTC to Sunday.
    Week,
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

/// The limits in force, in the order in which a decision names them: at least one, at most [`LIMITS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits(Vec<Limit>);

/// Reason why some limits cannot be in force together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no limit, which would accept every attempt, and is surely a mistake.
    #[error("there is no limit: every attempt would be accepted")]
    None,
    /// There are more limits than a decision can name.
    #[error("there are {count} limits; at most {LIMITS_MAX} are allowed")]
    TooMany {
        /// Their number.
        count: usize,
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

/// The limits that an attempt would break: at least one. They describe themselves by their codes, whatever limits apply
/// to the next customer.
#[derive(Clone, Copy)]
pub struct BrokenLimits<'l> {
    limits: &'l Limits,
    /// A bit for each broken limit, by its place in `limits`.
    places: NonZeroU32,
}

impl Limits {
    /// Checks limits, and combines them into a table.
    ///
    /// # Errors
    /// [`LimitError`] when there are none or too many, when a code is not a plain word, or when two limits share a
    /// code.
    pub fn new(limits: Vec<Limit>) -> Result<Limits, LimitError> {
        match limits.len() {
            0 => return Err(LimitError::None),
            1..=LIMITS_MAX => {}
            count => return Err(LimitError::TooMany { count }),
        }
        for (number, limit) in (1..).zip(&limits) {
            if !is_plain_word(&limit.code) {
                return Err(LimitError::BadCode { number });
            }
            let mut with_code = (1..).zip(&limits).filter(|(_, other)| other.code == limit.code);
            if let Some((first, _)) = with_code.next().filter(|(first, _)| *first < number) {
                return Err(LimitError::SameCode { first, second: number, code: limit.code.clone() });
            }
        }
        Ok(Limits(limits))
    }

    /// Returns the limits, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.0.iter()
    }

    /// Every limit that this usage of the day's week is over; `None` when it is within all of them.
    pub fn exceeded_by(&self, usage: &WeekUsage, day: Day) -> Option<BrokenLimits<'_>> {
        let over = |limit: &Limit| usage.used(limit.measure, limit.window, day) > limit.max;
        let places = (0_u32..).zip(&self.0).filter(|(_, limit)| over(limit));
        let places = places.fold(0, |set, (place, _)| set | 1_u32.checked_shl(place).unwrap_or_default());
        NonZeroU32::new(places).map(|places| BrokenLimits { limits: self, places })
    }
}

impl Default for Limits {
    /// Returns the built-in limits: $5,000.00 and 3 loads a day, $20,000.00 a week. `limits.toml` has the same.
    fn default() -> Limits {
        let limit = |code: &str, measure, window, max| Limit { code: code.to_owned(), measure, window, max };
        Limits(vec![
            limit("DAILY_AMOUNT", Measure::Amount, Window::Day, Cents::new(5_000_00).get()),
            limit("WEEKLY_AMOUNT", Measure::Amount, Window::Week, Cents::new(20_000_00).get()),
            limit("DAILY_COUNT", Measure::Count, Window::Day, 3),
        ])
    }
}

impl<'l> BrokenLimits<'l> {
    /// The limits' codes, in the order in which the limits apply.
    pub fn codes(self) -> impl Iterator<Item = &'l str> {
        let is_broken = move |place: u32| self.places.get().checked_shr(place).is_some_and(|bits| bits & 1 == 1);
        let broken = (0_u32..).zip(self.limits.iter()).filter(move |(place, _)| is_broken(*place));
        broken.map(|(_, limit)| limit.code.as_str())
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
