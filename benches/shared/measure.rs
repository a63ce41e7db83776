//! Runs a program as a child process, and measures its time and memory.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// Time and memory of one run.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) elapsed: Duration,
    /// Peak resident memory, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Runs a command with `output` as its standard output.
pub(crate) fn run(command: &mut Command, output: File) -> std::io::Result<Run> {
    command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let begun = Instant::now();
    let usage = command.spawn()?.wait4()?;
    Ok(Run { elapsed: begun.elapsed(), memory_bytes: usage.rusage.maxrss })
}

/// Returns the median time and the largest memory of these runs.
pub(crate) fn median(runs: &[Run]) -> Run {
    let mut sorted = runs.to_vec();
    sorted.sort_by_key(|run| run.elapsed);
    let memory_bytes = sorted.iter().map(|run| run.memory_bytes).max().unwrap_or_default();
    Run { memory_bytes, ..sorted[sorted.len() / 2] }
}
