//! Telling whether two names stand for one file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use same_file::Handle;

/// The most links that one path may lead over: as many as Linux follows.
const LINKS_MAX: usize = 40;

/// An existing regular file, whatever it is called. Terminals, pipes and devices have none: they may be read and
/// written at once.
#[derive(Debug, PartialEq, Eq)]
pub struct FileId(Handle);

impl FileId {
    /// Of an opened file.
    pub fn of_file(file: &File) -> io::Result<Option<FileId>> {
        FileId::if_regular(Handle::from_file(file.try_clone()?)?)
    }

    /// Of the file at a path. None also where there is no file yet, or none that can be opened.
    pub fn of_path(path: &Path) -> Option<FileId> {
        // Asked first, because opening a pipe would wait for somebody at its other end.
        let is_regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        is_regular.then(|| Handle::from_path(path).ok()).flatten().map(FileId)
    }

    /// Of what standard input has been redirected to.
    pub fn of_stdin() -> Option<FileId> {
        Handle::stdin().and_then(FileId::if_regular).ok().flatten()
    }

    /// Of what standard output has been redirected to.
    pub fn of_stdout() -> Option<FileId> {
        Handle::stdout().and_then(FileId::if_regular).ok().flatten()
    }

    /// Size of the file.
    pub fn bytes(&self) -> Option<u64> {
        self.0.as_file().metadata().ok().map(|metadata| metadata.len())
    }

    fn if_regular(handle: Handle) -> io::Result<Option<FileId>> {
        let is_regular = handle.as_file().metadata()?.is_file();
        Ok(is_regular.then_some(FileId(handle)))
    }
}

/// Returns true when two paths of files that do not exist yet will be the same file.
pub fn are_one_new_file(one: &Path, other: &Path) -> bool {
    !one.exists() && !other.exists() && resolved(one).is_some() && resolved(one) == resolved(other)
}

fn resolved(path: &Path) -> Option<PathBuf> {
    let path = &*end_of_links(path).ok()?;
    Some(folder(path).canonicalize().ok()?.join(path.file_name()?))
}

/// The path at which a link ends, over as many links as it takes; there may be no file yet. Any other path ends where
/// it is.
///
/// # Errors
/// Those of reading a link, and one for links that lead to one another.
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

/// The folder in which a path's last name stands.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path of a file; none where `-` or nothing stands for standard input or output.
pub fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| *path != Path::new("-"))
}
