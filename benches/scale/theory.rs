//! Comparison of the simulation with queueing theory: the simulation must reproduce the results of formulas.

use std::io::{Error, Result};

use fastrand::Rng;

use crate::shared::table::Table;
use crate::sim::{Outcome, Settings, run};
use crate::times::{ASSUMED, Piece, Times};
use crate::traffic::{Poisson, any, hot};
use crate::{CUSTOMERS_ALL, SETTINGS};

/// Maximum relative difference between a simulated mean and the formula's.
const APART_MAX: f64 = 0.03;

/// Settings of textbook queues: single messages, one piece of work, and no limits besides their own.
const PLAIN: Settings = Settings { concurrency: 1, batch_max: 1, window_max: u64::MAX, ..SETTINGS };

const SERVICE_US: u64 = 10_000;
const LOAD: f64 = 0.8;

/// Compares the simulation with the formulas, and returns a table of the results.
///
/// # Errors
/// Fails if a mean differs by more than [`APART_MAX`], or if Little's law does not hold.
pub(crate) fn check() -> Result<String> {
    let constant = Times { read: Piece::new(SERVICE_US, 0), ..Times::default() };
    let random = Times { read: Piece::new(0, SERVICE_US), ..Times::default() };
    let service = SERVICE_US as f64;
    let queued = LOAD / (1.0 - LOAD) * service;
    let one = |times| Settings { times, ..PLAIN };
    let wide = Settings { concurrency: 1_000, ..one(constant) };
    let rows = [
        ("M/M/1, mean wait in ms", wait(&one(random), any)?, queued),
        ("M/D/1, mean wait in ms", wait(&one(constant), any)?, queued / 2.0),
        ("M/D/1 of one customer, 1,000 functions", wait(&wide, hot)?, queued / 2.0),
    ]
    .map(|(name, found, known)| (name, found / 1000.0, known / 1000.0));
    let full = |customers, each| 10.0 * 1e6 / ASSUMED.batch_mean_us(customers, each) as f64;
    let slow_key = Settings { key_units_per_s_max: 20, ..SETTINGS };
    let most = [
        ("one customer at its most, decisions a second", most(&SETTINGS, hot)?, full(1, 10)),
        ("one customer, whose key takes 20 units a second", most(&slow_key, hot)?, 10.0),
        (
            "4 functions at their most, decisions a second",
            most(&Settings { concurrency: 4, ..SETTINGS }, any)?,
            4.0 * full(10, 1),
        ),
    ];
    let mut table = Table::new(["", "simulated", "by formula", "apart", "at most"]);
    let mut is_apart = false;
    for (name, found, known) in rows.into_iter().chain(most) {
        let apart = (found / known - 1.0).abs();
        is_apart |= apart > APART_MAX;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        table.row(&[name.to_owned(), format!("{found:.1}"), format!("{known:.1}"), percent(apart), percent(APART_MAX)]);
    }
    let markdown = table.markdown();
    if is_apart {
        println!("{markdown}");
        return Err(Error::other("the simulation is further from theory than it may be"));
    }
    Ok(markdown)
}

/// Returns the mean time that messages wait for their service, at four fifths of the capacity.
fn wait(settings: &Settings, customer: fn(&mut Rng) -> u32) -> Result<f64> {
    let rate = LOAD * 1e6 / SERVICE_US as f64;
    let arrivals = Poisson::new(settings.seed, 40_000_000_000, rate, |_| rate, customer);
    let outcome = sound(run(settings, CUSTOMERS_ALL, arrivals))?;
    let sum: u64 = outcome.decided.iter().map(|decided| decided.latency_us).sum();
    Ok(sum as f64 / outcome.arrived as f64 - SERVICE_US as f64)
}

/// Returns the number of decisions a second under permanent overload.
fn most(settings: &Settings, customer: fn(&mut Rng) -> u32) -> Result<f64> {
    // At this rate, hardly any of a million customers has two messages waiting.
    let rate = 1_000.0;
    let arrivals = Poisson::new(settings.seed, 40_000_000, rate, |_| rate, customer);
    let outcome = sound(run(settings, CUSTOMERS_ALL, arrivals))?;
    Ok(outcome.arrived as f64 * 1e6 / outcome.end_us as f64)
}

/// Returns the outcome if Little's law holds for it.
///
/// # Errors
/// Fails if Little's law does not hold exactly.
pub(crate) fn sound(outcome: Outcome) -> Result<Outcome> {
    if outcome.holds_little() {
        Ok(outcome)
    } else {
        Err(Error::other("Little's law does not hold: the simulation is wrong"))
    }
}
