//! State of standard output at the start of this process.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in place of a closed standard stream, for reading and writing. Later
//! it cannot be distinguished from a `/dev/null` that the caller has chosen, because some callers open theirs in the
//! same way. Besides, `std::io::Stdout` reports success for a write to a descriptor that cannot be written. So a
//! constructor, which the operating system runs before Rust's runtime, examines the descriptor.

#[cfg(feature = "cli")]
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::anyhow;
#[cfg(feature = "cli")]
use rustix::fs::{FileType, fdatasync, fstat};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::stdio::stdout;

use crate::outcome::Failure;

const WRITABLE: u8 = 0;
const CLOSED: u8 = 1;
const NOT_WRITABLE: u8 = 2;

/// State of standard output when the process began.
static STATE: AtomicU8 = AtomicU8::new(WRITABLE);

// The constructor makes one system call and sets one atomic. It needs nothing of Rust's runtime.
ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn examine() {
        let state = match fcntl_getfl(stdout()) {
            Err(_) => CLOSED,
            Ok(flags) if flags.contains(OFlags::PATH) || flags & OFlags::RWMODE == OFlags::RDONLY => NOT_WRITABLE,
            Ok(_) => WRITABLE,
        };
        STATE.store(state, Ordering::Relaxed);
    }
}

/// Fails if standard output cannot be written. Every command that writes to it calls this first.
///
/// # Errors
/// [`Failure::Io`] when standard output is closed, or cannot be written.
pub fn require() -> Result<(), Failure> {
    let problem = match STATE.load(Ordering::Relaxed) {
        CLOSED => "standard output is closed",
        NOT_WRITABLE => "standard output is not open for writing",
        _ => return Ok(()),
    };
    Err(Failure::Io(anyhow!("{problem}; nothing was done: redirect it to a file, a pipe or /dev/null")))
}

/// Flushes standard output. A regular file is also synced to disk.
///
/// # Errors
/// Errors of standard output. After an error, printed text may be lost.
#[cfg(feature = "cli")]
pub fn keep() -> io::Result<()> {
    io::stdout().flush()?;
    if FileType::from_raw_mode(fstat(stdout())?.st_mode).is_file() {
        fdatasync(stdout())?;
    }
    Ok(())
}
