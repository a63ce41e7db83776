//! Dependencies point one way: `bin → entry → app → domain`; `wire` serves entry and adapters; the domain is pure.

use std::path::{Path, PathBuf};

/// A layer's folder or file, and what its code must not say.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "crate::app",
            "crate::wire",
            "crate::adapters",
            "crate::entry",
            "crate::config",
            "crate::telemetry",
            "serde",
            "toml",
            "tokio",
            "aws_",
            "lambda_",
            "clap",
            "anyhow",
            "std::fs",
            "std::io",
            "std::net",
            "std::env",
            "std::thread",
            "std::process",
            "std::time",
            "SystemTime",
            "Instant::now",
            "Utc::now",
            "Local",
            "f32",
            "f64",
            "unsafe",
            "println!",
            "rand",
        ],
    ),
    (
        "app",
        &[
            "crate::wire",
            "crate::adapters",
            "crate::entry",
            "crate::config",
            "serde",
            "aws_",
            "lambda_",
            "clap",
            "anyhow",
            "std::fs",
            "std::env",
            "SystemTime",
            "Utc::now",
            "f32",
            "f64",
        ],
    ),
    ("wire", &["crate::app", "crate::adapters", "crate::entry", "crate::config", "aws_", "clap", "anyhow", "std::fs"]),
    ("entry", &["crate::adapters", "crate::config", "clap", "anyhow", "std::fs", "std::env", "Utc::now", "f32", "f64"]),
    ("config.rs", &["crate::app", "crate::wire", "crate::adapters", "crate::entry", "clap", "anyhow", "f32", "f64"]),
    ("bin", &["env::var", "f32", "f64"]),
];

/// The longest source file, in lines, that still counts as short.
const FILE_LINES_MAX: usize = 300;

#[test]
fn no_layer_knows_what_it_must_not_know() {
    let broken: Vec<String> = FORBIDDEN
        .iter()
        .flat_map(|(layer, words)| sources(layer).into_iter().map(move |path| (path, words)))
        .flat_map(|(path, words)| violations(&std::fs::read_to_string(&path).unwrap(), words, &path))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_violation_would_be_found() {
    let at = Path::new("x.rs");
    assert_eq!(violations("use serde::Serialize;\n", &["serde"], at), ["x.rs:1: says `serde`"]);
    assert_eq!(violations("fn f(x: f64) {}", &["f64"], at).len(), 1);
    assert_eq!(violations("use crate::{\n    wire::Reasons,\n};", &["crate::wire"], at).len(), 1);
    assert!(
        violations("/// Not with serde, nor f64\nlet brand = 1; // serde", &["serde", "f64", "rand"], at).is_empty()
    );
    assert!(!sources("domain").is_empty() && sources("config.rs").len() == 1);
}

#[test]
fn every_layer_is_held() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "lib.rs" || FORBIDDEN.iter().any(|(layer, _)| *layer == name), "src/{name} has no rule here");
    }
}

#[test]
fn files_are_short() {
    for path in sources("") {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines: part it by subject", path.display());
    }
}

/// Whole words, outside of comments. Grouped imports of the crate are taken apart.
fn violations(source: &str, words: &[&str], path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut group = "";
    for (number, line) in (1..).zip(source.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let is_group_start = code.trim_end().ends_with("crate::{");
        let code = if group.is_empty() { code.to_owned() } else { format!("{group}{}", code.trim_start()) };
        for word in words.iter().filter(|word| has_word(&code, word)) {
            found.push(format!("{}:{number}: says `{word}`", path.display()));
        }
        group = match () {
            () if is_group_start => "crate::",
            () if code.contains('}') => "",
            () => group,
        };
    }
    found
}

fn has_word(code: &str, word: &str) -> bool {
    let is_part = |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let open_end = word.ends_with('_') || word.ends_with('!');
        !is_part(code[..at].chars().next_back()) && (open_end || !is_part(code[at + word.len()..].chars().next()))
    })
}

fn sources(layer: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
