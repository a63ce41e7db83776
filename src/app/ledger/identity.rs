//! Who an event belongs to, and which event it is, as keyed 128-bit hashes.
//!
//! A replay keeps 16 bytes for an event instead of its ids, which may be 256 bytes long. The hash is SipHash-1-3 with
//! 128 bits of output under a key drawn at random for each run, so nobody can prepare ids that collide. Two of `n`
//! distinct events are taken for one with odds of at most n² / 2^129: for 20 million events, 6 in 10^25. Two of `n`
//! customers' weeks share their usage with odds of n² / 2^126.

use std::hash::Hasher;
use std::ops::RangeInclusive;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::domain::{Day, LoadAttempt};

/// The golden ratio's share of 2^128: odd, and its multiples are spread evenly.
const WEEK_STRIDE: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The low bits of a day's key that tell the days of a week apart, 1 for Monday to 7 for Sunday.
const WEEKDAY_BITS: u128 = 0b111;

/// Works out identities under one secret key.
#[derive(Clone, Copy, Debug)]
pub struct Identifier {
    hasher: SipHasher13,
}

/// The identity of one attempt's customer and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of the customer.
    pub customer: u128,
    /// Of the event, among all customers' events. Never 0.
    pub event: u128,
}

impl Identifier {
    /// Identities under this key, which should be drawn at random for each run.
    pub fn new(key: [u8; 16]) -> Identifier {
        Identifier { hasher: SipHasher13::new_with_key(&key) }
    }

    /// The identity of the attempt's customer and event.
    pub fn identify(&self, attempt: &LoadAttempt<'_>) -> Identity {
        let mut hasher = self.hasher;
        hasher.write(attempt.customer_id.as_str().as_bytes());
        let customer = hasher.finish128().as_u128();
        // 0xFF stands nowhere in UTF-8, so no other pair of ids has these bytes.
        hasher.write_u8(0xff);
        hasher.write(attempt.id.as_str().as_bytes());
        Identity { customer, event: hasher.finish128().as_u128().max(1) }
    }
}

impl Identity {
    /// Which of `stripes` equal parts of all customers this one belongs to.
    pub fn stripe(self, stripes: usize) -> usize {
        // The bits above the weekdays' and below those that place a row in its table.
        let bits = usize::try_from((self.customer >> 3) & 0xffff_ffff).unwrap_or_default();
        bits.checked_rem(stripes).unwrap_or_default()
    }

    /// The key of the customer's usage of that day. Never 0.
    pub(super) fn day_key(self, day: Day) -> u128 {
        self.week_key(day) | (u128::from(day.days_since_monday()) + 1)
    }

    /// The keys of the customer's usage of all days of that day's week: they follow one another.
    pub(super) fn week_keys(self, day: Day) -> RangeInclusive<u128> {
        let week = self.week_key(day);
        week | 1..=week | WEEKDAY_BITS
    }

    /// A customer's weeks lie a whole stride apart: they never meet, and they spread over the table.
    fn week_key(self, day: Day) -> u128 {
        let monday = day.week().monday().since_epoch_days();
        let strides = WEEK_STRIDE.wrapping_mul(u128::from(monday.cast_unsigned()));
        self.customer.wrapping_add(strides) & !WEEKDAY_BITS
    }
}

/// Which day of its week a day's key is for: 0 is Monday.
pub(super) fn days_since_monday(day_key: u128) -> u8 {
    u8::try_from(day_key & WEEKDAY_BITS).unwrap_or_default().saturating_sub(1)
}
