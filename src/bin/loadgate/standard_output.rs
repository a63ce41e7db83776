//! Standard output as this process was given it.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, for reading and
//! writing. Later, nothing tells that from a `/dev/null` that the caller has chosen: some callers open theirs in the
//! same way. And `std::io::Stdout` reports success for a write to a descriptor that cannot be written. So the
//! descriptor is examined by a constructor, which the operating system runs before Rust's runtime.

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

// It makes one system call and sets one atomic: nothing that needs Rust's runtime.
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

/// Refuses a standard output that takes nothing. Every command that writes to it asks before it does anything else.
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

/// Writes out everything that was printed. A regular file also reaches its medium.
///
/// # Errors
/// Those of standard output. Then what was printed may be lost.
#[cfg(feature = "cli")]
pub fn keep() -> io::Result<()> {
    io::stdout().flush()?;
    if FileType::from_raw_mode(fstat(stdout())?.st_mode).is_file() {
        fdatasync(stdout())?;
    }
    Ok(())
}
