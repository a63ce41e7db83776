//! Limits file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::domain::Limits;
use crate::wire::{LimitsTextError, parse_limits};

/// Maximum size of a limits file, in bytes: room for [`LIMITS_MAX`](crate::domain::LIMITS_MAX) limits and many
/// comments.
const LIMITS_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Error of a limits file.
#[derive(Debug, thiserror::Error)]
pub enum LimitsFileError {
    /// The file cannot be read.
    #[error("could not read the limits file")]
    Read(#[source] io::Error),
    /// The file is over [`LIMITS_FILE_BYTES_MAX`].
    #[error("is over {LIMITS_FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// The file contains something other than limits.
    #[error(transparent)]
    Invalid(#[from] LimitsTextError),
}

/// Reads the limits from a file.
///
/// # Errors
/// [`LimitsFileError`] if the file cannot be read, or contains anything but limits.
pub fn read_limits(path: &Path) -> Result<Limits, LimitsFileError> {
    let file = File::open(path).map_err(LimitsFileError::Read)?;
    Ok(parse_limits(&read_limits_text(file)?)?)
}

/// Reads the text of limits.
///
/// # Errors
/// [`LimitsFileError`] if it cannot be read, is too large, or is no text.
pub fn read_limits_text(file: impl Read) -> Result<String, LimitsFileError> {
    let mut bytes = Vec::new();
    file.take(LIMITS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(LimitsFileError::Read)?;
    if bytes.len() as u64 > LIMITS_FILE_BYTES_MAX {
        return Err(LimitsFileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| LimitsFileError::NotUtf8)
}
