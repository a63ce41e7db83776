//! Servers as processes of their own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to answer: a Java virtual machine on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);

/// Runs a program until its own standard input ends. That is when this test process drops it, or dies in whatever way.
const GUARD: &str = r#""$@" </dev/null & pid=$!; cat >/dev/null; kill "$pid" 2>/dev/null; wait "$pid""#;

/// A process that ends with this one.
pub struct Guarded {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Guarded {
    /// Starts a program, with `prepare` to add to its arguments and environment.
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

/// A port on this machine that nobody uses.
///
/// It is below those that connections are made from, and where a process begins to look depends on its id: a server may take
/// a second to listen on it, in which nobody else must get it.
pub fn free_port() -> u16 {
    static TRIED: AtomicU64 = AtomicU64::new(0);
    let first = u64::from(std::process::id()) * 61;
    let candidates = std::iter::repeat_with(|| 10_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let mut ports = candidates.take(20_000).filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Something that `make tools` installs. A test that needs it is marked with `#[ignore]`, so that a plain `cargo test` leaves it out,
/// on a machine with the tools too.
pub fn tool(name: &str) -> PathBuf {
    // Cargo starts a benchmark with `--bench`.
    let asks = ["--include-ignored", "--ignored", "--bench"];
    let is_asked_for = !cfg!(test) || std::env::args().any(|argument| asks.contains(&&*argument));
    assert!(is_asked_for, "the test needs {name}: mark it with #[ignore], or run it with `-- --include-ignored`");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/tools").join(name);
    assert!(path.exists(), "{} is not there: run `make tools` first", path.display());
    path
}

/// Waits until something listens on the port.
pub fn wait_for_port(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < START_MAX, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Amazon's DynamoDB Local, one for all tests of this process.
pub fn dynamodb_local() -> &'static str {
    static SERVER: OnceLock<(String, Guarded)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        let port = free_port();
        let folder = tool("dynamodb-local");
        let server = Guarded::start(Path::new("java"), |java| {
            // It would listen on every interface.
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
