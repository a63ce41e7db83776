//! `loadgate worker` as a child process.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use loadgate::config::TableNames;

use super::free_port;
use super::queues::{Queues, sqs};

/// Maximum time until a worker is ready, or until it has ended.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// A worker. It is killed when it is dropped.
pub struct Worker {
    child: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// Returns the environment variables for a program that uses these queues and tables.
pub fn environment(queues: &Queues, tables: &TableNames, dynamodb_url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url.to_owned()),
        ("AWS_ENDPOINT_URL_SQS", sqs().to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local-secret".to_owned()),
        ("LOADGATE_INPUT_QUEUE_URL", queues.input.clone()),
        ("LOADGATE_DECISIONS_QUEUE_URL", queues.decisions.clone()),
        ("LOADGATE_DEAD_LETTER_QUEUE_URL", queues.dead_letters.clone()),
        ("LOADGATE_CORRELATION_TABLE", tables.correlation.clone()),
        ("LOADGATE_LOAD_TABLE", tables.load.clone()),
        ("LOADGATE_LIMIT_TABLE", tables.limit.clone().unwrap_or_default()),
        ("LOADGATE_DECISION_LOG_TABLE", tables.log.clone().unwrap_or_default()),
    ]
}

impl Worker {
    /// Starts a worker with only these environment variables.
    pub fn start(environment: &[(&'static str, String)]) -> Worker {
        Worker::start_by(Command::new(env!("CARGO_BIN_EXE_loadgate")), environment)
    }

    /// Starts a worker that may open at most `files_max` files.
    pub fn start_with_files(files_max: u32, environment: &[(&'static str, String)]) -> Worker {
        let mut command = Command::new("/bin/sh");
        let limited = format!("ulimit -n {files_max} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_loadgate")]);
        Worker::start_by(command, environment)
    }

    /// Starts a worker with `log` as its standard error. The read end of a pipe is closed at once.
    pub fn start_with_stderr(environment: &[(&'static str, String)], log: Stdio) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("log")).unwrap();
        let mut worker = Worker::spawn(Command::new(env!("CARGO_BIN_EXE_loadgate")), environment, folder, log);
        drop(worker.child.stderr.take());
        worker
    }

    fn start_by(command: Command, environment: &[(&'static str, String)]) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        Worker::spawn(command, environment, folder, Stdio::from(log))
    }

    fn spawn(
        mut command: Command,
        environment: &[(&'static str, String)],
        folder: tempfile::TempDir,
        log: Stdio,
    ) -> Worker {
        let port = free_port();
        command.arg("worker").env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("LOADGATE_LISTEN", format!("127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Worker { child: command.spawn().unwrap(), port, log: folder.path().join("log"), _folder: folder }
    }

    /// Waits until the worker receives messages.
    pub fn wait_until_ready(&mut self) {
        assert!(self.becomes_ready(), "the worker has ended: {}", self.log());
    }

    /// Waits until the worker receives messages, or has ended because it could not reach a queue or table. Returns
    /// true if it receives messages.
    pub fn becomes_ready(&mut self) -> bool {
        let begun = Instant::now();
        while self.get("/readyz").is_none_or(|(status, _)| status != 200) {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(begun.elapsed() < WAIT_MAX, "not ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Returns the number of files and connections that the worker has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Waits until the worker no longer receives messages.
    pub fn wait_until_unready(&self) {
        let begun = Instant::now();
        while self.get("/readyz").is_some_and(|(status, _)| status == 200) {
            assert!(begun.elapsed() < WAIT_MAX, "still ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens a connection to the worker, and sends only these bytes.
    pub fn connect(&self, beginning: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // The worker may have closed the connection already.
        let _ = stream.write_all(beginning);
        stream
    }

    /// Returns the status and the body of a response.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(WAIT_MAX)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Returns the number of events that the worker has decided.
    pub fn decided(&self) -> u64 {
        self.count("accepted") + self.count("declined")
    }

    /// Returns the value of a counter in the worker's metrics.
    pub fn count(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("/metrics").unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("loadgate_{name} ")));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
    }

    /// Returns the worker's whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends the worker the signal of this name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until the worker has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < WAIT_MAX, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the worker, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
