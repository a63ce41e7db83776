//! Steady traffic: batches are larger with fewer functions, and cost less. The latency tells how few there may be.

use std::io::{Error, Result};

use crate::capacity::Scaling;
use crate::cost::Month;
use crate::limits::TABLE_UNITS_MAX;
use crate::shared::page::put;
use crate::shared::table::Table;
use crate::sim::{Outcome, Settings, run};
use crate::table_of::{quantile, time};
use crate::theory::sound;
use crate::traffic::{Poisson, one_of_many};
use crate::{CUSTOMERS_ALL, PAGE, RATE, SETTINGS};

/// Length of a simulation: long enough for auto scaling to settle.
const UNTIL_US: u64 = 1_200_000_000;

const CONCURRENCY: [usize; 7] = [8, 9, 10, 12, 15, 25, 50];

/// The concurrency that docs/DEPLOYMENT.md recommends: its default, one function for each 100 attempts a second.
const RECOMMENDED: usize = 10;

/// Maximum by which the median may grow with fewer functions.
const MEDIAN_MORE_US_MAX: u64 = 20_000;

/// Auto scaling as docs/DEPLOYMENT.md recommends it: it begins with what the traffic needs.
const SCALING: Scaling =
    Scaling { units_min: 2_900, units_max: TABLE_UNITS_MAX, target_percent: 70, minute_us: 60_000_000 };

/// Simulates steady traffic. Returns what it was with many functions and tables on demand, and with what is recommended: on demand
/// and with provisioned capacity.
pub(crate) fn simulate() -> Result<[Outcome; 2]> {
    let heads =
        ["functions at once", "p50", "p99", "longest", "decisions in a batch", "dollars for a million, on demand"];
    let (mut table, mut most, mut recommended) = (Table::new(heads), None, None);
    for concurrency in CONCURRENCY {
        let outcome = steady(concurrency, None)?;
        let cost = Month::of(&outcome, 10).for_a_million();
        let [p50, p99, longest] = [500, 990, 1000].map(|thousandths| time(latency(&outcome, thousandths)));
        let tenths = outcome.arrived * 10 / outcome.batches;
        table.row(&[concurrency.to_string(), p50, p99, longest, format!("{}.{}", tenths / 10, tenths % 10), cost]);
        if concurrency == RECOMMENDED {
            recommended = Some(latency(&outcome, 500));
        }
        most = Some(outcome);
    }
    put(PAGE, "scale-steady", &table.markdown())?;
    let before = most.ok_or_else(|| Error::other("no simulation ran"))?;
    let more_us = recommended.unwrap_or(u64::MAX).saturating_sub(latency(&before, 500));
    if more_us > MEDIAN_MORE_US_MAX {
        return Err(Error::other(format!("{RECOMMENDED} functions add {more_us} microseconds to the median")));
    }
    Ok([before, steady(RECOMMENDED, Some(SCALING))?])
}

fn steady(concurrency: usize, scaling: Option<Scaling>) -> Result<Outcome> {
    let settings = Settings { concurrency, scaling, ..SETTINGS };
    let arrivals = Poisson::new(settings.seed, UNTIL_US, RATE, |_| RATE, one_of_many);
    sound(run(&settings, CUSTOMERS_ALL, arrivals))
}

/// Returns a quantile of the latencies, in thousandths.
pub(crate) fn latency(outcome: &Outcome, thousandths: usize) -> u64 {
    let mut latencies: Vec<u64> = outcome.decided.iter().map(|decided| decided.latency_us).collect();
    latencies.sort_unstable();
    quantile(&latencies, thousandths)
}
