//! A customer's loads as a store keeps them: some one by one, some by their day only.

use std::collections::BTreeMap;

use loadgate::domain::{
    AcceptedLoads, Cents, DAY_MS, History, KEPT_LOADS_MAX, Limit, Measure, Millis, RollingHours, Span, WeekHistory,
    Window, Zone,
};
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;

fn limit(measure: Measure, window: Window) -> Limit {
    Limit { code: "L".to_owned(), measure, window, max: 0 }
}

/// A load: its time in hours since 2024-02-26, a Monday, its cents, and whether it is kept.
type Load = (i64, u64, bool);

fn at(hours: i64) -> Millis {
    Millis::new(1_708_905_600_000 + hours * HOUR_MS)
}

fn history(loads: &[Load]) -> History {
    let mut history = History::default();
    for (hours, cents, is_kept) in loads {
        history.add(at(*hours), Cents::new(*cents), *is_kept);
    }
    history
}

/// Returns the total of the loads in a span. One that is not kept counts in every span that touches its day.
fn total(measure: Measure, loads: &[Load], start: i64, end: i64) -> u64 {
    let counts = |(hours, _, is_kept): &&Load| {
        let ms = at(*hours).get();
        let day = ms.div_euclid(DAY_MS) * DAY_MS;
        if *is_kept { start <= ms && ms < end } else { start < day + DAY_MS && day < end }
    };
    let value = |(_, cents, _): &Load| if measure == Measure::Amount { *cents } else { 1 };
    loads.iter().filter(counts).map(value).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_load_that_is_not_kept_counts_in_every_span_that_touches_its_day(
        loads in prop::collection::vec((-400..400_i64, 0..9_u64, any::<bool>()), 0..40),
        hours in 1..300_u16,
        holding in -400..400_i64,
    ) {
        let history = history(&loads);
        let length = i64::from(hours) * HOUR_MS;
        let holding = at(holding);
        for measure in [Measure::Amount, Measure::Count] {
            let rolling = limit(measure, Window::Rolling(RollingHours::new(hours).unwrap()));
            // Loads and days begin at whole hours, so totals change there only, and a millisecond after.
            let starts = (0..=i64::from(hours)).flat_map(|nth| {
                [0, 1, -1].map(|ms| holding.get() - nth * HOUR_MS + ms)
            });
            let starts = starts.filter(|start| *start <= holding.get() && holding.get() < start + length);
            let largest = starts.map(|start| total(measure, &loads, start, start + length)).max().unwrap();
            prop_assert_eq!(history.used(&rolling, holding), largest, "rolling {} {:?}", hours, measure);

            let zone = Zone::named("Asia/Kathmandu").unwrap();
            for window in [Window::Day(zone.clone()), Window::Week(zone.clone()), Window::Month(zone)] {
                let Span { start, end } = window.span(holding).unwrap();
                let expected = total(measure, &loads, start.get(), end.get());
                prop_assert_eq!(history.used(&limit(measure, window), holding), expected);
            }
        }
    }

    #[test]
    fn a_week_read_again_is_the_same(
        loads in prop::collection::vec((0..168_i64, 0..9_u64, any::<bool>()), 0..40),
    ) {
        let history = history(&loads);
        for (week, known) in &history.weeks {
            let again = WeekHistory::new(*week, *known.usage(), known.loads().clone());
            // A history that keeps nothing and one that has never kept anything are stored alike.
            prop_assert_eq!(&again, known);
        }
    }
}

#[test]
fn the_earliest_loads_beyond_the_most_kept_count_by_their_day() {
    let mut history = History::default();
    // One load a minute from Monday 00:00 on: 34 hours.
    let most = i64::try_from(KEPT_LOADS_MAX).unwrap();
    let minute = |nth: i64| Millis::new(at(0).get() + nth * 60_000);
    for nth in 0..most + 40 {
        history.add(minute(nth), Cents::new(1), true);
    }
    let kept: BTreeMap<_, usize> = history.weeks.iter().map(|(week, known)| (*week, known.loads().len())).collect();
    assert_eq!(kept.into_values().collect::<Vec<_>>(), [KEPT_LOADS_MAX]);
    let hour = |from: i64| Span { start: minute(from), end: minute(from + 60) };
    // The first 40 minutes of Monday are known by their day: every span of Monday has them, and none of Tuesday.
    assert_eq!(history.total(hour(0)).count, 20 + 40);
    assert_eq!(history.total(hour(600)).count, 60 + 40);
    assert_eq!(history.total(hour(1_440)).count, 60);
    assert_eq!(history.total(Span::ALWAYS).count, u32::try_from(most + 40).unwrap());
}

#[test]
fn a_total_without_an_end_that_is_not_known_counts_as_full() {
    let lifetime = limit(Measure::Amount, Window::Lifetime);
    assert_eq!(History::default().used(&lifetime, at(0)), u64::MAX);
    let mut loads = AcceptedLoads::default();
    loads.add(at(0), Cents::new(7));
    assert_eq!(loads.iter().collect::<Vec<_>>(), [(at(0), Cents::new(7))]);
}
