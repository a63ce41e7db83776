//! The file in which invalid dead letters are archived.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;
use loadgate::deciding::Received;
use loadgate::domain::LoadError;
use loadgate::redrive::Archive;

use crate::files::{end_of_links, folder};
use crate::message_line::message_line;
use crate::outcome::Failure;

/// An append-only archive of dead letters.
pub struct FileArchive(File);

impl FileArchive {
    pub fn open(path: &Path) -> Result<FileArchive, Failure> {
        open(path).map(FileArchive).with_context(|| format!("could not open '{}'", path.display())).map_err(Failure::Io)
    }
}

fn open(path: &Path) -> io::Result<File> {
    // The type is checked first, because opening a pipe would block until it has a reader.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other("it is not a regular file, so it would not keep dead letters; name a file"));
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // The folder is synced, too, because the file's name must survive a crash.
    File::open(folder(&end_of_links(path)?))?.sync_all()?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        // An incomplete last line, from a full disk, must not corrupt the next one.
        file.write_all(b"\n")?;
    }
    Ok(file)
}

impl Archive for FileArchive {
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> io::Result<()> {
        let lines: String = letters.iter().map(|(letter, error)| message_line(letter, Some(error)) + "\n").collect();
        // One write, so that an interruption leaves only complete lines. It is synced to disk, because the caller then
        // deletes the dead letters from the queue.
        self.0.write_all(lines.as_bytes())?;
        self.0.sync_all()
    }
}
