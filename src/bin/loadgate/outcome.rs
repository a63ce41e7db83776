//! Exit codes and error messages of the program.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Text of the exit codes for `--help`. The README has the same table.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  everything was done, or the reader of the decisions closed the pipe
  1  it could not be done: something could not be read or written
  2  the command line or the limits file is wrong; nothing was read or written
  3  everything was done, but some lines were invalid";

/// Exit code of a complete run in which some lines were invalid.
pub const SOME_INVALID: u8 = 3;

/// Reason why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// An input or output error.
    Io(anyhow::Error),
    /// An invalid command line or configuration.
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

/// Formats the error and all its causes on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(error) | Failure::Usage(error) => write!(f, "{error:#}"),
        }
    }
}

/// Writes a line to standard error. Unlike `eprintln!`, it does not panic when standard error cannot be written: there
/// is no other place to report that, and it must not stop the program.
pub fn print_status(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints help, the version, or a command-line error. Returns the exit code.
pub fn explain(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if error.use_stderr() => ExitCode::from(2),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            print_status(&format!("loadgate: could not write to standard output: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}
