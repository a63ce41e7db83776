//! `make bench-build`: waiting time of a new developer, from a clean clone to the first decision and to a passed
//! test.
//!
//! Uncommitted changes are left out. Crates come from cargo's cache if it has them. Tools are installed anew.
#![allow(missing_docs, clippy::float_arithmetic, clippy::cast_precision_loss, clippy::indexing_slicing)]

#[path = "../shared/mod.rs"]
mod shared;
mod timings;

use std::fs::{self, File};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shared::page;
use shared::table::Table;

/// Parts of `make test`, in its order, with the build of the tests separate from their run.
const TEST: [(&str, &[&str]); 6] = [
    ("tools for tests and local stack", &["make", "tools"]),
    ("format, lints, documentation", &["make", "lint"]),
    ("template", &["make", "validate"]),
    ("scan", &["make", "scan"]),
    ("building the tests", &["cargo", "test", "--locked", "--no-run", "--timings"]),
    ("running the tests", &["make", "test"]),
];

fn main() -> Result<()> {
    let clone = Clone::new()?;
    let mut table = Table::new(["from a clean clone", "minutes", "since the clone"]);
    let mut since = Duration::ZERO;
    let mut time = |name: &str, command: &[&str]| {
        let elapsed = clone.run(command)?;
        since += elapsed;
        table.row(&[name.to_owned(), minutes(elapsed), minutes(since)]);
        Ok::<_, Error>(())
    };
    time("the first decision: `make run`", &["make", "run"])?;
    time("building the release", &["cargo", "build", "--release", "--locked", "--timings"])?;
    let release = timings::longest(&clone.folder)?;
    for (name, command) in TEST {
        time(name, command)?;
    }
    let text = format!("{}\n\n{release}\n\n{}", table.markdown(), timings::longest(&clone.folder)?);
    page::put("PERFORMANCE.md", "build", &text)?;
    clone.remove()
}

/// A clean clone of the last commit.
struct Clone {
    folder: PathBuf,
    /// Output of the last command.
    log: PathBuf,
}

impl Clone {
    fn new() -> Result<Clone> {
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (folder, log) = (temporary.join("clone"), temporary.join("clone.log"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let clone = Clone { folder, log };
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", env!("CARGO_MANIFEST_DIR")]).arg(&clone.folder);
        if git.status()?.success() { Ok(clone) } else { Err(Error::other("git clone failed")) }
    }

    /// Runs a command as a new developer would, without the environment variables of this build.
    fn run(&self, command: &[&str]) -> Result<Duration> {
        let (program, args) = command.split_first().ok_or_else(|| Error::other("no command"))?;
        let mut child = Command::new(program);
        let log = File::create(&self.log)?;
        child.args(args).current_dir(&self.folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME" || name == "PUBLISH")
            {
                child.env_remove(name);
            }
        }
        let begun = Instant::now();
        let status = child.status()?;
        let failed =
            || Error::other(format!("{command:?} failed in {}: run it there to see why", self.folder.display()));
        if status.success() { Ok(begun.elapsed()) } else { Err(failed()) }
    }

    fn remove(self) -> Result<()> {
        fs::remove_dir_all(self.folder)
    }
}

fn minutes(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / 60.0)
}
