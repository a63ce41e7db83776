//! Output of decisions: standard output as they are made, or a file that appears complete or not at all.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::NamedTempFile;

use crate::files::{FileId, end_of_links, folder, named};
use crate::outcome::Failure;
use crate::standard_output;

/// Destination of the output.
pub enum Output {
    Stdout(io::Stdout),
    /// A pipe or a device, which cannot be replaced by renaming.
    Special(File),
    /// A temporary file beside the target. It replaces the target at the end.
    Whole {
        unfinished: NamedTempFile,
        target: PathBuf,
    },
}

impl Output {
    /// Opens an output, or standard output if the path is `-` or absent.
    pub fn open(path: Option<&Path>) -> Result<Output, Failure> {
        let Some(path) = named(path) else {
            standard_output::require()?;
            return Ok(Output::Stdout(io::stdout()));
        };
        Output::open_path(path)
            .with_context(|| format!("could not create the output '{}'", path.display()))
            .map_err(Failure::Io)
    }

    fn open_path(path: &Path) -> anyhow::Result<Output> {
        // A link is kept; the file that it leads to is replaced.
        let target = end_of_links(path)?;
        let existing = match std::fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if existing.as_ref().is_some_and(Metadata::is_dir) || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            anyhow::bail!("it is a directory");
        }
        if existing.is_some() {
            // A file that may not be written may not be replaced either.
            let file = OpenOptions::new().write(true).open(&target)?;
            if existing.as_ref().is_some_and(|metadata| !metadata.is_file()) {
                return Ok(Output::Special(file));
            }
            if FileId::of_file(&file)?.is_some_and(|id| Some(id) == FileId::of_stdout()) {
                return Ok(Output::Stdout(io::stdout()));
            }
        }
        Ok(Output::Whole { unfinished: create_removable(&target, existing.as_ref())?, target })
    }

    /// Returns true for standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout(_))
    }

    /// Completes all writes, and only then makes the file appear.
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

/// Creates a file that can replace the target: in the same folder, with the same permissions.
fn create_beside(target: &Path, existing: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let folder = folder(target);
    std::fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".loadgate-").suffix(".unfinished");
    match existing.map(Metadata::permissions) {
        None => builder.permissions(Permissions::from_mode(0o666)).tempfile_in(folder),
        Some(permissions) => {
            let unfinished = builder.tempfile_in(folder)?;
            unfinished.as_file().set_permissions(permissions)?;
            Ok(unfinished)
        }
    }
}

/// Temporary files that a signal removes before it ends the run. (`SIGKILL` leaves `.loadgate-….unfinished`.)
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Creates the temporary file and arranges its removal when a signal ends the run.
fn create_removable(target: &Path, existing: Option<&Metadata>) -> io::Result<NamedTempFile> {
    // The lock makes the signal handler wait until the file is listed.
    let mut all = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        remove_on_signal()?;
    }
    let unfinished = create_beside(target, existing)?;
    all.push(unfinished.path().to_owned());
    Ok(unfinished)
}

fn remove_on_signal() -> io::Result<()> {
    let heeded = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    // When the file size limit is reached, a handler turns the signal into a write error.
    let mut signals = Signals::new(heeded.chain([SIGXFSZ]))?;
    let wait = move || {
        if let Some(signal) = signals.forever().find(|signal| *signal != SIGXFSZ) {
            for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let _ = std::fs::remove_file(path);
            }
            let _ = emulate_default_handler(signal);
        }
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

/// Returns true if the parent process made this process ignore the signal, as `nohup` does. Only Linux provides this
/// information; elsewhere the result is false.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    ignored >> (signal - 1) & 1 == 1
}
