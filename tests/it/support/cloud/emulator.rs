//! The bootstrap under AWS's emulator of the Lambda runtime, which `sam local invoke` also uses.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::free_port;
use super::local::{Guarded, tool, wait_for_port};

/// A function under the emulator.
pub struct Emulator {
    port: u16,
    log: PathBuf,
    log_read: usize,
    _folder: tempfile::TempDir,
    _process: Guarded,
}

impl Emulator {
    /// Starts the emulator for the bootstrap, with these environment variables and none of this process's. The
    /// bootstrap itself starts at the first invocation.
    pub fn start(environment: &[(&str, &str)]) -> Emulator {
        Emulator::start_program(Path::new(env!("CARGO_BIN_EXE_decide")), environment)
    }

    /// Starts the emulator for another program, in the same way.
    pub fn start_program(program: &Path, environment: &[(&str, &str)]) -> Emulator {
        let (port, runtime_port) = (free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let file = File::create(&log).unwrap();
        let process = Guarded::start(&tool("aws-lambda-rie"), |emulator| {
            emulator.args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")]);
            emulator.args(["--runtime-api-address", &format!("127.0.0.1:{runtime_port}")]).arg(program);
            emulator.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("AWS_REGION", "us-east-1");
            emulator
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .envs(environment.iter().copied());
            emulator.stdout(Stdio::from(file.try_clone().unwrap())).stderr(Stdio::from(file));
        });
        wait_for_port(port);
        Emulator { port, log, log_read: 0, _folder: folder, _process: process }
    }

    /// Invokes the function and returns its response.
    pub fn invoke(&self, event: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let path = "/2015-03-31/functions/function/invocations";
        let length = event.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{event}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Returns the function's whole log, as text.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Returns the JSON objects that the function has logged since the last call.
    pub fn log(&mut self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let new = log[self.log_read..].lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        self.log_read = log.len();
        new
    }
}
