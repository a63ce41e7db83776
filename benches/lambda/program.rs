//! The compared programs, as they would be deployed.

use std::io::{Error, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Size of a zip file of one entry without the entry's deflated bytes: two headers with its name, and the end's
/// record (PKZIP's APPNOTE, 4.3).
const ZIP_OVERHEAD_BYTES: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// A program, stripped as `tools/build-function` strips it.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Size of the zip file that would be deployed.
    pub(crate) zip_bytes: u64,
}

impl Program {
    /// Returns the real function.
    pub(crate) fn loadgate() -> Result<Program> {
        Program::strip(Path::new(env!("CARGO_BIN_EXE_decide")), "loadgate")
    }

    /// Returns the plain handler. Cargo puts it next to this program under a name with an unknown suffix, so the
    /// newest match is used.
    pub(crate) fn plain() -> Result<Program> {
        let this = std::env::current_exe()?;
        let mut built = Vec::new();
        for file in std::fs::read_dir(this.parent().unwrap_or(Path::new(".")))? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with("plain_handler-") && !name.contains('.') {
                built.push((file.metadata()?.modified()?, file.path()));
            }
        }
        let (_, newest) =
            built.into_iter().max().ok_or_else(|| Error::other("it was not built; `make bench-lambda` does"))?;
        Program::strip(&newest, "plain")
    }

    fn strip(program: &Path, name: &str) -> Result<Program> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench").join(name);
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("bootstrap");
        let stripped = Command::new("strip").arg("--strip-all").arg("-o").arg(&path).arg(program).status()?;
        if !stripped.success() {
            return Err(Error::other(format!("{} could not be stripped", program.display())));
        }
        let zip_bytes = zip_bytes(&path)?;
        Ok(Program { path, zip_bytes })
    }
}

/// Returns the size of a zip file of the program, at deflate's best compression.
fn zip_bytes(path: &Path) -> Result<u64> {
    let mut program = Vec::new();
    std::fs::File::open(path)?.read_to_end(&mut program)?;
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(&program)?;
    Ok(deflated.finish()?.len() as u64 + ZIP_OVERHEAD_BYTES)
}
