//! The local stack of `make local`. `tools/stack up` reports a function that is not the newest build, and a server
//! that has died.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

use crate::support::cloud::tool;

/// A stack that runs until it is stopped. The test stops it at its end.
struct Stack {
    folder: tempfile::TempDir,
}

impl Stack {
    /// Runs a command of `tools/stack` and returns its output.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tool("venv").join("bin/python"));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/stack")).args(arguments);
        let output = command.arg("--state").arg(self.folder.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn up(&self) -> String {
        self.run(&["up", "--program", self.program().to_str().unwrap()])
    }

    fn program(&self) -> std::path::PathBuf {
        self.folder.path().join("decide")
    }

    fn pid(&self, server: &str) -> String {
        let facts = std::fs::read(self.folder.path().join("stack.json")).unwrap();
        serde_json::from_slice::<Value>(&facts).unwrap()["pids"][server].to_string()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn an_incomplete_or_outdated_stack_is_reported() {
    let stack = Stack { folder: tempfile::tempdir().unwrap() };
    std::fs::copy(cargo_bin!("decide"), stack.program()).unwrap();
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
    assert!(output.contains("was up already") && output.contains("Its function is an older build."), "{output}");

    assert!(Command::new("kill").args(["-KILL", &stack.pid("dynamodb")]).status().unwrap().success());
    let output = stack.run(&["logs"]);
    assert!(output.contains("dynamodb has died: `make local` starts the stack again"), "{output}");
    let output = stack.up();
    assert!(output.contains("dynamodb had died: the whole stack was started again"), "{output}");
    assert!(output.contains("The local stack is up.") && !output.contains("older build"), "{output}");
}
