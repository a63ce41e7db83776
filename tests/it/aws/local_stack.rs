//! `make local`: `tools/stack up` says when what is running is not what was built, or not whole.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

use crate::support::cloud::tool;

/// A stack that stays until it is ended. Ends with the test.
struct Stack {
    folder: tempfile::TempDir,
}

impl Stack {
    /// Runs a command of `tools/stack`, and returns what it prints.
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
fn a_stack_that_is_not_whole_or_not_the_newest_says_so() {
    let stack = Stack { folder: tempfile::tempdir().unwrap() };
    std::fs::copy(cargo_bin!("decide"), stack.program()).unwrap();
    let said = stack.up();
    assert!(said.contains("The local stack is up.") && !said.contains("older build"), "{said}");
    let said = stack.up();
    assert!(said.contains("was up already") && !said.contains("older build"), "{said}");

    // Bytes behind a program change nothing in what it does.
    let program = std::fs::read(stack.program()).unwrap();
    std::fs::remove_file(stack.program()).unwrap();
    std::fs::copy(cargo_bin!("decide"), stack.program()).unwrap();
    std::fs::write(stack.program(), [program, b"newer".to_vec()].concat()).unwrap();
    let said = stack.up();
    assert!(said.contains("was up already") && said.contains("Its function is an older build."), "{said}");

    assert!(Command::new("kill").args(["-KILL", &stack.pid("dynamodb")]).status().unwrap().success());
    let said = stack.run(&["logs"]);
    assert!(said.contains("dynamodb has died: `make local` starts the stack again"), "{said}");
    let said = stack.up();
    assert!(said.contains("dynamodb had died: the whole stack was started again"), "{said}");
    assert!(said.contains("The local stack is up.") && !said.contains("older build"), "{said}");
}
