//! Runs a program as a process of its own, and says what it took.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// What one run took.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) elapsed: Duration,
    /// Peak resident memory, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Runs a command, with its standard output to `output`.
pub(crate) fn run(command: &mut Command, output: File) -> std::io::Result<Run> {
    command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let begun = Instant::now();
    let usage = command.spawn()?.wait4()?;
    Ok(Run { elapsed: begun.elapsed(), memory_bytes: usage.rusage.maxrss })
}

/// The median by time, and the largest memory.
pub(crate) fn median(runs: &[Run]) -> Run {
    let mut sorted = runs.to_vec();
    sorted.sort_by_key(|run| run.elapsed);
    let memory_bytes = sorted.iter().map(|run| run.memory_bytes).max().unwrap_or_default();
    Run { memory_bytes, ..sorted[sorted.len() / 2] }
}
