//! Compares the documents with the code: metrics, log events, paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

const LOGGING: &str = include_str!("../../docs/LOGGING.md");

/// Returns the source code of all files in a folder and its subfolders.
fn code_of(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { code_of(&path) } else { fs::read_to_string(path).unwrap() }).collect()
}

fn source() -> String {
    code_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let telemetry = code_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry"));
    // A metric's name stands where the metric is recorded, or in a row of a list of metrics.
    let mut emitted = all(r#"\b(?:counter|gauge|histogram)!\(\s*"([a-z_]+)""#, &telemetry);
    emitted.extend(all(r#"(?m)^ +\("([a-z_]+)", "#, &telemetry));
    assert!(emitted.len() > 15, "{emitted:?}");
    let metrics = LOGGING.split("\n## Metrics\n").nth(1).unwrap();
    assert_eq!(all(r"(?m)^\| `([a-z_]+)` \|", metrics), emitted);
}

#[test]
fn the_documentation_lists_every_log_event_and_no_other() {
    let code = source();
    let written = all(r#"tracing::(?:error|warn|info)!\([^;]*?"([^"]+)"\s*\);"#, &code);
    let macros = Regex::new(r"tracing::(?:error|warn|info)!\(").unwrap();
    assert!(written.len() > 20 && macros.find_iter(&code).count() >= written.len(), "{written:?}");
    // `log_failed` inserts a text of its caller into its message.
    let failed = all(r#"log_failed\([^;]*?"([^"]+)", "#, &code);
    assert!(!failed.is_empty());
    let of = |event: String| -> Vec<String> {
        if event.contains("{what}") {
            failed.iter().map(|what| event.replace("{what}", what)).collect()
        } else {
            vec![event]
        }
    };
    let written: BTreeSet<String> = written.into_iter().flat_map(of).collect();
    let events = LOGGING.split("\n## Metrics\n").next().unwrap();
    let listed = all(r"(?m)^\| ``?(.+?) ?``? \| (?:ERROR|WARN|INFO) \|", events);
    assert_eq!(listed, written);
}

#[test]
fn every_path_in_a_document_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let top = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"].map(|name| root.join(name));
    let mut checked = 0;
    for page in pages.chain(top).filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        for path in all(r"`((?:src|tests|tools|benches|fuzz|events|docs)/[a-z0-9_./-]+)`", &text) {
            assert!(root.join(&path).exists(), "{} names {path}, which does not exist", page.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} paths were found");
}
