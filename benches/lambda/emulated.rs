//! The same under the emulator of Lambda's runtime, which `sam local invoke` uses as well. It starts the function with the
//! first invocation, and its own share is in every time.

use std::io::Result;
use std::time::{Duration, Instant};

use super::emulator::Emulator;
use super::{BATCHES_KINDS, Measured, median};

/// Starts of each program, with so many batches of each kind after it.
const STARTS: usize = 9;
const BATCHES: usize = 40;

/// What was measured under the emulator.
#[derive(Default)]
pub(crate) struct Emulated {
    /// From the first invocation to its answer.
    pub(crate) first_decision: Vec<Duration>,
    /// For each kind of batch, in its order: the median of each start.
    pub(crate) wall: [Vec<Duration>; BATCHES_KINDS.len()],
}

pub(crate) fn measure(both: &mut [Measured; 2]) -> Result<()> {
    for _ in 0..STARTS {
        for measured in both.iter_mut() {
            measured.emulate()?;
        }
    }
    Ok(())
}

impl Measured {
    fn emulate(&mut self) -> Result<()> {
        let environment: Vec<(&str, &str)> =
            self.cloud.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let emulator = Emulator::start_program(&self.program.path, &environment);
        let first = self.invoke_emulated(&emulator, 0);
        self.emulated.first_decision.push(first);
        for kind in 0..BATCHES_KINDS.len() {
            let times: Vec<Duration> = (0..BATCHES).map(|_| self.invoke_emulated(&emulator, kind)).collect();
            self.emulated.wall[kind].push(median(&times));
        }
        self.check()
    }

    fn invoke_emulated(&mut self, emulator: &Emulator, kind: usize) -> Duration {
        let event = self.next_event(BATCHES_KINDS[kind]);
        let begun = Instant::now();
        emulator.invoke(&event);
        begun.elapsed()
    }
}
