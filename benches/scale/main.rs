//! `make bench-scale`: depth of the queue and latency of decisions, in simulations of a day and of a hot customer;
//! the rates at which AWS's limits are reached, by decisions, by limit events and by assignment jobs; and the cost of a month.
//!
//! The simulation is first compared with queueing theory, and each run with Little's law. A seed determines
//! everything.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing
)]

mod assign;
mod bill;
mod capacity;
mod cost;
mod day;
mod hot;
mod limits;
mod panels;
#[path = "../shared/mod.rs"]
mod shared;
mod sim;
mod steady;
mod stream;
mod table_of;
mod theory;
mod times;
mod traffic;

use std::io::Result;

use limits::{BATCH_MAX, KEY_WRITE_UNITS_MAX, WINDOW_MAX};
use shared::page::put;
use sim::Settings;
use times::ASSUMED;
use traffic::CUSTOMERS;

/// Page of docs/ that the tables go to.
const PAGE: &str = "SCALE.md";

/// Number of customers, including the hot one.
const CUSTOMERS_ALL: usize = CUSTOMERS as usize + 1;

/// Mean rate of the simulations, in attempts a second.
const RATE: f64 = 1_000.0;

const SETTINGS: Settings = Settings {
    seed: 20,
    concurrency: 50,
    batch_max: 10,
    window_max: WINDOW_MAX,
    key_units_per_s_max: KEY_WRITE_UNITS_MAX,
    scaling: None,
    times: ASSUMED,
    step_us: 1_000_000,
};

fn main() -> Result<()> {
    assert_eq!(SETTINGS.batch_max as u64, BATCH_MAX);
    put(PAGE, "scale-theory", &theory::check()?)?;
    put(PAGE, "scale-one-customer", &limits::one_customer())?;
    put(PAGE, "scale-walls", &limits::walls())?;
    put(PAGE, "scale-limit-events", &stream::walls())?;
    put(PAGE, "scale-cost-stream", &stream::cost())?;
    put(PAGE, "scale-assign-walls", &assign::walls())?;
    put(PAGE, "scale-assign", &assign::jobs())?;
    let shape = day::simulate()?;
    put(PAGE, "scale-cost", &cost::table(shape))?;
    put(PAGE, "scale-day-provisioned", &day::provisioned()?)?;
    let [before, after] = steady::simulate()?;
    put(PAGE, "scale-bill", &bill::table(&before, &after)?)?;
    hot::simulate()
}
