//! The base and the seven candidates of the backtests that are measured.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Daily amount, weekly amount and daily count of the base.
const BASE: [u32; 3] = [5_000, 20_000, 3];

/// The same of each candidate.
pub(crate) const CANDIDATES: [[u32; 3]; 7] = [
    [4_000, 20_000, 3],
    [5_000, 15_000, 3],
    [5_000, 20_000, 2],
    [6_000, 20_000, 3],
    [5_000, 25_000, 3],
    [5_000, 20_000, 4],
    [3_000, 10_000, 2],
];

/// Another limit of each table, in which the accepted loads themselves are needed.
pub(crate) const ROLLING: &str = "
[[limit]]
code = \"ROLLING_AMOUNT\"
measure = \"amount\"
window = \"rolling\"
hours = 72
max = \"12000.00\"
";

/// Writes the base's limits to a folder, with `more` limits, and returns their path.
pub(crate) fn base(folder: &Path, more: &str) -> Result<PathBuf> {
    write(folder, "base", BASE, more)
}

/// Adds the candidates to a command line, with `more` limits, in files of a folder.
pub(crate) fn add_candidates(backtest: &mut Command, folder: &Path, more: &str) -> Result<()> {
    for (number, candidate) in CANDIDATES.into_iter().enumerate() {
        let path = write(folder, &format!("candidate-{number}"), candidate, more)?;
        backtest.arg("--candidate").arg(format!("candidate {number}={}", path.display()));
    }
    Ok(())
}

fn write(folder: &Path, name: &str, [daily, weekly, count]: [u32; 3], more: &str) -> Result<PathBuf> {
    let text = include_str!("../../limits.toml")
        .replace("\"5000.00\"", &format!("\"{daily}.00\""))
        .replace("\"20000.00\"", &format!("\"{weekly}.00\""))
        .replace("max = 3", &format!("max = {count}"));
    let path = folder.join(format!("backtest-{name}.toml"));
    std::fs::write(&path, text + more)?;
    Ok(path)
}
