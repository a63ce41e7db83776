//! The local stack of `make local`. `tools/stack up` reports a function that is not the newest build, and a server
//! that has died.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

use crate::support::cloud::tool;

/// A stack that runs until it is stopped. The test stops it at its end.
struct Stack {
    folder: tempfile::TempDir,
}

impl Stack {
    /// Returns a stack that is not up, and copies the programs into its folder.
    fn with_programs() -> Stack {
        let stack = Stack { folder: tempfile::tempdir().unwrap() };
        for program in ["decide", "limits", "assign", "api"] {
            std::fs::copy(cargo_bin!("decide").with_file_name(program), stack.folder.path().join(program)).unwrap();
        }
        stack
    }

    /// Runs a command of `tools/stack` and returns its output.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tool("venv").join("bin/python"));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/stack")).args(arguments);
        let output = command.arg("--state").arg(self.folder.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn up(&self) -> String {
        let limits = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");
        self.run(&["up", "--programs", self.folder.path().to_str().unwrap(), "--limits", limits])
    }

    fn program(&self) -> std::path::PathBuf {
        self.folder.path().join("decide")
    }

    fn pid(&self, server: &str) -> String {
        let facts = std::fs::read(self.folder.path().join("stack.json")).unwrap();
        serde_json::from_slice::<Value>(&facts).unwrap()["pids"][server].to_string()
    }
}

/// Runs the lines with curl that `tools/stack up` prints, and returns their output.
fn curl_lines(printed: &str) -> String {
    let lines = printed.lines().skip_while(|line| !line.starts_with("  api=")).take_while(|line| !line.is_empty());
    let script = lines.collect::<Vec<_>>().join("\n").replace("curl ", "curl --silent --noproxy '*' ");
    assert_eq!(script.matches("curl ").count(), 3, "{printed}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn an_incomplete_or_outdated_stack_is_reported() {
    let stack = Stack::with_programs();
    let output = stack.up();
    assert!(output.contains("The local stack is up.") && !output.contains("older build"), "{output}");
    let output = stack.up();
    assert!(output.contains("was up already") && !output.contains("older build"), "{output}");

    // Bytes after the end of a program do not change its behaviour.
    let program = std::fs::read(stack.program()).unwrap();
    std::fs::remove_file(stack.program()).unwrap();
    std::fs::copy(cargo_bin!("decide"), stack.program()).unwrap();
    std::fs::write(stack.program(), [program, b"newer".to_vec()].concat()).unwrap();
    let output = stack.up();
    assert!(output.contains("was up already") && output.contains("Of an older build: decide."), "{output}");

    assert!(Command::new("kill").args(["-KILL", &stack.pid("dynamodb")]).status().unwrap().success());
    let output = stack.run(&["logs"]);
    assert!(output.contains("dynamodb has died: `make local` starts the stack again"), "{output}");
    let output = stack.up();
    assert!(output.contains("dynamodb had died: the whole stack was started again"), "{output}");
    assert!(output.contains("The local stack is up.") && !output.contains("older build"), "{output}");
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn the_printed_lines_with_curl_show_a_limit_its_usage_and_a_declined_load() {
    let stack = Stack::with_programs();
    let output = stack.up();
    let begun = Instant::now();
    loop {
        let answers = curl_lines(&output);
        let limit = r#""limitId":"limit-9-day""#;
        if answers.matches(limit).count() == 3 && answers.contains(r#""reasons":["CUSTOMER_DAY"]"#) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{answers}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
