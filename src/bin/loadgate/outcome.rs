//! Exit codes, and the messages that go with them.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit codes, for `--help`. The README has the same table.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  everything was done, or the reader of the decisions wanted no more
  1  it could not be done: something could not be read or written
  2  the command line or the limits file is wrong; nothing was read or written
  3  everything was done, but some lines were invalid";

/// All was done, but some lines were invalid.
pub const SOME_INVALID: u8 = 3;

/// Reason why the program could not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// Something could not be read or written.
    Io(anyhow::Error),
    /// The command line is wrong.
    Usage(anyhow::Error),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Io(_) => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
        }
    }
}

/// The error with all its causes, on one line. Only several mistakes in a configuration take a line each.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(error) | Failure::Usage(error) => write!(f, "{error:#}"),
        }
    }
}

/// Writes a line to standard error. Unlike `eprintln!`, it does not panic when standard error cannot be written:
/// nothing else could be told then, and what the program does must not end for it.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints help, the version, or the fault in the command line. Returns the exit code.
pub fn explain(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if error.use_stderr() => ExitCode::from(2),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(&format!("loadgate: could not write to standard output: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}
