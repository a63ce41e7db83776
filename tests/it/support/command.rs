//! The `loadgate` command, and a folder with a file of attempts.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

use super::line;

pub const DECIDED: &str =
    "{\"id\":\"1\",\"customer_id\":\"7\",\"accepted\":true}\n{\"id\":\"2\",\"customer_id\":\"7\",\"accepted\":false}\n";

/// Two attempts: one within the limits, one over them.
pub fn attempts() -> String {
    line("1", "7", "$5000.00", "2000-01-01T00:00:00Z") + &line("2", "7", "$0.01", "2000-01-01T00:00:01Z")
}

pub fn loadgate(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("loadgate");
    command.args(args);
    command
}

/// Creates a folder that contains `attempts.jsonl`. Returns the folder and the file's path.
pub fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("attempts.jsonl");
    std::fs::write(&input, attempts()).unwrap();
    (folder, input)
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
