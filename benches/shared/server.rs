//! Two local stand-ins for DynamoDB: Amazon's DynamoDB Local, and the embedded one.

use std::io::{Error, Result};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Maximum time until a server accepts connections. It is long enough for a Java virtual machine on a busy computer.
const START_MAX: Duration = Duration::from_mins(1);

/// Shell script that runs a program until the script's standard input ends. That input ends when this process drops
/// it, or dies for any reason.
const GUARD: &str = r#""$@" </dev/null & pid=$!; cat >/dev/null; kill "$pid" 2>/dev/null; wait "$pid""#;

/// A server that ends when it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    /// Ends the server when it is dropped.
    _running: Running,
}

enum Running {
    Process(Guarded),
    Inside(oneshot::Sender<()>),
}

struct Guarded {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts Amazon's DynamoDB Local, empty and in memory. `make tools` installs it.
    pub(crate) fn dynamodb_local() -> Result<Server> {
        let (folder, loopback) = (tool("dynamodb-local")?, tool("dynamodb/loopback.so")?);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard", "java", "-Djava.library.path=./DynamoDBLocal_lib", "-jar"]);
        command.args(["DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry", "-port", &port.to_string()]);
        // Without this library, the server would listen on every network interface.
        command.env("LD_PRELOAD", loopback).current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let stdin = child.stdin.take();
        let running = Running::Process(Guarded { child, stdin });
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > START_MAX {
                return Err(Error::other(format!("nothing listens on port {port}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Server { url: format!("http://127.0.0.1:{port}"), _running: running })
    }

    /// Starts a DynamoDB inside this process: in memory, or in a file.
    pub(crate) async fn embedded(path: Option<&Path>) -> Result<Server> {
        let database = match path.map(Path::to_string_lossy) {
            None => dynoxide::Database::memory(),
            Some(path) => dynoxide::Database::new(&path),
        };
        let database = database.map_err(|error| Error::other(error.to_string()))?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            let _ = stopped.await;
        }));
        Ok(Server { url, _running: Running::Inside(stop) })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn tool(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/tools").join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::other(format!("{} is not there: run `make tools`", path.display())))
    }
}
