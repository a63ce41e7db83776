//! Times: strict RFC 3339, UTC days, and ISO weeks.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use loadgate::domain::{Day, TimeError, TimeReader, parse_time};
use proptest::prelude::*;

use crate::support::oracle;

fn utc(text: &str) -> DateTime<Utc> {
    oracle::instant(text).unwrap()
}

#[test]
fn every_offset_is_converted_to_utc() {
    for (text, same) in [
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"),
        ("2000-01-01t00:00:00z", "2000-01-01T00:00:00Z"),
        ("2000-01-01T00:00:00-00:00", "2000-01-01T00:00:00Z"),
        ("2000-01-01T05:30:00+05:30", "2000-01-01T00:00:00Z"),
        ("1999-12-31T19:00:00-05:00", "2000-01-01T00:00:00Z"),
        ("2000-01-01T23:59:00+23:59", "2000-01-01T00:00:00Z"),
        ("1999-12-31T23:59:59.999999999Z", "1999-12-31T23:59:59Z"),
        ("1999-12-31T23:59:59.99999999999999999999Z", "1999-12-31T23:59:59Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59Z"),
        ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
    ] {
        let read = parse_time(text).unwrap_or_else(|error| panic!("{text} {error}"));
        assert_eq!(read.timestamp(), utc(same).timestamp(), "{text}");
    }
}

#[test]
fn everything_else_is_refused() {
    use TimeError::{Form, LeapSecond, NoSuchTime};
    for (text, error) in [
        ("", Form),
        ("2000-01-01", Form),
        ("2000-01-01T00:00:00", Form),
        ("2000-01-01 00:00:00Z", Form),
        ("2000-01-01T00:00:00+0000", Form),
        ("2000-01-01T00:00:00+00", Form),
        ("2000-01-01T00:00:00.Z", Form),
        ("2000-01-01T00:00:00,5Z", Form),
        ("2000-01-01T00:00Z", Form),
        ("2000-01-01T00:00:00Zx", Form),
        (" 2000-01-01T00:00:00Z", Form),
        ("2000-01-01T00:00:00Z ", Form),
        ("20000-01-01T00:00:00Z", Form),
        ("+2000-01-01T00:00:00Z", Form),
        ("2000-1-1T00:00:00Z", Form),
        ("2000-W01-1T00:00:00Z", Form),
        ("2000-01-01T00:00:00\u{2212}05:00", Form),
        ("٢٠٠٠-01-01T00:00:00Z", Form),
        ("946684800", Form),
        ("2019-02-29T00:00:00Z", NoSuchTime),
        ("2000-13-01T00:00:00Z", NoSuchTime),
        ("2000-00-01T00:00:00Z", NoSuchTime),
        ("2000-01-32T00:00:00Z", NoSuchTime),
        ("2000-01-01T24:00:00Z", NoSuchTime),
        ("2000-01-01T00:60:00Z", NoSuchTime),
        ("2000-01-01T00:00:61Z", NoSuchTime),
        ("2000-01-01T00:00:00+24:00", NoSuchTime),
        ("2000-01-01T00:00:00+00:60", NoSuchTime),
        ("2000-01-01T12:00:60Z", LeapSecond),
        ("2000-01-01T23:59:60+01:00", LeapSecond),
    ] {
        assert_eq!(parse_time(text), Err(error), "{text}");
    }
}

#[test]
fn weeks_run_from_monday_to_sunday_across_month_and_year_ends() {
    let week = |text: &str| Day::of(utc(text)).week();
    let monday = "2018-12-31T00:00:00Z";
    assert_eq!(week(monday), week("2019-01-01T12:00:00Z"));
    assert_eq!(week(monday), week("2019-01-06T23:59:59Z"));
    assert_ne!(week(monday), week("2019-01-07T00:00:00Z"));
    assert_ne!(week(monday), week("2018-12-30T23:59:59Z"));
    assert_eq!(week(monday).monday().to_string(), "2018-12-31");
    assert_eq!(week("2024-02-29T00:00:00Z"), week("2024-03-03T00:00:00Z"));
}

#[test]
fn days_and_weeks_match_the_iso_calendar_for_five_centuries() {
    let mut date = NaiveDate::from_ymd_opt(1700, 1, 1).unwrap();
    while date.year() < 2200 {
        let day = Day::of(date.and_hms_opt(23, 59, 59).unwrap().and_utc());
        assert_eq!(day.to_string(), date.to_string());
        assert_eq!(u32::from(day.days_since_monday()), date.weekday().num_days_from_monday(), "{date}");
        let monday = day.week().monday().to_string().parse::<NaiveDate>().unwrap();
        assert_eq!((monday.iso_week(), monday.weekday()), (date.iso_week(), chrono::Weekday::Mon), "{date}");
        date = date.succ_opt().unwrap();
    }
}

proptest! {
    #[test]
    fn parsing_agrees_with_the_oracle(
        text in r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,12})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])?",
    ) {
        let read = parse_time(&text).ok().map(|time| time.timestamp());
        prop_assert_eq!(read, oracle::instant(&text).map(|time| time.timestamp()), "{}", text);
    }

    #[test]
    fn no_text_causes_a_panic(text in r"\PC{0,40}|.{0,40}") {
        let _ = parse_time(&text);
    }
}

/// Instants of few dates in the plain form, and others with one byte exchanged.
fn successive_times() -> impl Strategy<Value = Vec<String>> {
    let date = prop_oneof!["2018-12-31", "2019-01-01", "2016-12-31", "2019-02-29"];
    let time = (
        0..25_u8,
        0..61_u8,
        0..62_u8,
        prop_oneof![9 => Just("Z"), 1 => prop_oneof![Just("z"), Just(".5Z"), Just("+01:00"), Just("")]],
    );
    let plain = (date, time).prop_map(|(date, (h, m, s, zone))| format!("{date}T{h:02}:{m:02}:{s:02}{zone}"));
    let changed = (plain.clone(), any::<prop::sample::Index>(), "[-0-9TZtz:. +٣]").prop_map(|(text, place, with)| {
        let place = place.index(text.len());
        format!("{}{with}{}", &text[..place], &text[place + 1..])
    });
    prop::collection::vec(prop_oneof![4 => plain, 1 => changed], 1..20)
}

proptest! {
    #[test]
    fn a_reader_of_successive_times_reads_each_as_if_it_were_alone(texts in successive_times()) {
        let mut reader = TimeReader::default();
        for text in texts {
            prop_assert_eq!(reader.read(&text), parse_time(&text), "{}", text);
        }
    }
}
