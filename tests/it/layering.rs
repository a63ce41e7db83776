//! Dependencies point one way: `bin → entry → app → domain`; `wire` serves entry and adapters; the domain is pure.

use std::path::{Path, PathBuf};

/// What no layer but `bin` may say: whatever reaches the world outside, or holds money in floats.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "Instant",
    "SystemTime",
    "Utc::now",
    "Local",
    "getrandom",
    "clap",
    "anyhow",
    "indicatif",
    "f32",
    "f64",
];

/// A layer's folder or file, and what it must not say besides.
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
            "std::io",
            "std::thread",
            "println!",
        ],
    ),
    (
        "app",
        &[
            "crate::wire",
            "crate::adapters",
            "crate::entry",
            "crate::config",
            "crate::telemetry",
            "serde",
            "tokio",
            "aws_",
            "lambda_",
        ],
    ),
    (
        "wire",
        &["crate::app", "crate::adapters", "crate::entry", "crate::config", "crate::telemetry", "aws_", "lambda_"],
    ),
    ("adapters", &["crate::entry", "crate::telemetry", "lambda_"]),
    ("entry", &["crate::adapters", "crate::config", "crate::telemetry", "aws_sdk_"]),
    ("config", &["crate::app", "crate::wire", "crate::adapters", "crate::entry", "crate::telemetry"]),
    ("telemetry", &["crate::wire", "crate::adapters", "crate::entry", "crate::config"]),
    ("bin", &[]),
];

/// What `bin` may say; `config`, which reads configuration for it; the adapters, of which one is the clock, and which name
/// requests; and telemetry,
/// because CloudWatch's numbers are floats.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bin", &["std::fs", "std::process", "Instant", "getrandom", "clap", "anyhow", "indicatif"]),
    ("config", &["std::fs", "std::env", "std::net"]),
    ("adapters", &["Instant", "SystemTime", "getrandom"]),
    ("telemetry", &["f64"]),
];

/// The longest source file, in lines, that still counts as short.
const FILE_LINES_MAX: usize = 300;

#[test]
fn no_layer_knows_what_it_must_not_know() {
    let mut broken = Vec::new();
    for (layer, words) in FORBIDDEN {
        let allowed = ALLOWED.iter().find(|(name, _)| name == layer).map_or(&[][..], |(_, words)| words);
        let impure = IMPURE.iter().filter(|word| !allowed.contains(word));
        // A path that climbs out of its module could get around the rest.
        let words: Vec<&str> = words.iter().chain(impure).chain(&["super::super"]).copied().collect();
        for path in sources(layer) {
            broken.extend(violations(&std::fs::read_to_string(&path).unwrap(), &words, &path));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_violation_would_be_found() {
    let at = Path::new("x.rs");
    assert_eq!(violations("use serde::Serialize;\n", &["serde"], at), ["x.rs:1: says `serde`"]);
    assert_eq!(violations("fn f(x: f64) {}", &["f64"], at).len(), 1);
    for import in [
        "use crate::{\n    wire::Reasons,\n};",
        "use crate::{domain::{Day, Week}, wire::Reasons};",
        "pub use crate::wire;",
    ] {
        assert_eq!(violations(import, &["crate::wire"], at).len(), 1, "{import}");
    }
    assert!(violations("use crate::{domain::{wire, Week}};", &["crate::wire"], at).is_empty());
    assert!(
        violations("/// Not with serde, nor f64\nlet brand = 1; // serde", &["serde", "f64", "rand"], at).is_empty()
    );
    assert!(!sources("domain").is_empty() && sources("lib.rs").len() == 1);
}

#[test]
fn every_layer_is_held() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "lib.rs" || FORBIDDEN.iter().any(|(layer, _)| *layer == name), "src/{name} has no rule here");
    }
}

/// `deny` alone would let a file allow it. The one exception promises that a constructor needs nothing of Rust's runtime.
#[test]
fn nothing_is_unsafe_but_one_constructor() {
    let words = ["unsafe", "allow(unsafe_code", "expect(unsafe_code"];
    let found: Vec<String> = sources("")
        .iter()
        .flat_map(|path| {
            violations(&std::fs::read_to_string(path).unwrap(), &words, Path::new(path.file_name().unwrap()))
        })
        .collect();
    assert!(matches!(&found[..], [one] if one.starts_with("standard_output.rs:")), "{found:?}");
}

#[test]
fn files_are_short() {
    for path in sources("") {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines: part it by subject", path.display());
    }
}

/// Whole words, outside of comments. Imports are taken apart into whole paths first.
fn violations(source: &str, words: &[&str], path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut import: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(source.lines()) {
        let code = line.split("//").next().unwrap_or_default().trim();
        let is_import = import.is_some() || code.starts_with("use ") || code.starts_with("pub use ");
        let (at, statement) = import.take().unwrap_or((number, String::new()));
        let statement = statement + code;
        if is_import && !code.ends_with(';') {
            import = Some((at, statement));
            continue;
        }
        let paths = if is_import { expanded(statement.trim_end_matches(';')) } else { vec![statement] };
        for word in words.iter().filter(|word| paths.iter().any(|path| has_word(path, word))) {
            found.push(format!("{}:{at}: says `{word}`", path.display()));
        }
    }
    found
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
fn expanded(import: &str) -> Vec<String> {
    let Some((prefix, rest)) = import.split_once('{') else { return vec![import.trim().to_owned()] };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(&inner[std::mem::replace(&mut begin, at + 1)..at]),
            _ => {}
        }
    }
    parts.push(&inner[begin..]);
    parts.iter().flat_map(|part| expanded(&format!("{prefix}{}", part.trim()))).collect()
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
