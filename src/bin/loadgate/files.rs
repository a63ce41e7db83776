//! Identity of files: detects two names of the same file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

/// Maximum number of links that are followed for one path: as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Identity of an existing regular file, whatever its name. Terminals, pipes and devices have no identity: they may be
/// read and written at the same time.
#[derive(Debug, PartialEq, Eq)]
pub struct FileId(Handle);

impl FileId {
    /// Returns the identity of an open file.
    pub fn of_file(file: &File) -> io::Result<Option<FileId>> {
        FileId::if_regular(Handle::from_file(file.try_clone()?)?)
    }

    /// Returns the identity of the file at a path. `None` also if the file does not exist or cannot be opened.
    pub fn of_path(path: &Path) -> Option<FileId> {
        // The type is checked first, because opening a pipe would block until its other end is opened.
        let is_regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        is_regular.then(|| Handle::from_path(path).ok()).flatten().map(FileId)
    }

    /// Returns the identity of the file to which standard input is redirected.
    pub fn of_stdin() -> Option<FileId> {
        Handle::stdin().and_then(FileId::if_regular).ok().flatten()
    }

    /// Returns the identity of the file to which standard output is redirected.
    pub fn of_stdout() -> Option<FileId> {
        Handle::stdout().and_then(FileId::if_regular).ok().flatten()
    }

    /// Returns the size of the file.
    pub fn bytes(&self) -> Option<u64> {
        self.0.as_file().metadata().ok().map(|metadata| metadata.len())
    }

    fn if_regular(handle: Handle) -> io::Result<Option<FileId>> {
        let is_regular = handle.as_file().metadata()?.is_file();
        Ok(is_regular.then_some(FileId(handle)))
    }
}

/// Returns true if two paths, neither of which exists yet, lead to the same file.
pub fn are_one_new_file(one: &Path, other: &Path) -> bool {
    !one.exists() && !other.exists() && resolved(one).is_some() && resolved(one) == resolved(other)
}

fn resolved(path: &Path) -> Option<PathBuf> {
    let path = &*end_of_links(path).ok()?;
    Some(folder(path).canonicalize().ok()?.join(path.file_name()?))
}

/// Follows all links from a path and returns the last target, which may not exist yet. A path that is no link is
/// returned unchanged.
///
/// # Errors
/// Errors of reading a link, and an error for a cycle of links.
pub fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut end = path.to_owned();
    for _ in 0..LINKS_MAX {
        if !end.is_symlink() {
            return Ok(end);
        }
        end = folder(&end).join(end.read_link()?);
    }
    Err(io::Error::other("it is a link that leads to itself, or over too many other links"))
}

/// Returns the folder that contains the path's last component.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the path of a file; `None` if it is `-` or absent, which stand for standard input or output.
pub fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| *path != Path::new("-"))
}
