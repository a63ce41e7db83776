//! Refusal of outputs of a backtest that would overwrite an input or one another.

use std::path::Path;

use anyhow::anyhow;

use super::Args;
use crate::files::{FileId, are_one_new_file, named};
use crate::input::Input;
use crate::outcome::Failure;

/// A file of the command line, with words for messages.
struct Named<'a> {
    name: String,
    id: Option<FileId>,
    path: Option<&'a Path>,
}

/// Refuses an output that is also an input or another output, and a `-` that has no meaning.
pub fn refuse_shared(args: &Args, input: &Input) -> Result<(), Failure> {
    let refuse = |problem: String| Err(Failure::Usage(anyhow!(problem)));
    for (option, path, instead) in [
        ("--report", args.report.as_deref(), "standard output is for the text, or for --json -"),
        ("--rejects", args.attempts.rejects.as_deref(), "standard output is for the report"),
        ("--customer-limits", args.attempts.customer_limits.as_deref(), "standard input is for load attempts"),
    ] {
        if path.is_some() && named(path).is_none() {
            return refuse(format!("{option} takes a file: {instead}"));
        }
    }
    let outputs = outputs(args);
    let inputs = inputs(args);
    for (place, output) in outputs.iter().enumerate() {
        if output.id.is_some() && output.id == input.id {
            return refuse(format!("{} would overwrite the input: give another output", output.name));
        }
        if let Some(other) = inputs.iter().find(|other| output.id.is_some() && output.id == other.id) {
            return refuse(format!("{} would overwrite {}: give another output", output.name, other.name));
        }
        if let Some(other) = outputs.iter().take(place).find(|other| output.is_one_with(other)) {
            return refuse(format!("{} and {} would go to one file: give two", other.name, output.name));
        }
    }
    Ok(())
}

fn outputs(args: &Args) -> Vec<Named<'_>> {
    let stdout = Named { name: "the text".to_owned(), id: FileId::of_stdout(), path: None };
    let files = [
        ("the page", args.report.as_deref()),
        ("the JSON", named(args.json.as_deref())),
        ("the rejects", args.attempts.rejects.as_deref()),
    ];
    let files = files.into_iter().filter_map(|(name, path)| Some(Named::new(name.to_owned(), path?)));
    std::iter::once(stdout).chain(files).collect()
}

fn inputs(args: &Args) -> Vec<Named<'_>> {
    let base = args.attempts.limits.as_deref().map(|path| Named::new("the limits file".to_owned(), path));
    let own = args.attempts.customer_limits.as_deref();
    let own = own.map(|path| Named::new("the file of customers' limits".to_owned(), path));
    let candidate = |(number, file)| Named::new(format!("the limits file of candidate {number}"), file);
    let candidates = (1..).zip(args.candidates.iter().map(|file| file.path.as_path())).map(candidate);
    base.into_iter().chain(own).chain(candidates).collect()
}

impl<'a> Named<'a> {
    fn new(name: String, path: &'a Path) -> Named<'a> {
        Named { name, id: FileId::of_path(path), path: Some(path) }
    }

    /// Returns true if both are one file, whether it exists or not.
    fn is_one_with(&self, other: &Named<'_>) -> bool {
        let are_one = self.id.is_some() && self.id == other.id;
        are_one || self.path.zip(other.path).is_some_and(|(one, other)| are_one_new_file(one, other))
    }
}
