//! `loadgate generate`: the same settings write the same bytes, attempts are in chronological order, and many amounts
//! are near the limits.

use std::collections::BTreeMap;

use predicates::str::{contains, is_empty};

use crate::support::command::{folder, loadgate};
use crate::support::oracle::{self, Attempt};

fn generated(settings: &[&str]) -> Vec<u8> {
    let ended = loadgate(&["generate"]).args(settings).assert().code(0).stderr(is_empty());
    ended.get_output().stdout.clone()
}

fn valid(lines: &[u8]) -> Vec<Attempt> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| oracle::read(line).ok()).collect()
}

#[test]
fn only_the_same_seed_writes_the_same_bytes() {
    let settings = ["--attempts", "2000", "--seed", "7"];
    let folder = folder().0;
    let file = folder.path().join("workload.jsonl");
    loadgate(&["generate", "-o"]).arg(&file).args(settings).assert().code(0).stdout(is_empty());
    assert!(generated(&settings) == std::fs::read(file).unwrap());
    assert!(generated(&settings) != generated(&["--attempts", "2000", "--seed", "8"]));
}

#[test]
fn attempts_are_in_chronological_order_across_a_year_end() {
    let attempts = valid(&generated(&["--attempts", "3000"]));
    assert!(attempts.is_sorted_by_key(|attempt| attempt.time));
    let year = |attempt: Option<&Attempt>| chrono::Datelike::year(&attempt.unwrap().time);
    assert_eq!((year(attempts.first()), year(attempts.last())), (2018, 2019));
}

#[test]
fn many_amounts_reach_a_limit_within_a_cent() {
    let attempts = valid(&generated(&["--attempts", "3000", "--customers", "60", "--duplicates", "0"]));
    let decisions = oracle::decide_all(&oracle::default_limits(), &attempts);
    let (mut days, mut weeks) = (BTreeMap::new(), BTreeMap::new());
    let mut landed = BTreeMap::new();
    for (attempt, decision) in attempts.iter().zip(decisions) {
        let day = days.entry((&attempt.customer_id, attempt.time.date_naive())).or_insert(0);
        let week = weeks.entry((&attempt.customer_id, chrono::Datelike::iso_week(&attempt.time))).or_insert(0);
        for (limit, total) in [("day", *day + attempt.cents), ("week", *week + attempt.cents)] {
            let max: u64 = if limit == "day" { 500_000 } else { 2_000_000 };
            if total.abs_diff(max) <= 1 {
                *landed.entry((limit, total.cast_signed() - max.cast_signed())).or_insert(0) += 1;
            }
        }
        if decision.is_some_and(|reasons| reasons.is_empty()) {
            *day += attempt.cents;
            *week += attempt.cents;
        }
    }
    for limit in ["day", "week"] {
        for off in [-1, 0, 1] {
            let count = landed.get(&(limit, off)).copied().unwrap_or_default();
            assert!(count >= 10, "{count} times {off} cents off the {limit}'s limit: {landed:?}");
        }
    }
}

#[test]
fn shares_and_skew_match_the_settings() {
    let lines = generated(&[
        "--attempts",
        "10000",
        "--customers",
        "500",
        "--duplicates",
        "20",
        "--invalid",
        "10",
        "--skew",
        "0",
    ]);
    let attempts = valid(&lines);
    assert!((850..1_150).contains(&(10_000 - attempts.len())), "{} invalid", 10_000 - attempts.len());
    let ignored = oracle_ignored(&attempts);
    assert!((1_500..2_100).contains(&ignored), "{ignored} duplicates");
    let attempts =
        valid(&generated(&["--attempts", "2000", "--customers", "1000000", "--duplicates", "50", "--invalid", "0"]));
    let ignored = oracle_ignored(&attempts);
    assert!((900..1_100).contains(&ignored), "{ignored} duplicates where hardly any customer comes again");
    let busiest = |skew: &str| {
        let attempts = valid(&generated(&["--attempts", "10000", "--customers", "500", "--skew", skew]));
        let mut counts = BTreeMap::new();
        for attempt in &attempts {
            *counts.entry(attempt.customer_id.clone()).or_insert(0) += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        counts.iter().rev().take(100).sum::<usize>() * 100 / attempts.len()
    };
    let shares = [busiest("0"), busiest("1"), busiest("3")];
    assert!(shares[0] < 30 && (45..60).contains(&shares[1]) && shares[2] > 85, "{shares:?} percent by a fifth");
}

fn oracle_ignored(attempts: &[Attempt]) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    attempts.iter().filter(|attempt| !seen.insert((&attempt.customer_id, &attempt.id))).count()
}

#[test]
fn extreme_settings_are_accepted() {
    assert!(generated(&["--attempts", "0"]).is_empty());
    assert_eq!(valid(&generated(&["--attempts", "50", "--invalid", "100"])).len(), 0);
    let attempts =
        valid(&generated(&["--attempts", "50", "--customers", "1", "--duplicates", "100", "--invalid", "0"]));
    assert_eq!((attempts.len(), oracle_ignored(&attempts)), (50, 49));
    assert_eq!(
        valid(&generated(&["--attempts", "10", "--invalid", "0", "--start", "9800-12-31", "--days", "36500"])).len(),
        10
    );
}

#[test]
fn wrong_settings_are_reported_and_exit_with_2() {
    for settings in [["--customers", "0"], ["--invalid", "101"], ["--start", "2019-02-29"], ["--days", "0"]] {
        loadgate(&["generate"]).args(settings).assert().code(2).stderr(contains(settings[0]));
    }
    loadgate(&["generate", "-o", "/dev/full"]).assert().code(1).stderr(contains("No space left on device"));
}
