//! Windows: spans against facts and an independent library, totals against an oracle that keeps every load.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Duration, NaiveDate, TimeZone, Utc};
use loadgate::domain::{
    AcceptedLoads, Anchored, Cents, Limit, Limits, Measure, Millis, Period, RollingHours, Span, Window, Zone,
};
use loadgate::wire::Reasons;
use proptest::prelude::*;

use crate::support::{Settings, line, replay};

fn at(time: &str) -> Millis {
    Millis::of(time.parse().unwrap())
}

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap_or_else(|| panic!("no zone {name}"))
}

pub fn text(instant: Millis) -> String {
    DateTime::<Utc>::from_timestamp_millis(instant.get()).unwrap().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn span(window: &Window, time: &str) -> [String; 2] {
    let Span { start, end } = window.span(at(time)).unwrap();
    assert!(start <= at(time) && at(time) < end, "{window:?} {time}");
    [text(start), text(end)]
}

#[test]
fn spans_of_utc_are_days_iso_weeks_and_months() {
    let [day, week, month] = [Window::Day(Zone::UTC), Window::Week(Zone::UTC), Window::Month(Zone::UTC)];
    for (window, time, start, end) in [
        (&day, "2024-02-29T23:59:59.999Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        (&day, "1969-12-31T23:59:59.9999Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        (&day, "2016-12-31T23:59:60.5Z", "2016-12-31T00:00:00Z", "2017-01-01T00:00:00Z"),
        (&week, "2020-12-31T12:00:00Z", "2020-12-28T00:00:00Z", "2021-01-04T00:00:00Z"),
        (&week, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"),
        (&month, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        (&month, "2023-12-31T23:59:59Z", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        (&month, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0000-02-01T00:00:00Z"),
        (&week, "0000-01-01T00:00:00Z", "-0001-12-27T00:00:00Z", "0000-01-03T00:00:00Z"),
        (&day, "9999-12-31T12:00:00Z", "9999-12-31T00:00:00Z", "+10000-01-01T00:00:00Z"),
    ] {
        assert_eq!(span(window, time), [start, end], "{window:?} {time}");
    }
}

#[test]
fn local_days_begin_at_the_first_midnight_or_after_the_gap() {
    for (name, time, start, end) in [
        // Clocks go forward at 01:00: 23 hours. Back at 02:00: 25 hours.
        ("Europe/London", "2024-03-31T12:00:00Z", "2024-03-31T00:00:00Z", "2024-03-31T23:00:00Z"),
        ("Europe/London", "2024-10-27T12:00:00Z", "2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z"),
        // No midnight: 00:00 becomes 01:00.
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T02:59:59.999Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"),
        // At midnight the clock goes back to 23:00: that hour belongs to the day that it repeats.
        ("America/Sao_Paulo", "2019-02-17T02:30:00Z", "2019-02-16T02:00:00Z", "2019-02-17T03:00:00Z"),
        // Midnight exists twice: 01:00 becomes 00:00.
        ("America/Havana", "2024-11-03T04:30:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"),
        // At 00:01 the clock goes back to 23:01: the new day has begun, and goes on.
        ("America/St_Johns", "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"),
        // Midnight lies inside the gap from 23:30 to 00:30.
        ("America/Toronto", "1919-03-31T12:00:00Z", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z"),
        // 30 December 2011 did not exist in Samoa.
        ("Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T09:59:59.999Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        // Years at the ends of what a load may have, far from all known changes.
        ("Europe/London", "0000-01-01T00:01:14Z", "-0001-12-31T00:01:15Z", "0000-01-01T00:01:15Z"),
        ("Pacific/Kiritimati", "9999-12-31T23:59:59.999Z", "9999-12-31T10:00:00Z", "+10000-01-01T10:00:00Z"),
        ("America/New_York", "9999-12-31T23:59:59.999Z", "9999-12-31T05:00:00Z", "+10000-01-01T05:00:00Z"),
    ] {
        assert_eq!(span(&Window::Day(zone(name)), time), [start, end], "{name} {time}");
    }
}

#[test]
fn local_weeks_and_months_are_whole_days() {
    let london = zone("Europe/London");
    let month = Window::Month(london.clone());
    assert_eq!(span(&month, "2024-03-31T23:00:00Z"), ["2024-03-31T23:00:00Z", "2024-04-30T23:00:00Z"]);
    assert_eq!(span(&month, "2024-10-15T00:00:00Z"), ["2024-09-30T23:00:00Z", "2024-11-01T00:00:00Z"]);
    let week = Window::Week(london);
    assert_eq!(span(&week, "2024-03-31T12:00:00Z"), ["2024-03-25T00:00:00Z", "2024-03-31T23:00:00Z"]);
    // The day that a repeated hour belongs to decides, not the clock: Sunday's last hour, again.
    let week = Window::Week(zone("America/Sao_Paulo"));
    assert_eq!(span(&week, "2019-02-17T02:30:00Z"), ["2019-02-11T02:00:00Z", "2019-02-18T03:00:00Z"]);
}

#[test]
fn anchored_spans_are_counted_from_the_anchor() {
    let window = |anchor, period| Window::Anchored(Anchored { anchor: at(anchor), period });
    for (anchor, period, time, start, end) in [
        (
            "2022-03-22T10:48:10.592Z",
            Period::Day,
            "2022-03-22T10:48:10.592Z",
            "2022-03-22T10:48:10.592Z",
            "2022-03-23T10:48:10.592Z",
        ),
        (
            "2022-03-22T10:48:10.592Z",
            Period::Day,
            "2022-03-24T10:48:10.591Z",
            "2022-03-23T10:48:10.592Z",
            "2022-03-24T10:48:10.592Z",
        ),
        (
            "2022-03-22T10:48:10.592Z",
            Period::Week,
            "2022-04-01T00:00:00Z",
            "2022-03-29T10:48:10.592Z",
            "2022-04-05T10:48:10.592Z",
        ),
        (
            "1969-12-31T12:00:00Z",
            Period::Day,
            "1970-01-01T11:59:59.999Z",
            "1969-12-31T12:00:00Z",
            "1970-01-01T12:00:00Z",
        ),
        // 31 January, 28 February, 31 March, 30 April: always from the anchor.
        ("2023-01-31T06:00:00Z", Period::Month, "2023-02-28T05:59:59Z", "2023-01-31T06:00:00Z", "2023-02-28T06:00:00Z"),
        ("2023-01-31T06:00:00Z", Period::Month, "2023-03-30T00:00:00Z", "2023-02-28T06:00:00Z", "2023-03-31T06:00:00Z"),
        ("2023-01-31T06:00:00Z", Period::Month, "2023-04-30T06:00:00Z", "2023-04-30T06:00:00Z", "2023-05-31T06:00:00Z"),
        ("2023-01-31T06:00:00Z", Period::Month, "2024-02-29T07:00:00Z", "2024-02-29T06:00:00Z", "2024-03-31T06:00:00Z"),
    ] {
        assert_eq!(span(&window(anchor, period), time), [start, end], "{anchor} {period:?} {time}");
    }
    let indefinite = window("2022-03-22T10:48:10.592Z", Period::Indefinite).span(at("2024-01-01T00:00:00Z")).unwrap();
    assert_eq!((indefinite.start, indefinite.end), (at("2022-03-22T10:48:10.592Z"), Span::ALWAYS.end));
}

#[test]
fn a_window_resets_at_its_span_s_end_unless_no_date_can_be_written() {
    let time = at("9999-12-31T12:00:00Z");
    let year_9999 = at("9999-12-30T12:00:00Z");
    assert_eq!(Window::Day(Zone::UTC).resets_at(time), None);
    assert_eq!(Window::Day(Zone::UTC).resets_at(year_9999), Some("9999-12-31T00:00:00Z".parse().unwrap()));
    let hours = RollingHours::new(24).unwrap();
    for window in [Window::Load, Window::Lifetime, Window::Rolling(hours)] {
        assert_eq!(window.resets_at(year_9999), None, "{window:?}");
    }
}

#[test]
fn zones_have_exactly_their_iana_names() {
    for name in ["UTC", "Etc/UTC", "Zulu"] {
        assert!(zone(name).is_utc(), "{name}");
    }
    for name in ["", "europe/london", "Europe/Atlantis", "BST", "+01:00"] {
        assert_eq!(Zone::named(name), None, "{name}");
    }
    assert_eq!((zone("Europe/London").name(), zone("Europe/London").is_utc()), ("Europe/London", false));
}

/// Returns the first instant at which the local clock of `chrono-tz` shows the date or a later one, by looking at every
/// minute.
fn first_minute_of(zone: chrono_tz::Tz, date: NaiveDate) -> i64 {
    let midnight = date.and_hms_opt(0, 0, 0).unwrap();
    let begin = Utc.from_utc_datetime(&(midnight - Duration::hours(26)));
    let minutes = (0..52 * 60).map(|minute| begin + Duration::minutes(minute));
    let mut minutes = minutes.skip_while(|minute| minute.with_timezone(&zone).naive_local() < midnight);
    minutes.next().unwrap().timestamp_millis()
}

fn zone_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Europe/London",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Havana",
        "America/St_Johns",
        "Asia/Beirut",
        "Asia/Gaza",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Kwajalein",
        "Asia/Kathmandu",
        "Africa/Cairo",
        "America/Asuncion",
        "Atlantic/Azores",
        "Antarctica/Troll",
        "America/Scoresbysund",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn local_days_begin_where_another_library_s_clock_shows_them(name in zone_name(), days in 0..19_700_i32) {
        let date = NaiveDate::from_epoch_days(days).unwrap();
        let other: chrono_tz::Tz = name.parse().unwrap();
        let start = zone(name).start_of(loadgate::domain::Day::from_epoch_days(days));
        prop_assert_eq!(start.get(), first_minute_of(other, date), "{} {}", name, date);
    }

    #[test]
    fn every_instant_lies_in_its_span_and_spans_follow_one_another(
        name in zone_name(),
        ms in -62_167_219_200_000_i64..253_402_300_800_000,
        near in prop::sample::select(vec![0_i64, 1, 2]),
    ) {
        let zone = zone(name);
        let anchored = |period| Window::Anchored(Anchored { anchor: Millis::new(ms / 7 * 3), period });
        let windows = [
            Window::Day(zone.clone()), Window::Week(zone.clone()), Window::Month(zone),
            anchored(Period::Day), anchored(Period::Week), anchored(Period::Month),
        ];
        for window in windows {
            let this = window.span(Millis::new(ms)).unwrap();
            prop_assert!(this.holds(Millis::new(ms)), "{:?}", window);
            // The last instants of a span, its first ones, and those around them belong to neighbours that touch.
            for instant in [this.end.plus(-near), this.end.plus(near), this.start.plus(near)] {
                let other = window.span(instant).unwrap();
                prop_assert!(other.holds(instant), "{:?} {:?}", window, instant);
                prop_assert!(other == this || other.start == this.end || other.end == this.start, "{:?}", window);
            }
        }
    }
}

/// Time between two instants of a test.
const STEP_MS: i64 = 30 * 60 * 1000;

/// Returns the key of the span that holds the time, independently of [`Window::span`]; `None` for a rolling window.
fn oracle_key(window: &Window, ms: i64) -> Option<String> {
    let utc = DateTime::<Utc>::from_timestamp_millis(ms).unwrap();
    let local = |zone: &Zone| utc.with_timezone(&zone.name().parse::<chrono_tz::Tz>().unwrap()).naive_local();
    match window {
        Window::Load => Some(format!("load {ms}")),
        Window::Day(zone) => Some(local(zone).format("%Y-%m-%d").to_string()),
        Window::Week(zone) => Some(format!("{:?}", local(zone).iso_week())),
        Window::Month(zone) => Some(format!("{}-{}", local(zone).year(), local(zone).month())),
        Window::Lifetime => Some(String::new()),
        Window::Rolling(_) | Window::Anchored(_) => None,
    }
}

/// Returns a limit's total before an attempt, from a list of all accepted loads.
pub fn oracle_used(limit: &Limit, accepted: &[(i64, u64)], ms: i64) -> u64 {
    let value = |(_, cents): &&(i64, u64)| if limit.measure == Measure::Amount { *cents } else { 1 };
    match (&limit.window, oracle_key(&limit.window, ms)) {
        (Window::Load, _) => 0,
        (_, Some(key)) => {
            let is_same = |load: &&(i64, u64)| oracle_key(&limit.window, load.0).as_ref() == Some(&key);
            accepted.iter().filter(is_same).map(|load| value(&load)).sum()
        }
        (Window::Rolling(hours), None) => {
            let length = i64::from(hours.get()) * 3_600_000;
            // Every span that holds the attempt: loads lie on multiples of the step, and so need its begins.
            let begins = (0..=length / STEP_MS).map(|steps| ms - length + 1 + steps * STEP_MS).chain([ms]);
            let holds = |begin: i64, at: i64| begin <= at && at < begin + length;
            let total = |begin| accepted.iter().filter(|load| holds(begin, load.0)).map(|load| value(&load)).sum();
            begins.filter(|begin| holds(*begin, ms)).map(total).max().unwrap_or(0)
        }
        (_, None) => panic!("no other window"),
    }
}

fn window() -> impl Strategy<Value = Window> {
    let zone = prop::sample::select(vec!["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu"]);
    let zone = zone.prop_map(zone_or_utc).boxed();
    prop_oneof![
        Just(Window::Load),
        zone.clone().prop_map(Window::Day),
        zone.clone().prop_map(Window::Week),
        zone.prop_map(Window::Month),
        Just(Window::Lifetime),
        (1..200_u16).prop_map(|hours| Window::Rolling(RollingHours::new(hours).unwrap())),
    ]
}

fn zone_or_utc(name: &str) -> Zone {
    if name == "UTC" { Zone::UTC } else { zone(name) }
}

pub fn limits() -> impl Strategy<Value = Vec<Limit>> {
    prop::collection::vec((any::<bool>(), window(), 0..12_u64), 1..6).prop_map(|limits| {
        let limit = |(place, (is_amount, window, max)): (usize, (bool, Window, u64))| {
            let is_amount = is_amount || window == Window::Load;
            let (measure, max) = if is_amount { (Measure::Amount, max * 50) } else { (Measure::Count, max) };
            Limit { code: format!("L{place}"), measure, window, max }
        };
        limits.into_iter().enumerate().map(limit).collect()
    })
}

/// Attempts of two customers across a change of the clocks, in any order.
pub fn attempts() -> impl Strategy<Value = Vec<(u8, i64, u64)>> {
    let begin = "2024-03-20T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_millis();
    let attempt = (0..2_u8, 0..1_200_i64, 0..120_u64);
    let attempt = attempt.prop_map(move |(customer, steps, cents)| (customer, begin + steps * STEP_MS, cents));
    (prop::collection::vec(attempt, 1..80), any::<bool>()).prop_map(|(mut attempts, is_in_order)| {
        if is_in_order {
            attempts.sort_by_key(|attempt| attempt.1);
        }
        attempts
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_replay_decides_by_every_window_as_an_oracle_that_keeps_every_load(limits in limits(), attempts in attempts()) {
        let mut accepted = BTreeMap::<u8, Vec<(i64, u64)>>::new();
        let (mut input, mut expected) = (String::new(), Vec::new());
        for (number, (customer, ms, cents)) in attempts.iter().enumerate() {
            let loads = accepted.entry(*customer).or_default();
            let this = |limit: &Limit| if limit.measure == Measure::Amount { *cents } else { 1 };
            let is_broken = |limit: &&Limit| oracle_used(limit, loads, *ms) + this(limit) > limit.max;
            let reasons: Vec<&str> = limits.iter().filter(is_broken).map(|limit| limit.code.as_str()).collect();
            if reasons.is_empty() {
                loads.push((*ms, *cents));
            }
            let amount = format!("$0.{cents:02}");
            let amount = if *cents < 100 { amount } else { format!("$1.{:02}", cents - 100) };
            input += &line(&number.to_string(), &customer.to_string(), &amount, &text(Millis::new(*ms)));
            expected.push(serde_json::json!(reasons));
        }
        let settings = Settings { limits: Limits::new(limits).unwrap(), reasons: Reasons::Named, threads: 2 };
        let decisions = replay(input.as_bytes(), settings).decisions;
        let decided = decisions.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let decided: Vec<_> = decided.map(|decision| decision["reasons"].clone()).collect();
        prop_assert_eq!(decided, expected);
    }

    /// Rolling totals by brute force over every span, millisecond by millisecond.
    #[test]
    fn the_largest_rolling_total_is_that_of_every_span(
        loads in prop::collection::vec((0..60_i64, 0..9_u64), 0..25), length in 1..20_i64, holding in 0..60_i64,
    ) {
        let mut kept = AcceptedLoads::default();
        for (at, cents) in &loads {
            kept.add(Millis::new(*at), Cents::new(*cents));
        }
        for measure in [Measure::Amount, Measure::Count] {
            let value = |cents: u64| if measure == Measure::Amount { cents } else { 1 };
            let total = |start: i64| {
                let held = loads.iter().filter(|(at, _)| (start..start + length).contains(at));
                held.map(|(_, cents)| value(*cents)).sum::<u64>()
            };
            let largest = (holding - length + 1..=holding).map(total).max().unwrap();
            prop_assert_eq!(kept.largest_total(measure, length, Millis::new(holding)), largest);
        }
    }
}

#[test]
fn a_sum_beyond_all_integers_stays_the_largest() {
    let mut loads = AcceptedLoads::default();
    for _ in 0..3_000 {
        loads.add(Millis::new(0), Cents::LOAD_MAX);
    }
    assert_eq!(loads.total(Measure::Count, Span::ALWAYS), 3_000);
    assert_eq!(loads.total(Measure::Amount, Span::ALWAYS), u64::MAX);
}
