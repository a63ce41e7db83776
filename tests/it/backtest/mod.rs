//! The backtest: it agrees with replays of each candidate and with naive figures, and its report is safe to open.

mod agreement;
mod naive;
mod page;
mod report;

use std::num::NonZeroUsize;

use loadgate::backtest::{Backtest, BacktestReport, Candidate, Candidates, report_json};
use loadgate::domain::{Currency, Limits, LoadError};
use loadgate::limits::AllLimits;
use loadgate::replay::{ReplayObserver, Tally};
use loadgate::wire::parse_limits;
use serde_json::Value;

/// Returns the report of a backtest, with the limits given as TOML.
pub fn backtest(input: &str, base: &str, candidates: &[(&str, &str)], threads: usize) -> BacktestReport {
    let candidate = |(name, toml): &(&str, &str)| Candidate { name: (*name).to_owned(), limits: limits(toml) };
    let backtest = Backtest {
        base: AllLimits::from(limits(base)),
        candidates: Candidates::new(candidates.iter().map(candidate).collect()).unwrap(),
        currency: Currency::USD,
        threads: NonZeroUsize::new(threads).unwrap(),
        // Another key for each number of threads: no figure depends on it.
        identity_key: [u8::try_from(threads).unwrap(); 16],
    };
    backtest.run(input.as_bytes(), None, NoObserver).unwrap()
}

pub fn limits(toml: &str) -> Limits {
    parse_limits(toml).unwrap()
}

pub fn json(report: &BacktestReport) -> Value {
    serde_json::from_str(&report_json(report).unwrap()).unwrap()
}

struct NoObserver;

impl ReplayObserver for NoObserver {
    fn invalid(&mut self, _line: u64, _error: &LoadError) {}
    fn progressed(&mut self, _tally: &Tally) {}
}
