//! The decision rule: one row for each outcome, and both sides of each boundary.

use loadgate::domain::{
    AttemptText, Cents, Day, Decision, Limit, LimitError, Limits, LoadAttempt, Measure, WeekUsage, Window, Zone,
    decide_in_week,
};

fn attempt(amount: &str, time: &str) -> LoadAttempt<'static> {
    let text = AttemptText {
        id: "1".into(),
        customer_id: "7".into(),
        load_amount: amount.to_owned().into(),
        time: time.to_owned().into(),
    };
    LoadAttempt::check(text).unwrap()
}

/// Returns the usage of the week of 2018-12-31 after some accepted loads.
fn usage(accepted: &[(&str, &str)]) -> WeekUsage {
    accepted.iter().fold(WeekUsage::default(), |usage, (amount, time)| {
        let attempt = attempt(amount, time);
        usage.with_load(Day::of(attempt.time), attempt.amount)
    })
}

const MON: &str = "2018-12-31T09:00:00Z";
const TUE: &str = "2019-01-01T09:00:00Z";
const WED: &str = "2019-01-02T09:00:00Z";
const THU: &str = "2019-01-03T09:00:00Z";
const SUN: &str = "2019-01-06T23:59:59Z";

const FULL_WEEK_BUT_A_CENT: [(&str, &str); 4] =
    [("$5000.00", MON), ("$5000.00", TUE), ("$5000.00", WED), ("$4999.99", THU)];

/// Name, loads accepted before, amount and time of the attempt, and reasons to decline it.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str, &'a [&'a str]);

#[test]
fn every_row_has_its_outcome() {
    let limits = Limits::default();
    let week = FULL_WEEK_BUT_A_CENT;
    let day_in_week = [&[("$1.00", SUN), ("$1.00", SUN), ("$1.00", SUN)][..], &week[..]].concat();
    let rows: &[Row<'_>] = &[
        ("first load", &[], "$1.00", TUE, &[]),
        ("zero is an amount", &[], "$0.00", TUE, &[]),
        ("exactly a day's amount", &[], "$5000.00", TUE, &[]),
        ("a cent over a day's amount", &[], "$5000.01", TUE, &["DAILY_AMOUNT"]),
        ("up to a day's amount", &[("$1234.56", TUE)], "$3765.44", TUE, &[]),
        ("a cent over it in sum", &[("$1234.56", TUE)], "$3765.45", TUE, &["DAILY_AMOUNT"]),
        ("zero on a full day", &[("$5000.00", TUE)], "$0.00", TUE, &[]),
        ("another day of the week", &[("$5000.00", TUE)], "$5000.00", WED, &[]),
        ("third of a day", &[("$1.00", TUE), ("$1.00", TUE)], "$1.00", TUE, &[]),
        ("fourth of a day", &[("$1.00", TUE); 3], "$1.00", TUE, &["DAILY_COUNT"]),
        ("fourth of nothing", &[("$0.00", TUE); 3], "$0.00", TUE, &["DAILY_COUNT"]),
        ("first of the next day", &[("$1.00", TUE); 3], "$1.00", WED, &[]),
        ("exactly a week's amount", &week, "$0.01", SUN, &[]),
        ("a cent over a week's amount", &week, "$0.02", SUN, &["WEEKLY_AMOUNT"]),
        ("over day and week", &week, "$5000.01", SUN, &["DAILY_AMOUNT", "WEEKLY_AMOUNT"]),
        ("over count and week", &day_in_week, "$5.00", SUN, &["WEEKLY_AMOUNT", "DAILY_COUNT"]),
        ("over all", &day_in_week, "$5000.00", SUN, &["DAILY_AMOUNT", "WEEKLY_AMOUNT", "DAILY_COUNT"]),
        ("count and amount of a day", &[("$1.00", TUE); 3], "$4998.00", TUE, &["DAILY_AMOUNT", "DAILY_COUNT"]),
        ("a late load counts in its own day", &[("$5000.00", WED)], "$5000.00", MON, &[]),
        ("the largest amount", &[], "$90071992547409.91", TUE, &["DAILY_AMOUNT", "WEEKLY_AMOUNT"]),
    ];
    for (name, accepted, amount, time, reasons) in rows {
        let (before, attempt) = (usage(accepted), attempt(amount, time));
        let (decision, after) = decide_in_week(&limits, &before, &attempt);
        let named: Vec<&str> = decision.codes().collect();
        assert_eq!((decision.is_accepted(), &named[..]), (reasons.is_empty(), *reasons), "{name}");
        let counted = before.with_load(Day::of(attempt.time), attempt.amount);
        assert_eq!(after, if decision.is_accepted() { counted } else { before }, "{name}: usage after");
    }
}

#[test]
fn an_offset_moves_a_load_into_another_day_and_week() {
    let limits = Limits::default();
    let full_sunday = usage(&[("$5000.00", SUN)]);
    // Monday 01:00 in Berlin is still Sunday in UTC.
    let (decision, _) = decide_in_week(&limits, &full_sunday, &attempt("$0.01", "2019-01-07T00:59:59+01:00"));
    assert!(!decision.is_accepted());
}

fn limit(code: &str, measure: Measure, window: Window, max: u64) -> Limit {
    Limit { code: code.to_owned(), measure, window, max }
}

#[test]
fn limits_apply_in_every_measure_and_window() {
    let limits = Limits::new(vec![
        limit("weekly-count", Measure::Count, Window::Week(Zone::UTC), 2),
        limit("none-today", Measure::Count, Window::Day(Zone::UTC), 1),
    ]);
    let limits = limits.unwrap();
    let codes = |accepted: &[(&str, &str)], time| {
        let (decision, _) = decide_in_week(&limits, &usage(accepted), &attempt("$99999.00", time));
        decision.codes().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(codes(&[("$1", MON)], TUE).is_empty());
    assert_eq!(codes(&[("$1", MON)], MON), ["none-today"]);
    assert_eq!(codes(&[("$1", MON), ("$1", TUE)], WED), ["weekly-count"]);
    assert_eq!(codes(&[("$1", MON), ("$1", TUE)], TUE), ["weekly-count", "none-today"]);
}

#[test]
fn all_32_limits_of_the_largest_table_can_be_named() {
    let all = (1..=32).map(|max| limit(&format!("L{max}"), Measure::Amount, Window::Day(Zone::UTC), max)).collect();
    let limits = Limits::new(all).unwrap();
    let (decision, _) = decide_in_week(&limits, &WeekUsage::default(), &attempt("$0.32", TUE));
    assert_eq!(decision.codes().count(), 31);
    let (decision, _) = decide_in_week(&limits, &WeekUsage::default(), &attempt("$0.33", TUE));
    assert_eq!(decision.codes().last(), Some("L32"));
}

#[test]
fn an_overflowing_sum_exceeds_every_limit() {
    let limits = Limits::new(vec![limit("ANY", Measure::Amount, Window::Week(Zone::UTC), u64::MAX - 1)]).unwrap();
    let day = Day::of(attempt("$0", TUE).time);
    let usage = WeekUsage::default().with_load(day, Cents::new(u64::MAX - 1));
    assert_eq!(decide_in_week(&limits, &usage, &attempt("$0.00", TUE)).0, Decision::Accepted);
    assert!(!decide_in_week(&limits, &usage, &attempt("$90071992547409.91", WED)).0.is_accepted());
}

#[test]
fn an_invalid_table_of_limits_is_refused() {
    let one = |code: &str| limit(code, Measure::Count, Window::Day(Zone::UTC), 1);
    assert_eq!(Limits::new(vec![]), Err(LimitError::None));
    let many = (0..33).map(|n| one(&format!("L{n}"))).collect();
    assert_eq!(Limits::new(many), Err(LimitError::TooMany { count: 33 }));
    for code in ["", "WITH SPACE", "QUOTE\"", "Ü", &"X".repeat(65)] {
        assert_eq!(Limits::new(vec![one("OK"), one(code)]), Err(LimitError::BadCode { number: 2 }), "{code}");
    }
    let same = LimitError::SameCode { first: 1, second: 3, code: "A".to_owned() };
    assert_eq!(Limits::new(vec![one("A"), one("B"), one("A")]), Err(same));
}
