//! Display of a replay's progress: a progress bar, and the first invalid lines.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use loadgate::domain::LoadError;
use loadgate::replay::{ReplayObserver, Tally};

use crate::outcome::print_status;

/// Maximum number of invalid lines that are shown. All of them are counted, and `--rejects` keeps all.
pub const INVALID_SHOWN_MAX: u64 = 10;

/// Maximum number of redraws of the bar per second.
const DRAWS_PER_S_MAX: u8 = 10;

/// Interval at which an unchanged bar is redrawn, for its clock.
pub const BAR_TICK: Duration = Duration::from_millis(500);

/// When to show progress, as a command-line value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// On a terminal, unless decisions go to it too
    Auto,
    /// Even if standard error is not a terminal
    Always,
    /// Never
    Never,
}

/// Watches a replay.
pub struct ReplayProgress {
    bar: ProgressBar,
    invalid_shown: u64,
}

/// A progress bar on standard error. `bytes` is the size of the input, if it is known.
pub fn progress_bar(progress: Progress, bytes: Option<u64>, is_shared: bool) -> ProgressBar {
    let target = match progress {
        Progress::Auto if !is_shared => ProgressDrawTarget::stderr_with_hz(DRAWS_PER_S_MAX),
        Progress::Always => ProgressDrawTarget::term_like_with_hz(Box::new(PlainTerminal), DRAWS_PER_S_MAX),
        Progress::Auto | Progress::Never => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(bytes, target);
    let template = match bytes {
        Some(_) => "{bar:32} {percent:>3}%  {msg}  {eta} left",
        None => "{spinner} {bytes} read  {msg}  {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(BAR_TICK);
    }
    bar
}

impl ReplayProgress {
    /// `bytes` is the size of the input, if it is known.
    pub fn new(progress: Progress, bytes: Option<u64>, decisions_to_stdout: bool) -> ReplayProgress {
        let is_shared = decisions_to_stdout && io::stdout().is_terminal();
        ReplayProgress { bar: progress_bar(progress, bytes, is_shared), invalid_shown: 0 }
    }

    /// Returns the bar that counts the bytes read from the input.
    pub fn bar(&self) -> &ProgressBar {
        &self.bar
    }
}

impl ReplayObserver for ReplayProgress {
    fn invalid(&mut self, line: u64, error: &LoadError) {
        if self.invalid_shown < INVALID_SHOWN_MAX {
            self.invalid_shown += 1;
            self.bar.suspend(|| print_status(&format!("line {line}: {}: {error}", error.code())));
        }
    }

    fn progressed(&mut self, tally: &Tally) {
        if !self.bar.is_hidden() {
            let attempts = tally.attempts();
            let per_second = per_second(attempts, self.bar.elapsed());
            self.bar.set_message(format!("{} attempts, {} per second", HumanCount(attempts), HumanCount(per_second)));
        }
    }
}

/// Computes a rate from a count and a duration.
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000 / elapsed.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Standard error, treated as a terminal of ordinary size.
struct PlainTerminal;

impl fmt::Debug for PlainTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainTerminal")
    }
}

impl TermLike for PlainTerminal {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        if lines > 0 { write!(io::stderr(), "\x1b[{lines}A") } else { Ok(()) }
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        if lines > 0 { write!(io::stderr(), "\x1b[{lines}B") } else { Ok(()) }
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        if columns > 0 { write!(io::stderr(), "\x1b[{columns}C") } else { Ok(()) }
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        if columns > 0 { write!(io::stderr(), "\x1b[{columns}D") } else { Ok(()) }
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{line}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        write!(io::stderr(), "{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
