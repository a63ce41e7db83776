//! Consistency of compose.yaml and Dockerfile with the template, the code and the lock files.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin_cmd;
use regex::Regex;

use crate::support::cloud::{Fresh, Queues, environment, sqs, tool};

const COMPOSE: &str = include_str!("../../../compose.yaml");

/// Returns the text of a pattern's first group. Fails if there is no match.
fn capture(pattern: &str, text: &str) -> String {
    let found = Regex::new(pattern).unwrap().captures(text);
    found.unwrap_or_else(|| panic!("no match for {pattern}"))[1].to_owned()
}

/// Returns the value of a variable that compose.yaml sets for the worker.
fn variable(name: &str) -> String {
    capture(&format!(r"(?m)^ +{name}: (\S+)$"), COMPOSE)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn the_compose_worker_finds_its_queues_and_passes_its_check() {
    let fresh = Fresh::in_dynamodb_local().await;
    let here = |url: String| url.replace("http://sqs:4566", sqs());
    let queues = Queues {
        input: here(variable("LOADGATE_INPUT_QUEUE_URL")),
        decisions: here(variable("LOADGATE_DECISIONS_QUEUE_URL")),
        dead_letters: here(variable("LOADGATE_DEAD_LETTER_QUEUE_URL")),
    };
    let environment = environment(&queues, &fresh.names, &fresh.url);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for _ in ["made", "there already"] {
        let mut python = Command::new(tool("venv").join("bin/python"));
        python.arg(root.join("tools/compose_queues.py")).arg(root.join("template.yaml")).env_clear();
        let made = python.envs(environment.iter().cloned()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let mut check = cargo_bin_cmd!("loadgate");
    let check = check.args(["worker", "--check"]).env_clear().envs(environment).output().unwrap();
    let report = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success() && report.matches("\nok  ").count() == 5, "{report}");
    let seconds = |pattern: &str, text: &str| capture(pattern, text).parse::<u64>().unwrap();
    let stop_s = seconds(r"LOADGATE_STOP_TIMEOUT_S +(\d+)", &report);
    assert!(seconds(r"stop_grace_period: (\d+)s", COMPOSE) > stop_s, "compose would kill the worker while it stops");
}

#[test]
fn the_same_versions_are_pinned_everywhere() {
    let manifest = include_str!("../../../Cargo.toml");
    let dockerfile = include_str!("../../../Dockerfile");
    let rust = capture(r#"rust-version = "([0-9.]+)""#, manifest);
    assert_eq!(capture(r"FROM rust:(\d+\.\d+)\.\d+-slim-trixie@sha256:[0-9a-f]{64} AS build", dockerfile), rust);
    // Debian 13 is trixie, so the image has the glibc that the program is linked against.
    assert!(
        Regex::new(r"FROM gcr\.io/distroless/cc-debian13:nonroot@sha256:[0-9a-f]{64}\n").unwrap().is_match(dockerfile)
    );
    let ministack = capture(r"(?m)^ministack==(\S+)", include_str!("../../../tools/requirements.txt"));
    let images = Regex::new(r"image: ministackorg/ministack:([0-9.]+)").unwrap();
    assert_eq!(images.captures_iter(COMPOSE).filter(|image| image[1] == ministack).count(), 2, "{ministack}");
}

#[test]
fn pinning_writes_every_digest_or_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("tools")).unwrap();
    for file in ["Dockerfile", "compose.yaml", "tools/pin-images"] {
        std::fs::copy(root.join(file), copy.path().join(file)).unwrap();
    }
    let both = || ["Dockerfile", "compose.yaml"].map(|file| std::fs::read_to_string(copy.path().join(file)).unwrap());
    // Stands in for `docker buildx imagetools inspect --format FORMAT IMAGE`. It does not find the image $UNKNOWN.
    let docker = copy.path().join("docker");
    let script =
        "#!/bin/sh\n[ \"$6\" = \"$UNKNOWN\" ] && exit 1\nprintf sha256:; printf %s \"$6\" | sha256sum | cut -c1-64\n";
    std::fs::write(&docker, script).unwrap();
    std::fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let pin = |unknown: &str| {
        let mut pin = Command::new(copy.path().join("tools/pin-images"));
        pin.env("DOCKER", &docker).env("UNKNOWN", unknown).output().unwrap()
    };

    let before = both();
    let failed = pin("ministackorg/ministack:1.5.33");
    let error = String::from_utf8(failed.stderr).unwrap();
    assert!(!failed.status.success() && error.contains("could not look up ministackorg/ministack:1.5.33"), "{error}");
    assert_eq!(both(), before);

    assert!(pin("").status.success());
    let digest = Regex::new("@sha256:[0-9a-f]{64}").unwrap();
    let [dockerfile, compose] = both();
    let pinned = |text: &str| digest.find_iter(text).count();
    assert_eq!((pinned(&dockerfile), pinned(&compose)), (2, 3), "two base images; DynamoDB Local, and MiniStack twice");
    let without = |texts: [String; 2]| texts.map(|text| digest.replace_all(&text, "").into_owned());
    assert_eq!(without(both()), without(before), "nothing else has changed");
    let pinned_once = both();
    assert!(pin("").status.success());
    assert_eq!(both(), pinned_once, "safe to repeat");
}
