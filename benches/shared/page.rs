//! Pages of docs/ with the tables and plots of the benchmarks.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

/// Returns docs/ if results are published, and a folder under `target` otherwise.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = if is_published() {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench")
    };
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Prints the result of a benchmark, in Markdown. If results are published, it also replaces the text between the
/// comments `<!-- begin NAME -->` and `<!-- end NAME -->` on that page of docs/.
#[allow(clippy::print_stdout)]
pub(crate) fn put(page: &str, name: &str, markdown: &str) -> Result<()> {
    println!("{markdown}");
    if !is_published() {
        return Ok(());
    }
    let path = folder()?.join(page);
    let text = fs::read_to_string(&path)?;
    let replaced = replace(&text, name, markdown);
    let missing = || Error::other(format!("{} has no place for {name}", path.display()));
    fs::write(&path, replaced.ok_or_else(missing)?)
}

fn replace(text: &str, name: &str, markdown: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("<!-- begin {name} -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- end {name} -->"))?;
    Some(format!("{before}<!-- begin {name} -->\n\n{}\n\n<!-- end {name} -->{after}", markdown.trim()))
}

fn is_published() -> bool {
    std::env::var_os("PUBLISH").is_some_and(|value| !value.is_empty())
}
