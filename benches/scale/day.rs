//! A day with its peak, at several settings of `MaxConcurrency`.

use std::io::Result;

use crate::capacity::Scaling;
use crate::cost::{self, Shape};
use crate::limits::TABLE_UNITS_MAX;
use crate::panels::Panels;
use crate::shared::page::put;
use crate::shared::plot::Series;
use crate::shared::table::Table;
use crate::sim::{Arrival, Outcome, Settings, run};
use crate::table_of::{number, quantile, time};
use crate::theory::sound;
use crate::traffic::{Poisson, day, one_of_many};
use crate::{CUSTOMERS_ALL, PAGE, RATE, SETTINGS};

const PANELS: Panels<'_> = Panels {
    x_label: "hour of the day",
    depth: "Messages in the queue, 1,000 attempts/s in the mean, 4,000 at noon",
    latency: "From arrival to the published decision, 99th percentile",
    file: "scale-peak.svg",
};

/// Length of the simulated day, in which a second stands for a minute.
const DAY_US: u64 = 1_440_000_000;

/// Length of a step of the plot, which stands for six minutes.
const STEP_US: u64 = 6_000_000;

const CONCURRENCY: [usize; 6] = [10, 20, 25, 30, 50, 100];

/// Concurrencies that are drawn.
const DRAWN: [usize; 3] = [20, 25, 50];

/// Simulates the days. Returns the distribution of decisions over batches at the concurrency of [`SETTINGS`].
pub(crate) fn simulate() -> Result<Shape> {
    let heads =
        ["functions at once", "p50", "p99", "longest", "deepest", "decisions in a batch", "dollars for a million"];
    let mut table = Table::new(heads);
    let (mut depths, mut latencies, mut shape) = (Vec::new(), Vec::new(), None);
    for concurrency in CONCURRENCY {
        let settings = Settings { concurrency, step_us: STEP_US, ..SETTINGS };
        let outcome = sound(run(&settings, CUSTOMERS_ALL, arrivals(&settings)))?;
        table.row(&row(concurrency, &outcome));
        if concurrency == SETTINGS.concurrency {
            shape = Some(Shape::from(&outcome));
        }
        if DRAWN.contains(&concurrency) {
            let name = format!("{concurrency} functions");
            depths.push(Series { name: name.clone(), points: depth(&outcome) });
            latencies.push(Series { name, points: latency(&outcome) });
        }
    }
    put(PAGE, "scale-day", &table.markdown())?;
    PANELS.write(depths, latencies)?;
    shape.ok_or_else(|| std::io::Error::other("no day has the concurrency of SETTINGS"))
}

/// Length of a minute of the simulated day.
const MINUTE_US: u64 = 1_000_000;

/// Write units a second that each table has at least and at most.
const UNITS: [[u64; 2]; 4] = [[2_000, TABLE_UNITS_MAX], [500, TABLE_UNITS_MAX], [100, TABLE_UNITS_MAX], [100, 6_000]];

/// Simulates the day with provisioned capacity, and returns the table of latencies, throttles and costs.
pub(crate) fn provisioned() -> Result<String> {
    let heads = ["write capacity of each table", "p50", "p99", "longest", "throttled commits", "dollars for a million"];
    let mut table = Table::new(heads);
    let provisioned = UNITS.into_iter().map(|[units_min, units_max]| {
        let scaling = Scaling { units_min, units_max, target_percent: 70, minute_us: MINUTE_US };
        (format!("provisioned, {} to {}", number(units_min), number(units_max)), Some(scaling))
    });
    for (name, scaling) in std::iter::once(("on demand".to_owned(), None)).chain(provisioned) {
        let settings = Settings { scaling, step_us: STEP_US, ..SETTINGS };
        let outcome = sound(run(&settings, CUSTOMERS_ALL, arrivals(&settings)))?;
        let [_, p50, p99, longest, ..] = row(settings.concurrency, &outcome);
        table.row(&[name, p50, p99, longest, number(outcome.throttled), cost::for_a_million_in(&outcome)]);
    }
    Ok(table.markdown())
}

fn arrivals(settings: &Settings) -> impl Iterator<Item = Arrival> + use<> {
    Poisson::new(settings.seed, DAY_US, 4.0 * RATE, |at| RATE * day(at as f64 / DAY_US as f64), one_of_many)
}

fn row(concurrency: usize, outcome: &Outcome) -> [String; 7] {
    let mut latencies: Vec<u64> = outcome.decided.iter().map(|decided| decided.latency_us).collect();
    latencies.sort_unstable();
    let [p50, p99, longest] = [500, 990, 1000].map(|thousandths| time(quantile(&latencies, thousandths)));
    let tenths = outcome.arrived * 10 / outcome.batches;
    let each = format!("{}.{}", tenths / 10, tenths % 10);
    [
        concurrency.to_string(),
        p50,
        p99,
        longest,
        number(outcome.depth_max(0)),
        each,
        cost::for_a_million(Shape::from(outcome)),
    ]
}

fn hours(step: usize) -> f64 {
    step as f64 * STEP_US as f64 / DAY_US as f64 * 24.0
}

fn depth(outcome: &Outcome) -> Vec<(f64, f64)> {
    let steps = outcome.depths.iter().take(day_steps()).enumerate();
    steps.map(|(step, depths)| (hours(step), depths[0].max(1) as f64)).collect()
}

/// Returns the 99th percentile of the latencies of attempts that arrived in each step, in seconds.
fn latency(outcome: &Outcome) -> Vec<(f64, f64)> {
    let mut by_step = vec![Vec::new(); day_steps()];
    for decided in &outcome.decided {
        by_step[usize::try_from(decided.at_us / STEP_US).unwrap_or(0)].push(decided.latency_us);
    }
    let p99 = |latencies: &mut Vec<u64>| {
        latencies.sort_unstable();
        quantile(latencies, 990) as f64 / 1e6
    };
    by_step.iter_mut().enumerate().map(|(step, latencies)| (hours(step), p99(latencies))).collect()
}

fn day_steps() -> usize {
    usize::try_from(DAY_US / STEP_US).unwrap_or(0)
}
