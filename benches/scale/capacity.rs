//! Provisioned write capacity of a table, with auto scaling by target tracking, as DynamoDB documents it: two minutes above the
//! target raise the capacity, fifteen far below lower it, and capacity that is not used for five minutes is kept for a burst.

use std::collections::VecDeque;

/// Settings of auto scaling: parameters of template.yaml.
#[derive(Clone, Copy)]
pub(crate) struct Scaling {
    pub(crate) units_min: u64,
    pub(crate) units_max: u64,
    /// The share of the capacity that is to be consumed, in percent.
    pub(crate) target_percent: u64,
    /// The length of a minute. A simulated day is shorter than a real one.
    pub(crate) minute_us: u64,
}

/// Minutes above the target before the capacity grows, and before a new capacity is in force.
const MINUTES_ABOVE: u32 = 2;
const MINUTES_TO_CHANGE: u64 = 1;

/// Minutes far below the target before the capacity shrinks, and how far below it is, in percent of the capacity.
const MINUTES_BELOW: usize = 15;
const BELOW_PERCENT: u64 = 20;

/// Minutes of unused capacity that are kept.
const BURST_MINUTES: u64 = 5;

/// Decreases of a day that need no pause, and the pause before each further one, in minutes.
const DECREASES_FREE: u32 = 4;
const DECREASE_PAUSE_MINUTES: u64 = 60;

const SECOND_US: i128 = 1_000_000;

/// The capacity of a table in the course of time.
pub(crate) struct Capacity {
    scaling: Scaling,
    units_per_s: u64,
    /// Units that may be consumed now, in millionths; negative if commits wait for them.
    left: i128,
    now_us: u64,
    minute: u64,
    consumed: u64,
    minutes_above: u32,
    /// Consumed units a second of the last minutes.
    recent: VecDeque<u64>,
    /// The minute from which another capacity is in force.
    change: Option<(u64, u64)>,
    decreases: u32,
    decreased_at: u64,
    /// Capacity, integrated over time in microseconds.
    provided: u128,
}

impl Capacity {
    pub(crate) fn new(scaling: Scaling) -> Capacity {
        Capacity {
            scaling,
            units_per_s: scaling.units_min,
            left: 0,
            now_us: 0,
            minute: 0,
            consumed: 0,
            minutes_above: 0,
            recent: VecDeque::new(),
            change: None,
            decreases: 0,
            decreased_at: 0,
            provided: 0,
        }
    }

    /// Consumes units at an instant. Returns the time for which the request is refused before it succeeds: 0 if there is capacity.
    pub(crate) fn take(&mut self, units: u64, at_us: u64) -> u64 {
        self.advance(at_us);
        self.consumed += units;
        self.left -= i128::from(units) * SECOND_US;
        let missing = u128::try_from(-self.left).unwrap_or(0);
        u64::try_from(missing / u128::from(self.units_per_s)).unwrap_or(u64::MAX)
    }

    /// Returns the mean capacity until now, in units a second.
    pub(crate) fn mean_units_per_s(&self) -> u64 {
        u64::try_from(self.provided / u128::from(self.now_us.max(1))).unwrap_or(u64::MAX)
    }

    fn advance(&mut self, to_us: u64) {
        while (self.minute + 1) * self.scaling.minute_us <= to_us {
            self.fill((self.minute + 1) * self.scaling.minute_us);
            self.end_minute();
        }
        self.fill(to_us);
    }

    fn fill(&mut self, to_us: u64) {
        let elapsed = u128::from(to_us.saturating_sub(self.now_us));
        self.now_us = self.now_us.max(to_us);
        let filled = elapsed * u128::from(self.units_per_s);
        self.provided += filled;
        let most = u128::from(BURST_MINUTES * self.scaling.minute_us) * u128::from(self.units_per_s);
        let most = i128::try_from(most).unwrap_or(i128::MAX);
        self.left = (self.left + i128::try_from(filled).unwrap_or(i128::MAX)).min(most);
    }

    fn end_minute(&mut self) {
        let Scaling { units_min, units_max, target_percent, minute_us } = self.scaling;
        let rate = self.consumed * 1_000_000 / minute_us;
        self.consumed = 0;
        self.minute += 1;
        if self.recent.len() == MINUTES_BELOW {
            self.recent.pop_front();
        }
        self.recent.push_back(rate);
        if let Some((minute, units)) = self.change
            && minute <= self.minute
        {
            (self.units_per_s, self.change, self.minutes_above) = (units, None, 0);
            self.recent.clear();
            return;
        }
        let is_above = rate * 100 > self.units_per_s * target_percent;
        self.minutes_above = if is_above { self.minutes_above + 1 } else { 0 };
        let wanted = |rate: u64| (rate * 100).div_ceil(target_percent).clamp(units_min, units_max);
        if self.change.is_some() {
            return;
        }
        let most = self.recent.iter().copied().max().unwrap_or(0);
        let is_below = self.recent.len() == MINUTES_BELOW
            && most * 100 < self.units_per_s * target_percent.saturating_sub(BELOW_PERCENT);
        let may_decrease = self.decreases < DECREASES_FREE || self.minute >= self.decreased_at + DECREASE_PAUSE_MINUTES;
        if self.minutes_above >= MINUTES_ABOVE && wanted(rate) > self.units_per_s {
            self.change = Some((self.minute + MINUTES_TO_CHANGE, wanted(rate)));
        } else if is_below && may_decrease && wanted(most) < self.units_per_s {
            (self.decreases, self.decreased_at) = (self.decreases + 1, self.minute);
            self.change = Some((self.minute + MINUTES_TO_CHANGE, wanted(most)));
        }
    }
}
