//! Compile times of a build, from cargo's own report.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

use serde::Deserialize;

/// A crate that was compiled, or a program that was linked.
#[derive(Deserialize)]
struct Unit {
    name: String,
    target: String,
    duration: f64,
}

/// Number of crates to name.
const NAMED: usize = 6;

/// Returns a sentence with the crates that took the most time in the last build with `--timings`.
pub(crate) fn longest(project: &Path) -> Result<String> {
    let report = fs::read_to_string(project.join("target/cargo-timings/cargo-timing.html"))?;
    let data = report.split_once("const UNIT_DATA = ").and_then(|(_, rest)| rest.split_once(";\n"));
    let (data, _) = data.ok_or_else(|| Error::other("cargo's report of timings has another form"))?;
    let units: Vec<Unit> = serde_json::from_str(data)?;
    let all: f64 = units.iter().map(|unit| unit.duration).sum();
    let mut crates = BTreeMap::<String, f64>::new();
    for unit in &units {
        *crates.entry(format!("{}{}", unit.name, unit.target)).or_default() += unit.duration;
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by(|one, other| other.1.total_cmp(&one.1));
    let share = |(name, time): &(String, f64)| format!("`{}` {:.0} %", name.trim(), time / all * 100.0);
    let named: Vec<String> = crates.iter().take(NAMED).map(share).collect();
    Ok(format!("Of the compiler's time for {} crates and programs: {}.", units.len(), named.join(", ")))
}
