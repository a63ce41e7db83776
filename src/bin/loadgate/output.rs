//! Where decisions go: standard output as they come, or a file that appears whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::NamedTempFile;

use crate::outcome::Failure;

/// What is written to.
pub enum Output {
    Stdout(io::Stdout),
    /// Something that has no name to be replaced: a pipe or a device.
    Special(File),
    /// A file beside the target, which takes its place at the end.
    Whole {
        unfinished: NamedTempFile,
        target: PathBuf,
    },
}

impl Output {
    /// Opens an output; `-` or none is standard output.
    pub fn open(path: Option<&Path>) -> Result<Output, Failure> {
        match path {
            Some(path) if path != Path::new("-") => Output::open_path(path)
                .with_context(|| format!("could not create the output '{}'", path.display()))
                .map_err(Failure::Io),
            _ => Ok(Output::Stdout(io::stdout())),
        }
    }

    fn open_path(path: &Path) -> anyhow::Result<Output> {
        let existing = std::fs::metadata(path).ok();
        if existing.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            anyhow::bail!("it is a directory");
        }
        if existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            return Ok(Output::Special(OpenOptions::new().write(true).open(path)?));
        }
        // A link keeps its place, and what it points to is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let permissions = existing.map_or(Permissions::from_mode(0o666), |metadata| metadata.permissions());
        let unfinished = tempfile::Builder::new()
            .prefix(".loadgate-")
            .suffix(".unfinished")
            .permissions(permissions)
            .tempfile_in(directory)?;
        remove_on_signal(unfinished.path().to_owned())?;
        Ok(Output::Whole { unfinished, target })
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout(_))
    }

    /// Makes sure that all is written, and only then lets the file appear.
    pub fn finish(self) -> Result<(), Failure> {
        let finished = match self {
            Output::Stdout(mut stdout) => stdout.flush().context("could not write to standard output"),
            Output::Special(_) => Ok(()),
            Output::Whole { unfinished, target } => {
                let name = target.display().to_string();
                let synced = unfinished.as_file().sync_all();
                let appeared = synced.and_then(|()| Ok(unfinished.persist(target)?));
                appeared.map(drop).with_context(|| format!("could not finish the output '{name}'"))
            }
        };
        finished.map_err(Failure::Io)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout(stdout) => stdout.write(bytes),
            Output::Special(file) => file.write(bytes),
            Output::Whole { unfinished, .. } => unfinished.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(stdout) => stdout.flush(),
            Output::Special(file) => file.flush(),
            Output::Whole { unfinished, .. } => unfinished.flush(),
        }
    }
}

/// A run that is interrupted leaves nothing behind. (One that is killed leaves `.loadgate-….unfinished`.)
fn remove_on_signal(unfinished: PathBuf) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _ = std::fs::remove_file(unfinished);
            let _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}
