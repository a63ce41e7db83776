//! The same measurements under AWS's emulator of the Lambda runtime, which `sam local invoke` also uses. The emulator
//! starts the function at the first invocation. Every time includes the emulator's own.

use std::io::Result;
use std::time::{Duration, Instant};

use super::emulator::Emulator;
use super::{BATCHES_KINDS, Measured, median};

/// Number of starts of each program, and of batches of each kind after each start.
const STARTS: usize = 9;
const BATCHES: usize = 40;

/// Times that were measured under the emulator.
#[derive(Default)]
pub(crate) struct Emulated {
    /// Times from the first invocation to its response.
    pub(crate) first_decision: Vec<Duration>,
    /// Median time of each start, by kind of batch in the order of [`BATCHES_KINDS`].
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
