//! The file that invalid letters are kept in.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;
use loadgate::app::Received;
use loadgate::domain::LoadError;
use loadgate::entry::redrive::Archive;
use serde::Serialize;

use crate::outcome::Failure;

/// A file to which letters are added.
pub struct FileArchive(File);

/// One letter, whole.
#[derive(Serialize)]
struct Line<'l> {
    message_id: &'l str,
    group_id: &'l str,
    code: &'l str,
    reason: String,
    attributes: &'l BTreeMap<String, String>,
    body: &'l str,
}

impl FileArchive {
    pub fn open(path: &Path) -> Result<FileArchive, Failure> {
        open(path).map(FileArchive).with_context(|| format!("could not open '{}'", path.display())).map_err(Failure::Io)
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // Its name has to last, too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    let mut last = [b'\n'];
    if file.metadata()?.is_file() && file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        // A line that was cut short, for want of space, is not to spoil the next one.
        file.write_all(b"\n")?;
    }
    Ok(file)
}

impl Archive for FileArchive {
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> io::Result<()> {
        let mut lines = Vec::new();
        for (letter, error) in letters {
            let Received { message_id, group_id, attributes, body, .. } = *letter;
            let line = Line { message_id, group_id, code: error.code(), reason: error.to_string(), attributes, body };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        // In one go, so that an interruption leaves whole lines; and to the medium, because the queue forgets them next.
        self.0.write_all(&lines)?;
        self.0.sync_all()
    }
}
