//! `loadgate replay` as a user runs it: inputs, outputs, options and exit codes.

use crate::support::command::{DECIDED, attempts, folder, loadgate, names};
use std::io::Write;
use std::process::Output;

use predicates::prelude::*;
use predicates::str::{contains, is_empty};

#[test]
fn a_file_is_decided_to_standard_output() {
    let (_folder, input) = folder();
    loadgate(&["replay"])
        .arg(input)
        .assert()
        .code(0)
        .stdout(DECIDED)
        .stderr(contains("attempts                     2"));
}

#[test]
fn standard_input_is_read_without_a_file_or_for_a_dash() {
    loadgate(&["replay"]).write_stdin(attempts()).assert().code(0).stdout(DECIDED);
    loadgate(&["replay", "-"]).write_stdin(attempts()).assert().code(0).stdout(DECIDED);
}

#[test]
fn gzip_and_zstandard_are_read_from_files_and_pipes() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let input = attempts();
    let (first, second) = input.split_at(100);
    // A skippable frame, which parallel compressors write first.
    let skippable = [&b"\x50\x2a\x4d\x18\x02\0\0\0ab"[..], &zstd(&input)].concat();
    let all = [
        gzip(&input),
        [gzip(first), gzip(second)].concat(),
        [gzip(&input), vec![0; 100_000]].concat(),
        [gzip(first), vec![0; 3], gzip(second), vec![0]].concat(),
        zstd(&input),
        [zstd(first), zstd(second)].concat(),
        skippable,
    ];
    for compressed in all {
        let (folder, _) = folder();
        let file = folder.path().join("compressed");
        std::fs::write(&file, &compressed).unwrap();
        loadgate(&["replay"]).arg(file).assert().code(0).stdout(DECIDED);
        loadgate(&["replay"]).write_stdin(compressed).assert().code(0).stdout(DECIDED);
    }
}

#[test]
fn explain_adds_the_reasons() {
    let explained =
        DECIDED.replace("true}", "true,\"reasons\":[]}").replace("false}", "false,\"reasons\":[\"DAILY_AMOUNT\"]}");
    loadgate(&["replay", "--explain"]).write_stdin(attempts()).assert().code(0).stdout(explained);
}

#[test]
fn the_output_is_the_only_new_file() {
    let (folder, input) = folder();
    let output = folder.path().join("decisions.jsonl");
    loadgate(&["replay", "-o"]).args([&output, &input]).assert().code(0).stdout(is_empty());
    assert_eq!(std::fs::read_to_string(&output).unwrap(), DECIDED);
    assert_eq!(names(folder.path()), ["attempts.jsonl", "decisions.jsonl"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(output).unwrap().permissions());
    assert_eq!(mode & 0o444, 0o444, "an output is as readable as any file that a shell would make");
}

#[test]
fn an_existing_output_is_replaced_and_keeps_its_mode_and_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for mode in [0o600, 0o640, 0o666, 0o755] {
        let (folder, input) = folder();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        symlink("target", &link).unwrap();
        loadgate(&["replay", "-o"]).args([&link, &input]).assert().code(0);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), DECIDED);
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, mode);
        assert!(link.is_symlink());
    }
}

#[test]
fn an_output_through_two_links_keeps_both() {
    use std::os::unix::fs::symlink;
    for is_new in [true, false] {
        let (folder, input) = folder();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let [first, second, target] = ["first", "sub/second", "sub/target"].map(|name| folder.path().join(name));
        symlink("sub/second", &first).unwrap();
        symlink("target", &second).unwrap();
        if !is_new {
            std::fs::write(&target, "old").unwrap();
        }
        loadgate(&["replay", "-o"]).args([&first, &input]).assert().code(0);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), DECIDED);
        assert!(first.is_symlink() && second.is_symlink() && !target.is_symlink());
        // Links to one file count as one file, even before it exists.
        std::fs::remove_file(&target).unwrap();
        let ended = loadgate(&["replay", "-o"]).arg(&first).arg("--rejects").args([&target, &input]).assert().code(2);
        ended.stderr(contains("the decisions and the rejects would go to one file"));
        symlink("second", folder.path().join("sub/loop")).unwrap();
        std::fs::remove_file(&second).unwrap();
        symlink("loop", &second).unwrap();
        let ended = loadgate(&["replay", "-o"]).args([&first, &input]).assert().code(1);
        ended.stderr(contains("leads to itself"));
    }
}

#[test]
fn an_output_through_a_dangling_link_creates_the_target() {
    let (folder, input) = folder();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    std::os::unix::fs::symlink("target", &link).unwrap();
    loadgate(&["replay", "-o"]).args([&link, &input]).assert().code(0);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), DECIDED);
    assert!(link.is_symlink());
}

#[test]
fn dev_stdout_as_output_appends_like_standard_output() {
    let (folder, input) = folder();
    let log = folder.path().join("log");
    std::fs::write(&log, "precious\n").unwrap();
    let out = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("loadgate"));
    assert!(command.args(["replay", "-o", "/dev/stdout"]).arg(&input).stdout(out).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("precious\n{DECIDED}"));
}

#[test]
fn a_dash_is_standard_output_and_a_device_is_not_replaced() {
    let (_folder, input) = folder();
    loadgate(&["replay", "-o", "-"]).arg(&input).assert().code(0).stdout(DECIDED);
    loadgate(&["replay", "-o", "/dev/null"]).arg(&input).assert().code(0).stdout(is_empty());
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn the_summary_is_reported_as_text_as_json_or_not_at_all() {
    let summary = |form: &str| -> Output {
        let invalid = attempts() + &attempts() + "oops\n";
        loadgate(&["replay", "--summary", form]).write_stdin(invalid).output().unwrap()
    };
    let json = String::from_utf8(summary("json").stderr).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    for measured in ["elapsed_ms", "attempts_per_second"] {
        assert!(json.as_object_mut().unwrap().remove(measured).unwrap().is_u64());
    }
    let expected = r#"{"attempts":5,"accepted":1,"declined":1,"declined_by_reason":{"DAILY_AMOUNT":1,"WEEKLY_AMOUNT":0,"DAILY_COUNT":0},"ignored":2,"invalid":1,"complete":true}"#;
    assert_eq!(json, serde_json::from_str::<serde_json::Value>(expected).unwrap());
    let text = String::from_utf8(summary("text").stderr).unwrap();
    let text: Vec<&str> = text.lines().collect();
    insta::assert_snapshot!(text[..text.len() - 1].join("\n"), @r#"
        line 5: NOT_JSON: the input is not one JSON object: expected value (byte 1)
        attempts                     5
        accepted                     1
        declined                     1
          DAILY_AMOUNT               1
          WEEKLY_AMOUNT              0
          DAILY_COUNT                0
        ignored                      2  already decided
        invalid                      1
        "#);
    assert!(text.last().unwrap().ends_with("attempts per second"));
    let stderr = String::from_utf8(summary("none").stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "only the invalid line is reported: {stderr}");
}

#[test]
fn limits_come_from_a_file() {
    let (folder, input) = folder();
    let limits = folder.path().join("limits.toml");
    std::fs::write(&limits, "[[limit]]\ncode = \"ONE\"\nmeasure = \"count\"\nwindow = \"week\"\nmax = 0\n").unwrap();
    let decisions = loadgate(&["replay", "--explain", "--limits"]).args([&limits, &input]).assert().code(0);
    decisions
        .stdout(contains(r#""accepted":false,"reasons":["ONE"]"#).count(2))
        .stderr(contains("  ONE                        2"));
}

#[test]
fn without_a_terminal_progress_is_shown_only_on_request() {
    let progress = |when: &str| {
        let (_folder, input) = folder();
        let ended = loadgate(&["replay", "--summary", "none", "--progress", when]).arg(input).output().unwrap();
        String::from_utf8(ended.stderr).unwrap()
    };
    assert_eq!((progress("auto").as_str(), progress("never").as_str()), ("", ""));
    assert!(progress("always").contains("attempts"), "{}", progress("always"));
}

#[test]
fn a_wrong_command_line_is_reported_and_exits_with_2() {
    for args in [
        &["replay", "--threads", "0"][..],
        &["replay", "--threads", "257"],
        &["replay", "--summary", "xml"],
        &["replay", "one", "two"],
        &["replay", "--no-such-option"],
        &["no-such-command"],
        &[],
    ] {
        loadgate(args).assert().code(2).stdout(is_empty()).stderr(is_empty().not());
    }
}

#[test]
fn help_and_readme_list_the_same_exit_codes() {
    let help = loadgate(&["replay", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let readme = include_str!("../../../README.md");
    let codes: Vec<&str> = help.lines().skip_while(|line| *line != "Exit codes:").skip(1).collect();
    assert_eq!(codes.len(), 4);
    for code in codes {
        let (code, meaning) = code.trim().split_once("  ").unwrap();
        assert!(
            readme.contains(&format!("| {code} | {meaning} |")),
            "the README has no row for exit code {code}: {meaning}"
        );
    }
}
