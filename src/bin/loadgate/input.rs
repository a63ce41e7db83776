//! Opening what is to be read: a file or standard input, plain or compressed.

use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use flate2::read::MultiGzDecoder;

use crate::files::{FileId, named};
use crate::outcome::{Failure, tell};

/// An opened input whose bytes have not been looked at yet.
pub struct Input {
    pub name: String,
    /// How many bytes it has as it lies there, if it is a file.
    pub bytes: Option<u64>,
    pub id: Option<FileId>,
    pub raw: Box<dyn Read + Send>,
}

impl Input {
    /// Opens a file; `-` or none is standard input.
    pub fn open(path: Option<&Path>) -> Result<Input, Failure> {
        named(path).map_or_else(|| Ok(Input::stdin()), |path| Input::open_file(path).map_err(Failure::Io))
    }

    fn open_file(path: &Path) -> anyhow::Result<Input> {
        let name = path.display().to_string();
        let failed = || format!("could not open the input '{name}'");
        let file = File::open(path).with_context(failed)?;
        let metadata = file.metadata().with_context(failed)?;
        if metadata.is_dir() {
            anyhow::bail!("the input '{name}' is a directory; give a file of load attempts");
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        let id = FileId::of_file(&file).with_context(failed)?;
        Ok(Input { name, bytes, id, raw: Box::new(file) })
    }

    fn stdin() -> Input {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            tell("loadgate: reading load attempts from the terminal, one a line; Ctrl-D ends");
        }
        let id = FileId::of_stdin();
        let bytes = id.as_ref().and_then(FileId::bytes);
        Input { name: "standard input".to_owned(), bytes, id, raw: Box::new(stdin) }
    }
}

/// Undoes gzip or Zstandard, whichever the first bytes say; no load attempt begins like either.
pub fn decompressed<'r>(mut raw: impl Read + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
    let mut magic = Vec::new();
    (&mut raw).take(4).read_to_end(&mut magic)?;
    let whole = Cursor::new(magic.clone()).chain(raw);
    Ok(match *magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(io::BufReader::new(whole))),
        // A frame, or a skippable frame as parallel compressors put first.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}
