//! Servers that run as child processes.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Maximum time until a server accepts connections. It is long enough for a Java virtual machine on a busy computer.
const START_MAX: Duration = Duration::from_mins(1);

/// Shell script that runs a program until the script's standard input ends. That input ends when this test process
/// drops it, or dies for any reason.
const GUARD: &str = r#""$@" </dev/null & pid=$!; cat >/dev/null; kill "$pid" 2>/dev/null; wait "$pid""#;

/// A child process that does not outlive this process.
pub struct Guarded {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Guarded {
    /// Starts a program. `prepare` adds arguments and environment variables.
    pub fn start(program: &Path, prepare: impl FnOnce(&mut Command)) -> Guarded {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(program);
        prepare(&mut command);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        Guarded { child, stdin }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Returns a free port of this computer.
///
/// The port is below the range of outgoing connections. The search begins at a port that depends on the process's id,
/// because a server may take a second to listen on its port, and no other test process may get the same port in that
/// time.
pub fn free_port() -> u16 {
    static TRIED: AtomicU64 = AtomicU64::new(0);
    let first = u64::from(std::process::id()) * 61;
    let candidates = std::iter::repeat_with(|| 10_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let mut ports = candidates.take(20_000).filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Returns the path of a tool that `make tools` installs. A test that needs a tool has `#[ignore]`, so that a plain
/// `cargo test` skips it, even on a computer that has the tools.
pub fn tool(name: &str) -> PathBuf {
    // Cargo starts a benchmark with `--bench`.
    let options = ["--include-ignored", "--ignored", "--bench"];
    let is_requested = !cfg!(test) || std::env::args().any(|argument| options.contains(&&*argument));
    assert!(is_requested, "the test needs {name}: mark it with #[ignore], or run it with `-- --include-ignored`");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/tools").join(name);
    assert!(path.exists(), "{} is not there: run `make tools` first", path.display());
    path
}

/// Waits until a server listens on the port.
pub fn wait_for_port(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < START_MAX, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the URL of Amazon's DynamoDB Local. All tests of this process share one server.
pub fn dynamodb_local() -> &'static str {
    static SERVER: OnceLock<(String, Guarded)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        let port = free_port();
        let folder = tool("dynamodb-local");
        let server = Guarded::start(Path::new("java"), |java| {
            // Without this library, the server would listen on every network interface.
            java.env("LD_PRELOAD", tool("dynamodb/loopback.so"));
            java.current_dir(&folder).args(["-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"]);
            java.args(["-inMemory", "-sharedDb", "-port", &port.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        });
        wait_for_port(port);
        (format!("http://127.0.0.1:{port}"), server)
    });
    url
}
