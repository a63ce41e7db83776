//! Each candidate's decisions are those of a replay with its limits, for limits over all windows.

use std::fmt::Write;

use chrono::TimeDelta;
use loadgate::wire::Reasons;
use proptest::prelude::*;
use serde_json::Value;

use super::{backtest, json, limits, naive};
use crate::support::{Settings, line, oracle, replay};

const ZONES: [&str; 4] = ["UTC", "Europe/London", "America/New_York", "Pacific/Apia"];

/// Generates attempts that affect one another: few customers and ids, six weeks around a year end, in order except for some,
/// and amounts near the limits.
fn attempts() -> impl Strategy<Value = String> {
    let amount = prop_oneof![Just(0_u64), Just(1), Just(100_000), Just(250_000), Just(500_000), 0..600_000_u64];
    let attempt = (0..60_u32, 0..4_u32, amount, 0..42_u32 * 24, 0..9_u8);
    let other = prop_oneof![Just("\n".to_owned()), Just("oops\n".to_owned())];
    prop::collection::vec((attempt, prop::option::weighted(0.05, other)), 0..160).prop_map(|mut lines| {
        // Two of nine attempts keep a random time: they are late or early.
        let mut hours: Vec<u32> = lines.iter().map(|((_, _, _, hour, _), _)| *hour).collect();
        hours.sort_unstable();
        let mut text = String::new();
        for (((id, customer, cents, hour, late), other), sorted) in lines.drain(..).zip(hours) {
            let hour = if late < 2 { hour } else { sorted };
            let time = oracle::instant("2018-12-10T00:00:00Z").unwrap() + TimeDelta::hours(i64::from(hour));
            let time = time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let amount = format!("${}.{:02}", cents / 100, cents % 100);
            text.push_str(&line(&id.to_string(), &format!("c{customer}"), &amount, &time));
            text.push_str(&other.unwrap_or_default());
        }
        text
    })
}

/// Generates a limits file: one to five limits over any windows.
fn limits_file() -> impl Strategy<Value = String> {
    let window = (0..6_usize, 0..ZONES.len(), 1..=744_u16);
    prop::collection::vec((window, any::<bool>(), 0..12_u64), 1..6).prop_map(|limits| {
        let mut toml = String::new();
        for (place, ((window, zone, hours), is_amount, max)) in limits.into_iter().enumerate() {
            let name = ["load", "day", "week", "month", "lifetime", "rolling"][window];
            let is_amount = is_amount || name == "load";
            let (measure, max) =
                if is_amount { ("amount", format!("\"{}.00\"", max * 1_000)) } else { ("count", max.to_string()) };
            let _ = write!(
                toml,
                "[[limit]]\ncode = \"L{place}\"\nmeasure = \"{measure}\"\nwindow = \"{name}\"\nmax = {max}\n"
            );
            let _ = match name {
                "day" | "week" | "month" => writeln!(toml, "zone = \"{}\"", ZONES[zone]),
                "rolling" => writeln!(toml, "hours = {hours}"),
                _ => Ok(()),
            };
        }
        toml
    })
}

/// Removes the limits of the tables, which naive figures lack.
fn without_limits(mut report: Value) -> Value {
    report["base"].as_object_mut().unwrap().remove("limits").unwrap();
    for candidate in report["candidates"].as_array_mut().unwrap() {
        candidate.as_object_mut().unwrap().remove("limits").unwrap();
    }
    report
}

fn codes(toml: &str) -> Vec<String> {
    limits(toml).iter().map(|limit| limit.code.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn figures_are_those_of_a_replay_with_each_candidates_limits(
        input in attempts(),
        base in prop_oneof![Just(include_str!("../../../limits.toml").to_owned()), limits_file()],
        candidates in prop::collection::vec(limits_file(), 1..5),
    ) {
        let tables: Vec<&str> = [&base].into_iter().chain(&candidates).map(String::as_str).collect();
        let decisions: Vec<String> = tables
            .iter()
            .map(|toml| replay(input.as_bytes(), Settings { limits: limits(toml), reasons: Reasons::Named, threads: 1 }))
            .map(|replayed| replayed.decisions)
            .collect();
        let names = ["base", "first", "second", "third", "fourth"];
        let codes: Vec<Vec<String>> = tables.iter().map(|toml| codes(toml)).collect();
        let expected = naive::report(&input, &names[..tables.len()], &codes, &decisions);
        let named: Vec<(&str, &str)> = names.into_iter().zip(tables.iter().copied()).skip(1).collect();
        for threads in [1, 3] {
            let report = without_limits(json(&backtest(&input, &base, &named, threads)));
            prop_assert_eq!(&report, &expected);
        }
    }
}

#[test]
fn any_number_of_threads_reports_the_same() {
    let mut input = String::new();
    for n in 0..40_000_u32 {
        let (id, customer) = ((n % 9_000).to_string(), (n * 7 % 503).to_string());
        let (amount, time) = (format!("${}.50", 300 + n % 1_700), format!("2019-01-{:02}T00:00:00Z", 1 + n / 1_500));
        input.push_str(&line(&id, &customer, &amount, &time));
    }
    let (base, tight) = (include_str!("../../../limits.toml"), limits_toml("3000.00", 2));
    let candidates = [("tight", tight.as_str()), ("wide", &limits_toml("9000.00", 9)), ("none", base)];
    let one = backtest(&input, base, &candidates, 1);
    let report = json(&one);
    assert!(report["candidates"][0]["flips"]["to_declined"]["count"].as_u64().unwrap() > 1_000);
    assert_eq!(report["candidates"][0]["flips"]["to_declined"]["examples"].as_array().unwrap().len(), 20);
    assert_eq!(report["candidates"][0]["most_affected_customers"].as_array().unwrap().len(), 20);
    assert_eq!(report["candidates"][2]["flipped_customers"], 0);
    for threads in [2, 3, 8, 64] {
        assert!(backtest(&input, base, &candidates, threads) == one, "{threads} threads report otherwise than one");
    }
}

fn limits_toml(daily: &str, count: u32) -> String {
    format!(
        "[[limit]]\ncode = \"DAILY\"\nmeasure = \"amount\"\nwindow = \"day\"\nmax = \"{daily}\"\n\
         [[limit]]\ncode = \"COUNT\"\nmeasure = \"count\"\nwindow = \"day\"\nmax = {count}\n"
    )
}
