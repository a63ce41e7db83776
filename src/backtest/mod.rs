//! The backtest: the decisions that other limits would have made on recorded attempts.
//!
//! The *base* is the limits that are compared with; a *candidate* is other limits under a name. A *flip* is an attempt that a
//! candidate decides otherwise than the base. One pass decides each attempt for all of them. The pass is that of the
//! [replay](crate::replay): the same blocks, shards and order. Lines are parsed once, and events are remembered once, because
//! which events are ignored does not depend on limits. Each candidate has usage of its own: an attempt that it accepts
//! counts for it alone.
//!
//! - [`Backtest::run`] makes the pass, and returns a [`BacktestReport`].
//! - [`report_json`] and [`report_page`] write the report.

mod block;
mod candidate;
mod day_groups;
mod engine;
mod figures;
mod flipped;
mod json;
mod most_affected;
mod numbers;
mod page;
mod report;

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;

pub use crate::backtest::candidate::{
    BASE_NAME, CANDIDATES_MAX, Candidate, CandidateError, Candidates, NAME_CHARACTERS_MAX,
};
pub use crate::backtest::day_groups::{DayGroup, group_days};
use crate::backtest::engine::BacktestEngine;
pub use crate::backtest::figures::{ByDay, DAYS_MAX, DayFigures, EXAMPLES_MAX, Example, Flip, PerFlip, Total};
pub use crate::backtest::json::report_json;
pub use crate::backtest::most_affected::{AFFECTED_CUSTOMERS_MAX, AffectedCustomer, FlipTotal};
pub use crate::backtest::numbers::{amount, grouped, percent, visible};
pub use crate::backtest::page::report_page;
pub use crate::backtest::report::{BacktestReport, CandidateReport, FlipReport, LimitsReport};
use crate::domain::Currency;
use crate::limits::AllLimits;
use crate::replay::{ReplayError, ReplayObserver, ReplayOutput, RunSettings, run};

/// Settings of a backtest.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// The limits that candidates are compared with, and customers' own limits, which also apply under each candidate.
    pub base: AllLimits,
    /// The candidates.
    pub candidates: Candidates,
    /// The currency of all amounts.
    pub currency: Currency,
    /// Number of threads. It does not affect the report.
    pub threads: NonZeroUsize,
    /// The secret key of events' identities, random for each run.
    pub identity_key: [u8; 16],
}

impl Backtest {
    /// Decides every line of `input` under the base and under each candidate. Invalid lines go to `rejects`, if given.
    ///
    /// # Errors
    /// [`ReplayError`] when the input cannot be read further, or the rejects cannot be written.
    pub fn run<'o, R: Read + Send>(
        &self,
        input: R,
        rejects: Option<Box<dyn Write + Send + 'o>>,
        observer: impl ReplayObserver + Send + 'o,
    ) -> Result<BacktestReport, ReplayError> {
        let engine = BacktestEngine::new(&self.base, &self.candidates);
        let settings = RunSettings {
            currency: self.currency,
            reasons: None,
            threads: self.threads,
            identity_key: self.identity_key,
        };
        let output = ReplayOutput::new(io::sink(), rejects, observer);
        let (output, sum, ledgers) = run(&engine, settings, input, output);
        let tally = output.finish()?.tally;
        Ok(BacktestReport::new(self, &tally, sum, ledgers))
    }
}
