//! Opening of the input: a file or standard input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::Context;

use crate::files::{FileId, named};
use crate::outcome::{Failure, print_status};

/// Contents of an input, for messages.
#[derive(Clone, Copy, Debug)]
pub enum Contents {
    LoadAttempts,
    LimitEvents,
    #[cfg(feature = "cli")]
    Limits,
    #[cfg(feature = "cli")]
    CustomerIds,
}

impl Contents {
    const fn name(self) -> &'static str {
        match self {
            Contents::LoadAttempts => "load attempts",
            Contents::LimitEvents => "limit events",
            #[cfg(feature = "cli")]
            Contents::Limits => "limits",
            #[cfg(feature = "cli")]
            Contents::CustomerIds => "customers' ids",
        }
    }
}

/// An open input that has not been read yet.
pub struct Input {
    pub name: String,
    /// Size in bytes as stored; `None` if the input is no file.
    pub bytes: Option<u64>,
    pub id: Option<FileId>,
    pub raw: Box<dyn Read + Send>,
}

impl Input {
    /// Opens a file, or standard input if the path is `-` or absent.
    pub fn open(path: Option<&Path>, contents: Contents) -> Result<Input, Failure> {
        let open_file = |path| Input::open_file(path, contents).map_err(Failure::Io);
        named(path).map_or_else(|| Ok(Input::stdin(contents)), open_file)
    }

    fn open_file(path: &Path, contents: Contents) -> anyhow::Result<Input> {
        let name = path.display().to_string();
        let failed = || format!("could not open the input '{name}'");
        let file = File::open(path).with_context(failed)?;
        let metadata = file.metadata().with_context(failed)?;
        if metadata.is_dir() {
            anyhow::bail!("the input '{name}' is a directory; give a file of {}", contents.name());
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        let id = FileId::of_file(&file).with_context(failed)?;
        Ok(Input { name, bytes, id, raw: Box::new(file) })
    }

    fn stdin(contents: Contents) -> Input {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let contents = contents.name();
            print_status(&format!("loadgate: reading {contents} from the terminal, one a line; Ctrl-D ends"));
        }
        let id = FileId::of_stdin();
        let bytes = id.as_ref().and_then(FileId::bytes);
        Input { name: "standard input".to_owned(), bytes, id, raw: Box::new(stdin) }
    }
}
