//! The whole stack, deployed from `template.yaml`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::local::tool;

/// A deployed stack. It ends when its standard input ends, and so also when this process dies.
pub struct Stack {
    child: Child,
    answers: BufReader<ChildStdout>,
    pub endpoints: Endpoints,
}

#[derive(Deserialize)]
pub struct Endpoints {
    pub dynamodb_endpoint_url: String,
    pub input_queue_url: String,
    pub decisions_queue_url: String,
    pub dead_letter_queue_url: String,
    pub limit_dead_letter_queue_url: String,
    pub api_url: String,
    pub state_directory: String,
    pub correlation_table: String,
    pub limit_table: String,
}

impl Stack {
    pub fn up() -> Stack {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/stack");
        let mut child = Command::new(tool("venv").join("bin/python"))
            .arg(script)
            .args(["run", "--programs"])
            .arg(Path::new(env!("CARGO_BIN_EXE_decide")).parent().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let endpoints =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the stack is not up: {error}: {line}"));
        Stack { child, answers, endpoints }
    }

    /// Returns the functions' whole log.
    pub fn log(&mut self) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "logs").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let lines: Vec<String> = serde_json::from_str(&answer).unwrap();
        lines.join("\n")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
