//! Customers' own limits for a replay in memory: a file of limit events.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use loadgate::limits::LimitBook;
use loadgate::runtime::limit_events::{LimitEventCounts, SOURCE, apply_limit_events};
use loadgate::wire::RejectWriter;

use crate::attempts::AttemptArgs;
use crate::decompress::decompressed;
use crate::input::{Contents, Input};
use crate::outcome::{Failure, print_status};
use crate::progress::INVALID_SHOWN_MAX;

/// Reads the file that the command line names, if any, as [`read`] does.
pub fn read_if_given(
    args: &AttemptArgs,
    rejects: Option<&mut Box<dyn Write + Send>>,
) -> Result<(LimitBook, u64), Failure> {
    args.customer_limits.as_deref().map_or_else(|| Ok(<(LimitBook, u64)>::default()), |path| read(path, rejects))
}

/// Reads all events of a file. Returns the limits that they leave, and the number of invalid lines.
fn read(path: &Path, rejects: Option<&mut Box<dyn Write + Send>>) -> Result<(LimitBook, u64), Failure> {
    let name = path.display();
    let input = Input::open(Some(path), Contents::LimitEvents)?;
    let bytes = decompressed(input.raw).with_context(|| format!("could not read '{name}'")).map_err(Failure::Io)?;
    let mut book = LimitBook::default();
    let mut rejects = rejects.map(|out| RejectWriter::of_source(out, SOURCE));
    let mut shown = 0;
    let counts = apply_limit_events(bytes, &mut book, rejects.as_mut(), |line, error| {
        shown += 1;
        if shown <= INVALID_SHOWN_MAX {
            print_status(&format!("'{name}', line {line}: {}: {error}", error.code()));
        }
    });
    let counts = counts.with_context(|| format!("customers' limits from '{name}'")).map_err(Failure::Io)?;
    if counts.invalid > INVALID_SHOWN_MAX {
        print_status(&format!("'{name}': {} more invalid lines", counts.invalid - INVALID_SHOWN_MAX));
    }
    let LimitEventCounts { changed, outdated, ignored, invalid } = counts;
    print_status(&format!(
        "'{name}': {changed} events applied, {outdated} outdated, {ignored} ignored, {invalid} invalid"
    ));
    Ok((book, invalid))
}
