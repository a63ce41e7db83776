//! A customer's accepted loads, week by week, as far as a store keeps them: they answer every window.
//!
//! A week has each day's total, and the loads themselves where they are kept. Loads that are not kept (because they were
//! accepted before the customer had a long limit, or beyond [`KEPT_LOADS_MAX`]) are known by their day only. They count
//! in every span that touches the day: never less than the truth.

use std::collections::BTreeMap;

use super::{AcceptedLoads, Cents, Day, Limit, LoadTotal, Measure, Millis, Span, Week, WeekUsage, Window, Zone};

/// Maximum number of loads that a week keeps: the latest by time.
pub const KEPT_LOADS_MAX: usize = 2_000;

/// A customer's accepted loads of one ISO week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeekHistory {
    /// The totals of all loads, by their days.
    usage: WeekUsage,
    /// The loads that are kept.
    loads: AcceptedLoads,
    /// The totals of the other loads, by their days.
    unkept: WeekUsage,
}

/// A customer's accepted loads, as far as the windows around some attempts need them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The weeks that have loads. Every week that a window touches must be known: one that is missing has no loads.
    pub weeks: BTreeMap<Week, WeekHistory>,
    /// The totals of all loads from an instant on, for windows without an end: see [`Window::since`].
    pub totals: BTreeMap<Millis, LoadTotal>,
}

impl WeekHistory {
    /// Combines a week's totals with the loads that are kept of it.
    pub fn new(week: Week, usage: WeekUsage, loads: AcceptedLoads) -> WeekHistory {
        let mut unkept = usage;
        if !loads.is_empty() {
            for day in days(week) {
                let kept = loads.load_total(whole(day));
                unkept.set_day(day.days_since_monday(), usage.day(day).beyond(kept));
            }
        }
        WeekHistory { usage, loads, unkept }
    }

    /// Returns the totals of all loads, by their days.
    pub const fn usage(&self) -> &WeekUsage {
        &self.usage
    }

    /// Returns the loads that are kept.
    pub const fn loads(&self) -> &AcceptedLoads {
        &self.loads
    }

    /// Adds a load of this week. It is known by its day only, unless it is to be kept.
    pub fn add(&mut self, at: Millis, amount: Cents, is_kept: bool) {
        self.usage = self.usage.with_load(at.day(), amount);
        let left_out = if is_kept {
            self.loads.add(at, amount);
            if self.loads.len() > KEPT_LOADS_MAX { self.loads.remove_first() } else { None }
        } else {
            Some((at, amount))
        };
        if let Some((at, amount)) = left_out {
            self.unkept = self.unkept.with_load(at.day(), amount);
        }
    }

    /// Returns the total of the loads in a span, for the week with this first day.
    pub fn total(&self, week: Week, span: Span) -> LoadTotal {
        let touched = self.unkept_days(week).filter(|(day, _)| touches(span, *day));
        touched.fold(self.loads.load_total(span), |total, (_, unkept)| total.plus(unkept))
    }

    /// Returns the days with loads that are not kept.
    fn unkept_days(&self, week: Week) -> impl Iterator<Item = (Day, LoadTotal)> {
        let days = days(week).map(|day| (day, self.unkept.day(day)));
        days.filter(|(_, unkept)| *unkept != LoadTotal::default())
    }
}

impl History {
    /// Adds a load. See [`WeekHistory::add`].
    pub fn add(&mut self, at: Millis, amount: Cents, is_kept: bool) {
        self.weeks.entry(at.day().week()).or_default().add(at, amount, is_kept);
        for (_, total) in self.totals.iter_mut().filter(|(since, _)| **since <= at) {
            *total = total.with_load(amount);
        }
    }

    /// Returns the total of a limit's window around an instant, for a load that is not added: cents or loads. A window
    /// without an end whose total is not known counts as full.
    pub fn used(&self, limit: &Limit, at: Millis) -> u64 {
        if !limit.window.is_long() {
            let usage = self.weeks.get(&at.day().week()).map_or_else(WeekUsage::default, |week| week.usage);
            return usage.used(limit, at.day());
        }
        match (&limit.window, limit.window.since()) {
            (_, Some(since)) => self.totals.get(&since).map_or(u64::MAX, |total| total.measured(limit.measure)),
            (Window::Rolling(hours), None) => self.largest_total(limit.measure, hours.milliseconds(), at),
            (window, None) => window.span(at).map_or(0, |span| self.total(span).measured(limit.measure)),
        }
    }

    /// Returns the total of the loads in a span.
    pub fn total(&self, span: Span) -> LoadTotal {
        let weeks = self.touching(span).map(|(week, history)| history.total(*week, span));
        weeks.fold(LoadTotal::default(), LoadTotal::plus)
    }

    /// Returns the largest total of any span of this length, in milliseconds, that holds the instant.
    fn largest_total(&self, measure: Measure, length_ms: i64, holding: Millis) -> u64 {
        let earliest = holding.plus(length_ms.saturating_neg()).plus(1);
        let span = |start: Millis| Span { start, end: start.plus(length_ms) };
        let total = |start| self.total(span(start)).measured(measure);
        let around = Span { start: earliest, end: holding.plus(length_ms) };
        if !self.touching(around).any(|(week, history)| history.has_later(*week, holding)) {
            return total(earliest);
        }
        // Moving a span towards the instant loses nothing until it passes a kept load or the last millisecond of a day
        // with others. So a span with the largest total begins there, or with the instant itself.
        let weeks = self.touching(around);
        let starts = weeks.flat_map(|(week, history)| {
            let ends = history.unkept_days(*week).map(|(day, _)| whole(day).end.plus(-1));
            let ends = ends.filter(move |end| (earliest..=holding).contains(end));
            ends.chain(history.loads.times_between(earliest.plus(-1), holding))
        });
        starts.chain([holding]).map(total).max().unwrap_or_default()
    }

    fn touching(&self, span: Span) -> impl Iterator<Item = (&Week, &WeekHistory)> {
        let [first, last] = [span.start, span.end.plus(-1)].map(|instant| instant.day().week());
        self.weeks.range(first..=last.max(first))
    }
}

impl WeekHistory {
    /// Returns true when a load, or a day with loads that are not kept, begins later than this instant.
    fn has_later(&self, week: Week, instant: Millis) -> bool {
        self.loads.has_later(instant) || self.unkept_days(week).any(|(day, _)| whole(day).start > instant)
    }
}

/// Returns the days of a week.
fn days(week: Week) -> impl Iterator<Item = Day> {
    (0..7).map(move |days| week.monday().plus(days))
}

/// Returns the span of a UTC day.
fn whole(day: Day) -> Span {
    Span::of_days(&Zone::UTC, day, day.plus(1))
}

fn touches(span: Span, day: Day) -> bool {
    let day = whole(day);
    span.start < day.end && day.start < span.end
}
