//! Dependencies point one way: `bin -> runtime -> features -> domain`. One list contains every allowed edge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules of the library, each with the modules that it may name. `bin` may name all of them, through `loadgate`.
const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &["domain"]),
    ("deciding", &["domain", "wire"]),
    ("limits", &["deciding", "domain"]),
    ("erasing", &["deciding", "domain", "limits"]),
    ("redrive", &["deciding", "domain"]),
    ("replay", &["deciding", "domain", "limits", "wire"]),
    // A backtest is a replay under several tables of limits: it shares the blocks, the shards and the ledger.
    ("backtest", &["domain", "limits", "replay", "wire"]),
    ("runtime", &["deciding", "domain", "limits", "wire"]),
    // Adapters name the ports of features, and the table names of the configuration.
    ("adapters", &["config", "deciding", "domain", "erasing", "limits", "replay", "wire"]),
    ("config", &["domain", "wire"]),
    ("telemetry", &["deciding", "limits"]),
];

/// Words that only `bin` may use: access to anything outside the process, and floats, which must not hold money.
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

/// Words of libraries that a module must not use.
const FOREIGN: &[(&str, &[&str])] = &[
    ("domain", &["serde", "toml", "tokio", "aws_", "lambda_", "futures_util", "std::io", "std::thread", "println!"]),
    ("deciding", &["serde", "tokio", "aws_", "lambda_"]),
    ("limits", &["serde", "tokio", "aws_", "lambda_"]),
    ("erasing", &["serde", "tokio", "aws_", "lambda_"]),
    ("redrive", &["serde", "tokio", "aws_", "lambda_"]),
    ("replay", &["aws_", "lambda_"]),
    ("backtest", &["aws_", "lambda_", "tokio"]),
    ("wire", &["aws_", "lambda_", "tokio"]),
    ("adapters", &["lambda_"]),
    ("runtime", &["aws_sdk_"]),
    ("config", &["aws_", "lambda_", "tokio"]),
    ("telemetry", &["aws_sdk_"]),
];

/// Exceptions: `bin`; `config`, which reads the configuration; the adapters, because one of them is the clock and
/// others draw random tokens for requests; and `telemetry`, because CloudWatch's numbers are floats.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bin", &["std::fs", "std::process", "Instant", "getrandom", "clap", "anyhow", "indicatif"]),
    ("config", &["std::fs", "std::env", "std::net"]),
    ("adapters", &["Instant", "SystemTime", "getrandom"]),
    ("telemetry", &["f64"]),
];

/// Maximum length of a source file, in lines.
const FILE_LINES_MAX: usize = 300;

#[test]
fn modules_name_only_what_the_list_allows() {
    let mut broken = Vec::new();
    for (module, allowed) in EDGES {
        for path in sources(module) {
            for (line, named) in named_modules(&std::fs::read_to_string(&path).unwrap(), &module_path(&path)) {
                if named != *module && !allowed.contains(&named.as_str()) {
                    broken.push(format!("{}:{line}: {module} must not name {named}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_listed_edge_is_used() {
    for (module, allowed) in EDGES {
        let named: BTreeSet<String> = sources(module)
            .iter()
            .flat_map(|path| named_modules(&std::fs::read_to_string(path).unwrap(), &module_path(path)))
            .map(|(_, named)| named)
            .collect();
        for edge in *allowed {
            assert!(named.contains(*edge), "nothing in {module} names {edge}: remove the edge");
        }
    }
}

/// Only `bin` composes programs, so only `bin` may use any library.
#[test]
fn modules_use_only_their_own_libraries() {
    let mut broken = Vec::new();
    for (module, words) in FOREIGN {
        let allowed = ALLOWED.iter().find(|(name, _)| name == module).map_or(&[][..], |(_, words)| words);
        let impure = IMPURE.iter().filter(|word| !allowed.contains(word));
        let words: Vec<&str> = words.iter().chain(impure).copied().collect();
        for path in sources(module) {
            broken.extend(violations(&std::fs::read_to_string(&path).unwrap(), &words, &path));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_form_of_path_is_detected() {
    let named = |source: &str| -> Vec<String> {
        named_modules(source, &["redrive", "pass"].map(str::to_owned)).into_iter().map(|(_, named)| named).collect()
    };
    assert_eq!(named("use crate::{\n    wire::Reasons,\n    domain::{Day, Week},\n};"), ["wire", "domain", "domain"]);
    assert_eq!(named("pub(crate) use crate::replay as r;"), ["replay"]);
    assert_eq!(named("let x = crate::wire::f();"), ["wire"]);
    assert_eq!(named("use super::super::replay::Line;"), ["replay"]);
    assert_eq!(named("use super::{super::wire, Report};"), ["wire"]);
    assert_eq!(named("fn f() { super::super::replay::g() }"), ["replay"]);
    assert_eq!(named("use super::Report;\nuse self::x::Y;"), [""; 0]);
    assert_eq!(named("mod tests {\n    use super::super::Report;\n}\n"), [""; 0]);
    assert_eq!(named("mod tests {\n    use super::super::super::wire::X;\n}\n"), ["wire"]);
    for hidden in [
        "use crate::*;",
        "use crate as c;",
        "use crate::{self as c};",
        "extern crate self as l;",
        "use loadgate::domain;",
    ] {
        assert_eq!(named(hidden), ["the whole crate"], "{hidden}");
    }
    assert_eq!(named("// crate::wire\n/// [`crate::replay`]\nlet supers = 1;"), [""; 0]);
}

#[test]
fn foreign_words_are_detected() {
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
fn every_module_is_in_the_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_listed =
            EDGES.iter().any(|(module, _)| *module == name) && FOREIGN.iter().any(|(module, _)| *module == name);
        assert!(is_listed || name == "lib.rs" || name == "bin", "src/{name} is in no list of this file");
    }
}

/// The lint level `deny` alone would let a file allow unsafe code. The one exception asserts that its constructor
/// does not need Rust's runtime.
#[test]
fn only_one_constructor_is_unsafe() {
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

/// Returns the modules of the crate that a file names, each with its line. A path names a module through `crate`, or
/// by climbing out of the file's module with `super`.
fn named_modules(source: &str, module: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inline_modules = 0;
    for (line, statement) in statements(source) {
        // rustfmt puts the first and last line of an inline module at the left margin, so this count is exact.
        if statement.starts_with("mod ") && statement.ends_with('{') {
            inline_modules = 1;
        } else if statement == "}" {
            inline_modules = 0;
        }
        let paths = if is_import(statement.trim_start()) {
            let import = statement.trim().trim_end_matches(';');
            expanded(import.split_once("use ").map_or(import, |(_, paths)| paths))
        } else {
            paths_in(&statement)
        };
        let depth = module.len() + inline_modules;
        found.extend(paths.iter().filter_map(|path| named_module(path, depth)).map(|named| (line, named)));
    }
    found
}

/// Returns the top-level module that a path names, as seen from a module at this depth.
fn named_module(path: &str, depth: usize) -> Option<String> {
    const WHOLE_CRATE: &str = "the whole crate";
    let path = path.split(" as ").next().unwrap_or_default().trim();
    let mut parts = path.split("::").map(str::trim).skip_while(|part| *part == "self").peekable();
    match parts.next()? {
        "crate" | "$crate" => {}
        "loadgate" | "extern" => return Some(WHOLE_CRATE.to_owned()),
        "super" => {
            let mut climbed = 1;
            while parts.next_if_eq(&"super").is_some() {
                climbed += 1;
            }
            if climbed < depth {
                return None;
            }
        }
        _ => return None,
    }
    let named = parts.next().filter(|part| *part != "*" && *part != "self").unwrap_or(WHOLE_CRATE);
    Some(named.to_owned())
}

/// Returns the paths in a line of code that begin with `crate`, `super` or `loadgate`.
fn paths_in(code: &str) -> Vec<String> {
    let is_path = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':' | '$');
    let starts = ["crate::", "$crate::", "super::", "loadgate::"];
    let words = code.split(|character| !is_path(character));
    let found = words.filter(|word| starts.iter().any(|start| word.starts_with(start)));
    let mut paths: Vec<String> = found.map(str::to_owned).collect();
    if code.trim_start().starts_with("extern crate") {
        paths.push("extern".to_owned());
    }
    paths
}

/// Returns the lines of code without comments, each with its number. An import of several lines is one entry, with
/// the number of its first line.
fn statements(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut import: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(source.lines()) {
        let code = line.split("//").next().unwrap_or_default().trim_end();
        let is_import = import.is_some() || is_import(code.trim_start());
        let (at, statement) = import.take().unwrap_or((number, String::new()));
        let statement = statement + if is_import { code.trim() } else { code };
        if is_import && !code.ends_with(';') {
            import = Some((at, statement));
        } else {
            found.push((at, statement));
        }
    }
    found
}

fn is_import(code: &str) -> bool {
    let code = code.strip_prefix("pub").unwrap_or(code);
    let code = code.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(code, |(_, rest)| rest);
    code.trim_start().starts_with("use ")
}

/// Returns the module of a source file: `redrive`, `pass` for `src/redrive/pass.rs`.
fn module_path(path: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(root).unwrap().with_extension("");
    let parts = inside.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.filter(|part| part != "mod").collect()
}

/// Returns the uses of these words as whole words outside of comments. Imports are first expanded into full paths.
fn violations(source: &str, words: &[&str], path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (at, statement) in statements(source) {
        let code = statement.trim();
        let paths = if is_import(code) { expanded(code.trim_end_matches(';')) } else { vec![code.to_owned()] };
        for word in words.iter().filter(|word| paths.iter().any(|path| has_word(path, word))) {
            found.push(format!("{}:{at}: says `{word}`", path.display()));
        }
    }
    found
}

/// Expands `a::{b, c::{d}}` into `a::b` and `a::c::d`.
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
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(&format!("{prefix}{}", part.trim()))).collect()
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
