//! Options and steps that commands share which decide the load attempts of a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use loadgate::config::{LimitsFileError, read_limits};
use loadgate::domain::{Currency, Limits};

use crate::outcome::{Failure, print_status};
use crate::progress::{INVALID_SHOWN_MAX, Progress};

/// Maximum default number of threads. Each takes about 3 MiB, whatever the input.
const DEFAULT_THREADS_MAX: usize = 8;

/// Input and options of a command that decides the load attempts of a file.
#[derive(clap::Args)]
pub struct AttemptArgs {
    /// File of load attempts: plain, gzip or Zstandard. `-` or none is standard input
    pub input: Option<PathBuf>,

    /// Write each invalid line to a file, as a JSON object with its number, code, message and text
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    /// Read the limits from a TOML file [default: the built-in limits, those of limits.toml]
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,

    /// Read customers' own limits from a file of limit events, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub customer_limits: Option<PathBuf>,

    /// Currency of all amounts, as an ISO 4217 code: the optional prefix of an amount. `$` is for USD only
    #[arg(long, value_name = "CODE", default_value = "USD", value_parser = currency)]
    pub currency: Currency,

    /// Show a progress bar
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub progress: Progress,

    /// Number of threads; the output does not depend on it [default: one for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

impl AttemptArgs {
    /// Reads the limits file, or returns the built-in limits if there is none.
    pub fn limits(&self) -> Result<Limits, Failure> {
        self.limits.as_deref().map_or_else(|| Ok(Limits::default()), limits)
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> NonZeroUsize {
        let by_default =
            || std::thread::available_parallelism().map_or(1, |cores| cores.get().min(DEFAULT_THREADS_MAX));
        NonZeroUsize::new(self.threads.map_or_else(by_default, usize::from)).unwrap_or(NonZeroUsize::MIN)
    }

    /// Creates the file of the rejects, if one is given.
    pub fn create_rejects(&self) -> Result<Option<Box<dyn Write + Send>>, Failure> {
        self.rejects.as_deref().map(create_rejects).transpose()
    }
}

/// Reads a limits file.
pub fn limits(path: &Path) -> Result<Limits, Failure> {
    read_limits(path).map_err(|error| {
        let is_io = matches!(error, LimitsFileError::Read(_));
        let error = anyhow!(error).context(format!("limits file '{}'", path.display()));
        if is_io { Failure::Io(error) } else { Failure::Usage(error) }
    })
}

/// Reads a currency from the command line.
pub fn currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| "not the code of a currency: three capital letters, such as USD".to_owned())
}

/// Creates the file of the rejects.
pub fn create_rejects(path: &Path) -> Result<Box<dyn Write + Send>, Failure> {
    let file = File::create(path)
        .with_context(|| format!("could not create the rejects file '{}'", path.display()))
        .map_err(Failure::Io)?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Draws the key of the events' identities.
pub fn random_key() -> Result<[u8; 16], Failure> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .context("the operating system gave no random bytes for the key of the events' identities")
        .map_err(Failure::Io)?;
    Ok(key)
}

/// Reports the number of invalid lines that were not reported one by one, and where they are kept.
pub fn report_unshown(invalid: u64, rejects: Option<&Path>) {
    let not_shown = invalid.saturating_sub(INVALID_SHOWN_MAX);
    match rejects {
        _ if not_shown == 0 => {}
        Some(path) => print_status(&format!("{not_shown} more invalid lines; all are in '{}'", path.display())),
        None => print_status(&format!("{not_shown} more invalid lines; --rejects FILE keeps them all")),
    }
}
