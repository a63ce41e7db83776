//! Files that cannot or must not be read or written. Each is reported, and no other file is damaged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};

use crate::support::command::{DECIDED, attempts, folder, loadgate, names};

#[test]
fn a_missing_input_is_reported_with_its_name() {
    let ended = loadgate(&["replay", "no/such/file.jsonl"]).assert().code(1).stdout(is_empty());
    ended.stderr("loadgate: could not open the input 'no/such/file.jsonl': No such file or directory (os error 2)\n");
}

#[test]
fn a_folder_as_input_is_reported() {
    let (folder, _) = folder();
    loadgate(&["replay"])
        .arg(folder.path())
        .assert()
        .code(1)
        .stderr(contains("is a directory; give a file of load attempts"));
}

#[test]
fn an_unreadable_input_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, input) = folder();
    std::fs::set_permissions(&input, PermissionsExt::from_mode(0o000)).unwrap();
    // The superuser may read every file.
    if std::fs::File::open(&input).is_err() {
        loadgate(&["replay"]).arg(&input).assert().code(1).stderr(contains("Permission denied"));
    }
    // Any user may open this file, but reading fails.
    loadgate(&["replay", "/proc/self/mem"])
        .assert()
        .code(1)
        .stderr(contains("could not read the input after line 0: "));
}

#[test]
fn truncated_compressed_data_is_reported_after_its_lines_are_decided() {
    let (folder, input) = folder();
    let output = folder.path().join("decisions.jsonl");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(attempts().as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    std::fs::write(&input, &whole[..whole.len() - 6]).unwrap();
    let ended = loadgate(&["replay"]).arg(&input).assert().code(1).stdout(DECIDED);
    ended.stderr(contains("could not read the input after line 2: "));
    loadgate(&["replay", "-o"]).args([&output, &input]).assert().code(1);
    assert!(!output.exists(), "an output must appear whole or not at all");
    assert_eq!(names(folder.path()), ["attempts.jsonl"]);
}

#[test]
fn trailing_bytes_after_gzip_data_are_reported() {
    let (_folder, input) = folder();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(attempts().as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    std::fs::write(&input, [&whole[..], b"\0\0x"].concat()).unwrap();
    loadgate(&["replay"]).arg(&input).assert().code(1).stderr(contains("could not read the input after line 2: "));
}

#[test]
fn an_oversized_zstandard_window_is_refused_with_advice() {
    let (_folder, input) = folder();
    let compressed = |window_log| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(attempts().as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    std::fs::write(&input, compressed(23)).unwrap();
    loadgate(&["replay"]).arg(&input).assert().code(0).stdout(DECIDED);
    for window_log in [24, 27] {
        std::fs::write(&input, compressed(window_log)).unwrap();
        let ended = loadgate(&["replay"]).arg(&input).assert().code(1).stdout(is_empty());
        ended.stderr(contains("Zstandard window is over 8 MiB").and(contains("`zstd -dc --long=31`")));
    }
    // The limit applies to a second frame as well.
    std::fs::write(&input, [compressed(20), compressed(27)].concat()).unwrap();
    loadgate(&["replay"]).arg(&input).assert().code(1).stdout(DECIDED).stderr(contains("window is over 8 MiB"));
}

#[test]
fn an_output_that_is_the_input_is_refused() {
    let (folder, input) = folder();
    let (link, hard_link) = (folder.path().join("link"), folder.path().join("hard-link"));
    std::os::unix::fs::symlink(&input, &link).unwrap();
    std::fs::hard_link(&input, &hard_link).unwrap();
    let dotted = folder.path().join(".").join("attempts.jsonl");
    for (option, other, message) in [
        ("-o", &input, "the decisions would overwrite the input"),
        ("-o", &link, "the decisions would overwrite the input"),
        ("-o", &hard_link, "the decisions would overwrite the input"),
        ("-o", &dotted, "the decisions would overwrite the input"),
        ("--rejects", &input, "the rejects would overwrite the input"),
        ("--rejects", &link, "the rejects would overwrite the input"),
    ] {
        loadgate(&["replay", option])
            .args([other, &input])
            .assert()
            .code(2)
            .stdout(is_empty())
            .stderr(contains(message));
        assert_eq!(std::fs::read_to_string(&input).unwrap(), attempts());
    }
}

#[test]
fn standard_output_that_is_the_input_is_refused() {
    let (_folder, input) = folder();
    for (is_named, shell) in
        [(true, "exec \"$1\" replay \"$2\" >> \"$2\""), (false, "exec \"$1\" replay < \"$2\" >> \"$2\"")]
    {
        let ended = Command::new("sh")
            .args(["-c", shell, "sh"])
            .args([Path::new(cargo_bin!("loadgate")), &input])
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(2), "named: {is_named}");
        assert_eq!(std::fs::read_to_string(&input).unwrap(), attempts());
    }
}

#[test]
fn decisions_and_rejects_in_one_file_are_refused() {
    let (folder, input) = folder();
    let (one, same) = (folder.path().join("out"), folder.path().join(".").join("out"));
    let refused = || {
        let ended = loadgate(&["replay", "-o"]).arg(&one).arg("--rejects").args([&same, &input]).assert().code(2);
        ended.stderr(contains("the decisions and the rejects would go to one file"));
    };
    refused();
    std::fs::write(&one, "old").unwrap();
    refused();
    assert_eq!(std::fs::read_to_string(&one).unwrap(), "old");
}

#[test]
fn outputs_and_limits_must_be_different_files() {
    let (folder, input) = folder();
    let both = folder.path().join("both");
    let out = std::fs::OpenOptions::new().create(true).append(true).open(&both).unwrap();
    let mut command = Command::new(cargo_bin!("loadgate"));
    let ended = command.args(["replay", "--rejects"]).args([&both, &input]).stdout(out).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "rejects in what standard output is redirected to");
    let limits = folder.path().join("limits.toml");
    let text = include_str!("../../../limits.toml");
    std::fs::write(&limits, text).unwrap();
    for option in ["-o", "--rejects"] {
        let ended = loadgate(&["replay", option]).arg(&limits).arg("--limits").args([&limits, &input]).assert().code(2);
        ended.stderr(contains("an output would overwrite the limits file"));
        assert_eq!(std::fs::read_to_string(&limits).unwrap(), text);
    }
    loadgate(&["replay", "--rejects", "-"]).arg(&input).assert().code(2).stderr(contains("--rejects takes a file"));
}

#[test]
fn an_output_that_cannot_be_created_is_reported() {
    let (folder, input) = folder();
    for option in ["-o", "--rejects"] {
        let ended = loadgate(&["replay", option, "no/such/folder/out"]).arg(&input).assert().code(1);
        ended.stdout(is_empty()).stderr(contains("'no/such/folder/out': No such file or directory"));
        let ended = loadgate(&["replay", option]).args([folder.path(), &input]).assert().code(1);
        ended.stdout(is_empty()).stderr(contains("directory"));
    }
    let (nul, long) = (folder.path().join("new/"), folder.path().join("x".repeat(300)));
    loadgate(&["replay", "-o"])
        .args([&nul, &input])
        .assert()
        .code(1)
        .stdout(is_empty())
        .stderr(contains("it is a directory"));
    loadgate(&["replay", "-o"])
        .args([&long, &input])
        .assert()
        .code(1)
        .stdout(is_empty())
        .stderr(contains("name too long"));
}

#[test]
fn rejects_are_kept_when_the_output_cannot_be_created() {
    let (folder, input) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    std::fs::write(&rejects, "precious").unwrap();
    loadgate(&["replay", "-o", "no/such/out", "--rejects"]).args([&rejects, &input]).assert().code(1);
    assert_eq!(std::fs::read_to_string(rejects).unwrap(), "precious");
}

#[test]
fn a_reject_of_a_truncated_line_is_valid_json() {
    let (folder, input) = folder();
    let rejects = folder.path().join("rejects.jsonl");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&vec![b'x'; 1_000_000]).unwrap();
    let whole = encoder.finish().unwrap();
    std::fs::write(&input, &whole[..600_000]).unwrap();
    loadgate(&["replay", "--rejects"]).args([&rejects, &input]).assert().code(1).stderr(contains("after line 0"));
    let reject: serde_json::Value = serde_json::from_slice(&std::fs::read(rejects).unwrap()).unwrap();
    assert_eq!(reject["code"], "TOO_LONG");
}

#[test]
fn a_full_disk_is_reported() {
    let (_folder, input) = folder();
    let ended = loadgate(&["replay", "-o", "/dev/full"]).arg(&input).assert().code(1);
    ended.stderr(contains("could not write the decisions: No space left on device"));
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Command::new(cargo_bin!("loadgate")).arg("replay").arg(&input).stdout(full()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("No space left on device"));
    let ended = loadgate(&["replay", "--rejects", "/dev/full"]).write_stdin("oops\n").assert().code(1);
    ended.stderr(contains("could not write the rejects: No space left on device"));
    // The error cannot be reported, but the program must not panic.
    let ended = Command::new(cargo_bin!("loadgate")).arg("replay").arg(&input).stderr(full()).output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout), (Some(0), DECIDED.as_bytes().to_vec()));
}

#[test]
fn a_full_disk_under_an_output_file_leaves_nothing_behind() {
    let (folder, input) = folder();
    std::fs::write(&input, (0..20_000).map(|n| attempts().replace("\"7\"", &format!("\"{n}\""))).collect::<String>())
        .unwrap();
    let output = folder.path().join("out");
    // A limit on the size of files simulates a full disk.
    let shell = "ulimit -f 100; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(cargo_bin!("loadgate")).args(["replay", "-o"]).args([&output, &input]);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("could not write the decisions: File too large"));
    assert_eq!(names(folder.path()), ["attempts.jsonl"]);
}

/// Starts a run through a shell command. The run has an output file, and waits for its input.
fn waiting_run(folder: &Path, shell: &str) -> std::process::Child {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(cargo_bin!("loadgate")).args(["replay", "-o", "out", "--summary", "none"]);
    let child = command.current_dir(folder).stdin(Stdio::piped()).spawn().unwrap();
    while names(folder).len() < 2 {
        std::thread::yield_now();
    }
    child
}

fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for (name, number) in [("HUP", 1), ("INT", 2), ("QUIT", 3), ("TERM", 15)] {
        let (folder, _) = folder();
        // A process inherits ignored signals, such as those of a test run in the background, and a run honours them.
        let defaults = "ulimit -c 0; exec env --default-signal=HUP,INT,QUIT,TERM \"$@\"";
        let mut child = waiting_run(folder.path(), defaults);
        // Waiting for a child closes its input, and the end of its input would also end the run.
        let input = child.stdin.take();
        signal(&child, name);
        let ended = child.wait().unwrap();
        drop(input);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(number));
        assert_eq!(names(folder.path()), ["attempts.jsonl"], "after {name}");
    }
}

#[test]
fn an_ignored_signal_does_not_end_the_run() {
    let (folder, _) = folder();
    let mut child = waiting_run(folder.path(), "trap '' HUP; exec \"$@\"");
    signal(&child, "HUP");
    child.stdin.take().unwrap().write_all(attempts().as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), DECIDED);
}

#[test]
fn a_closed_pipe_ends_the_run_without_an_error() {
    let (_folder, input) = folder();
    // Every event is new, so each attempt has a decision, and the decisions of one block exceed the buffer of any
    // pipe. The input has as many invalid lines, because the exit code must not depend on the run's progress.
    let lines = |n: u32| attempts().replace("\"7\"", &format!("\"{n}\"")) + "oops\n";
    std::fs::write(&input, (0..50_000).map(lines).collect::<String>()).unwrap();
    for threads in ["1", "2", "8"] {
        let mut command = Command::new(cargo_bin!("loadgate"));
        command.args(["replay", "--threads", threads]).arg(&input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.contains("NOT_JSON")).collect();
        assert_eq!(lines.last(), Some(&"stopped early: the reader of the decisions closed the pipe"));
        assert!(lines.iter().all(|line| !line.contains("panicked") && !line.contains("Broken pipe")), "{lines:?}");
    }
}

#[test]
fn a_bad_limits_file_is_refused_before_input_is_read() {
    let (folder, input) = folder();
    let (limits, output) = (folder.path().join("limits.toml"), folder.path().join("out"));
    std::fs::write(&limits, "[[limit]]\ncode = \"A\"\nmeasure = \"amount\"\nwindow = \"year\"\nmax = \"1\"\n").unwrap();
    let ended = loadgate(&["replay", "-o"]).arg(&output).arg("--limits").args([&limits, &input]).assert().code(2);
    ended.stdout(is_empty()).stderr(format!(
        "loadgate: limits file '{}': line 4: limit 1, window: must be \"load\" or \"day\" or \"week\" or \"month\" or \"lifetime\" or \"rolling\", not \"year\"\n",
        limits.display()
    ));
    assert!(!output.exists());
    let ended = loadgate(&["replay", "--limits", "no-such.toml"]).arg(&input).assert().code(1);
    ended
        .stdout(is_empty())
        .stderr(contains("limits file 'no-such.toml': could not read the limits file: No such file"));
    std::fs::write(&limits, "#".repeat(65 * 1024)).unwrap();
    loadgate(&["replay", "--limits"]).args([&limits, &input]).assert().code(2).stderr(contains("is over 65536 bytes"));
    std::fs::write(&limits, b"\xff").unwrap();
    loadgate(&["replay", "--limits"]).args([&limits, &input]).assert().code(2).stderr(contains("not UTF-8"));
}
