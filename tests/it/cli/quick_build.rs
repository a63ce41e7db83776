//! `make run` builds in under a minute, because it builds only the code that decides a file.

use std::path::Path;
use std::process::Command;

/// Prefixes of crates that take the longest to build, that belong to AWS, or that only the backtest's page needs.
const TOO_MUCH: [&str; 9] = ["aws-", "dynoxide", "hyper", "lambda_", "maud", "rusqlite", "rustls", "svg", "tokio"];

fn manifest_file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_first_run_builds_no_aws_sdk() {
    let makefile = manifest_file("Makefile");
    let recipe = makefile.split("\nrun: ").nth(1).unwrap().split("\n\n").next().unwrap();
    let build = recipe.lines().find_map(|line| line.trim().strip_prefix("$(CARGO) build ")).unwrap();
    let features = build.split_whitespace().skip_while(|word| *word != "--features").nth(1).unwrap();
    assert!(build.contains("--no-default-features"), "{build}");
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args([
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-default-features",
    ]);
    let listed = tree.args(["--features", features]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let crates = String::from_utf8(listed.stdout).unwrap();
    assert!(crates.contains("clap v"), "{crates}");
    let found: Vec<&str> =
        crates.lines().filter(|line| TOO_MUCH.iter().any(|prefix| line.starts_with(prefix))).collect();
    assert!(found.is_empty(), "`make run` builds {found:?}");
}

#[test]
fn the_first_run_optimises_nothing_across_crates() {
    let manifest = manifest_file("Cargo.toml");
    let profile = manifest.split("[profile.quick]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(profile.lines().any(|line| line == "lto = false"), "{profile}");
    assert!(manifest_file("Makefile").contains("build --locked --profile quick "));
}
