//! Invalid lines among valid ones. Each is reported and kept, and the other lines are decided.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use predicates::str::{contains, is_empty};

use crate::support::command::{DECIDED, attempts, folder, loadgate};
use crate::support::{MARKS, bodies_with_marks, line};

#[test]
fn an_invalid_line_is_reported_and_kept_and_the_rest_is_decided() {
    let (folder, input) = folder();
    let all = attempts();
    let (first, second) = all.split_at(all.find('\n').unwrap() + 1);
    std::fs::write(&input, format!("{first}\n{}{second}", line("3", "7", "$1.005", "x"))).unwrap();
    let rejects = folder.path().join("rejects.jsonl");
    let ended = loadgate(&["replay", "--rejects"]).args([&rejects, &input]).assert().code(3).stdout(DECIDED);
    ended.stderr(contains("line 3: BAD_AMOUNT: load_amount must have one or two digits after the point"));
    let kept = r#"{"line":3,"code":"BAD_AMOUNT","message":"load_amount must have one or two digits after the point; it is never rounded","raw":"{\"id\":\"3\",\"customer_id\":\"7\",\"load_amount\":\"$1.005\",\"time\":\"x\"}"}"#;
    assert_eq!(std::fs::read_to_string(rejects).unwrap(), format!("{kept}\n"));
}

#[test]
fn the_first_ten_invalid_lines_are_reported_and_the_rest_counted() {
    let input = "oops\n".repeat(25);
    let ended =
        loadgate(&["replay", "--summary", "none"]).write_stdin(input.clone()).assert().code(3).stdout(is_empty());
    let stderr = String::from_utf8(ended.get_output().stderr.clone()).unwrap();
    assert_eq!(stderr.lines().filter(|line| line.contains("NOT_JSON")).count(), 10);
    assert!(stderr.ends_with("15 more invalid lines; --rejects FILE keeps them all\n"), "{stderr}");
    let (folder, _) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    let ended =
        loadgate(&["replay", "--summary", "none", "--rejects"]).arg(&rejects).write_stdin(input).assert().code(3);
    ended.stderr(contains(format!("15 more invalid lines; all are in '{}'\n", rejects.display())));
    assert_eq!(std::fs::read_to_string(rejects).unwrap().lines().count(), 25);
}

#[test]
fn no_error_message_repeats_a_value() {
    let (folder, _) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    let bodies: Vec<String> = bodies_with_marks();
    for some in bodies.chunks(10) {
        let mut command = loadgate(&["replay", "--summary", "none", "--rejects"]);
        let ended = command.arg(&rejects).write_stdin(some.join("\n")).assert().code(3).stdout(is_empty());
        let stderr = String::from_utf8(ended.get_output().stderr.clone()).unwrap();
        assert_eq!(stderr.lines().filter(|line| line.starts_with("line ")).count(), some.len());
        let kept = std::fs::read_to_string(&rejects).unwrap();
        let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let reasons = kept.iter().map(|reject| reject["message"].as_str().unwrap());
        for text in stderr.lines().chain(reasons) {
            assert!(!MARKS.iter().any(|mark| text.contains(mark)), "{text}");
        }
    }
}

#[test]
fn every_kind_of_line_end_is_read() {
    let all = attempts();
    for input in [
        all.replace('\n', "\r\n"),
        all.trim_end().to_owned(),
        format!("\u{feff}{all}"),
        format!("\u{feff}\r\n{}", all.replace('\n', "\r\n\r\n")),
        format!("\n  \n\t\n{all}\n\n"),
        format!("{}\r", all.trim_end()),
    ] {
        loadgate(&["replay"]).write_stdin(input).assert().code(0).stdout(DECIDED);
    }
}

#[test]
fn an_input_without_attempts_is_valid() {
    for input in ["", "\n", "\u{feff}", "\r\n\r\n", " "] {
        loadgate(&["replay"])
            .write_stdin(input)
            .assert()
            .code(0)
            .stdout(is_empty())
            .stderr(contains("attempts                     0"));
    }
}

#[test]
fn only_white_space_is_blank() {
    for input in ["\u{b}\n", "\u{c}\n", "\u{a0}\n", "\0\n"] {
        loadgate(&["replay"]).write_stdin(input).assert().code(3).stderr(contains("line 1: NOT_JSON"));
    }
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let (folder, _) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    let input = [&b"\xff\xfe{\0\n"[..], attempts().as_bytes()].concat();
    loadgate(&["replay", "--rejects"]).arg(&rejects).write_stdin(input).assert().code(3).stdout(DECIDED);
    let reject: serde_json::Value = serde_json::from_slice(&std::fs::read(rejects).unwrap()).unwrap();
    assert_eq!(crate::support::lines::raw(&reject), b"\xff\xfe{\0");
    assert_eq!(reject["code"], "NOT_UTF8");
}

/// The run has an address-space limit of 256 MiB.
#[test]
fn a_line_of_1_gib_takes_bounded_memory_and_is_kept_whole() {
    const MIB: usize = 1 << 20;
    let (folder, _) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 262144; exec \"$@\"", "sh"]).arg(cargo_bin!("loadgate"));
    command.args(["replay", "--threads", "2", "--rejects"]).arg(&rejects);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let fed = std::thread::spawn(move || {
        stdin.write_all(attempts().as_bytes())?;
        let mebibyte = vec![b'x'; MIB];
        (0..1024).try_for_each(|_| stdin.write_all(&mebibyte))?;
        stdin.write_all(b"\n")?;
        stdin.write_all(attempts().replace("\"7\"", "\"8\"").as_bytes())
    });
    let mut decisions = String::new();
    child.stdout.take().unwrap().read_to_string(&mut decisions).unwrap();
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    fed.join().unwrap().unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(ended.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("line 3: TOO_LONG: "), "{stderr}");
    assert_eq!(decisions, DECIDED.to_owned() + &DECIDED.replace("\"7\"", "\"8\""));
    let head = r#"{"line":3,"code":"TOO_LONG","message":"the input is longer than 262144 bytes, the most that an attempt may have","raw":""#;
    let kept = std::fs::metadata(&rejects).unwrap().len();
    assert_eq!(kept, (head.len() + 1024 * MIB + "\"}\n".len()) as u64);
}
