//! A build without stores: `replay` has none of their options, and decides in memory.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

use loadgate::domain::{Currency, Limits};
use loadgate::replay::{ReplayError, ReplayOutput, ReplayReport};
use loadgate::wire::Reasons;

use crate::outcome::Failure;

/// No options.
#[derive(clap::Args)]
pub struct StoreArgs {}

/// No engine: there is no value of this type.
pub enum StoreEngine {}

impl StoreArgs {
    /// None: there is no store.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub fn run_name(&self, _input: Option<&Path>) -> Result<Option<StoreEngine>, Failure> {
        Ok(None)
    }

    /// Never called, because no run has a name.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)]
    pub fn open(
        &self,
        run: StoreEngine,
        _: Limits,
        _: Currency,
        _: Reasons,
        _: NonZeroUsize,
    ) -> Result<StoreEngine, Failure> {
        Ok(run)
    }
}

impl StoreEngine {
    pub fn run(
        self,
        _input: impl Read + Send + 'static,
        _output: ReplayOutput<'_>,
    ) -> Result<ReplayReport, ReplayError> {
        match self {}
    }
}
