//! The report's shape in JSON, and its bounds.

use loadgate::backtest::{Candidate, CandidateError, Candidates, report_json};
use loadgate::domain::Limits;

use super::{backtest, json};
use crate::support::line;

const BASE: &str = include_str!("../../../limits.toml");
const TIGHT: &str =
    "[[limit]]\ncode = \"ROLLING\"\nmeasure = \"amount\"\nwindow = \"rolling\"\nhours = 24\nmax = \"60.00\"\n";

#[test]
fn the_json_has_the_documented_shape() {
    let input = [
        line("1", "7", "$5000.01", "2019-01-01T00:00:00Z"),
        line("2", "7", "$60.00", "2019-01-01T10:00:00.5Z"),
        line("3", "7", "$0.01", "2019-01-02T09:00:00Z"),
        line("3", "7", "$0.01", "2019-01-02T09:00:00Z"),
        line("4", "8", "$1.001", "2019-01-02T09:00:00Z"),
        line("4", "8", "$1.00", "2019-01-02T09:00:00Z"),
    ];
    let wide = BASE.replace("\"5000.00\"", "\"6000.00\"");
    let report = backtest(&input.concat(), BASE, &[("tight", TIGHT), ("wide", &wide)], 2);
    insta::assert_json_snapshot!("backtest_report", json(&report));
    let text = report_json(&report).unwrap();
    assert!(text.starts_with("{\"version\":1,") && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
}

#[test]
fn an_input_without_attempts_has_a_report() {
    for input in ["", "\n\n", "oops\n"] {
        let report = json(&backtest(input, BASE, &[("tight", TIGHT)], 2));
        assert_eq!(report["decided"], 0);
        assert_eq!(report["candidates"][0]["by_day"]["days"], serde_json::json!([]));
    }
}

#[test]
fn amounts_beyond_64_bits_are_exact() {
    let most = "$90071992547409.91";
    let input: String =
        (0..3_000).map(|n| line(&n.to_string(), &n.to_string(), most, "2019-01-01T00:00:00Z")).collect();
    let report = json(&backtest(&input, BASE, &[("tight", TIGHT)], 1));
    let cents = 3_000 * 9_007_199_254_740_991_u128;
    assert_eq!(report["base"]["declined"]["amount"], format!("{}.{:02}", cents / 100, cents % 100));
}

#[test]
fn candidates_have_distinct_printable_names() {
    let candidates = |names: &[&str]| {
        let candidate = |name: &&str| Candidate { name: (*name).to_owned(), limits: Limits::default() };
        Candidates::new(names.iter().map(candidate).collect()).map(|_| ())
    };
    let (longest, longer) = ("ü".repeat(64), "ü".repeat(65));
    assert_eq!(candidates(&["a", "ü 😀", &longest, "Base"]), Ok(()));
    assert_eq!(candidates(&[]), Err(CandidateError::None));
    for bad in ["", " ", &longer, "a\nb", "a\u{1b}[2Jb", "a\u{202e}b", "a\u{200b}b"] {
        assert_eq!(candidates(&["a", bad]), Err(CandidateError::BadName { number: 2 }), "{bad:?}");
    }
    assert_eq!(candidates(&["base"]), Err(CandidateError::BaseName { number: 1 }));
    assert_eq!(candidates(&["a", "b", "a"]), Err(CandidateError::SameName { first: 1, second: 3 }));
    let names: Vec<String> = (0..33).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(candidates(&names[..32]), Ok(()));
    assert_eq!(candidates(&names), Err(CandidateError::TooMany { count: 33 }));
}
