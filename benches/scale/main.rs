//! `make bench-scale`: how deep the queue gets and how long decisions take, in a simulation of a day and of a hot
//! customer; which of AWS's limits ends what rate; and what a month costs.
//!
//! The simulation is held against queueing theory first, and every run against Little's law. A seed decides everything.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing
)]

mod cost;
mod day;
mod hot;
mod limits;
mod panels;
#[path = "../shared/mod.rs"]
mod shared;
mod sim;
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

/// The page that the tables go to.
const PAGE: &str = "SCALE.md";

/// The hot customer and all others.
const CUSTOMERS_ALL: usize = CUSTOMERS as usize + 1;

/// The mean rate of what is simulated, in attempts a second.
const RATE: f64 = 1_000.0;

const SETTINGS: Settings = Settings {
    seed: 20,
    concurrency: 50,
    batch_max: 10,
    window_max: WINDOW_MAX,
    key_units_per_s_max: KEY_WRITE_UNITS_MAX,
    times: ASSUMED,
    step_us: 1_000_000,
};

fn main() -> Result<()> {
    assert_eq!(SETTINGS.batch_max as u64, BATCH_MAX);
    put(PAGE, "scale-theory", &theory::check()?)?;
    put(PAGE, "scale-one-customer", &limits::one_customer())?;
    put(PAGE, "scale-walls", &limits::walls())?;
    let shape = day::simulate()?;
    put(PAGE, "scale-cost", &cost::table(shape))?;
    hot::simulate()
}
