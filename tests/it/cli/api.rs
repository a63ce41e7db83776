//! `loadgate api` as users run it: a process over an embedded store in a file.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/customer-limits.jsonl");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");

/// Maximum time for a start, and for a stop.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// A running `loadgate api`. It is killed when it is dropped.
struct Api {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

fn store(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store").display())
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap()
}

impl Api {
    /// Starts it over the store in this folder, on a free port.
    fn start(folder: tempfile::TempDir, arguments: &[&str]) -> Api {
        let log_file = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
        command.args(["api", "--listen", "127.0.0.1:0", "--store", &store(folder.path())]).args(arguments);
        command.env("LOADGATE_LOG_LEVEL", "debug");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file).spawn().unwrap();
        let begun = Instant::now();
        let address = loop {
            let log = log(folder.path());
            let started = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(started) = started.into_iter().find(|line| line["message"] == "started") {
                break started["listen"].as_str().unwrap().parse().unwrap();
            }
            assert!(begun.elapsed() < WAIT_MAX, "not started: {log}");
            std::thread::sleep(Duration::from_millis(20));
        };
        Api { child, address, folder }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        stream
    }

    /// Sends a request on a connection of its own. Returns the status, the head and the body.
    fn ask(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.ask(&format!("GET {path} HTTP/1.1"), "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end. Returns the exit code and the log.
    fn wait(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), log(self.folder.path()));
            }
            assert!(begun.elapsed() < WAIT_MAX, "not stopped: {}", log(self.folder.path()));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one answer with a known length from a connection that stays open. `None` if the connection is closed.
fn read_answer(stream: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).unwrap();
    Some(head + &String::from_utf8(body).unwrap())
}

#[test]
fn limits_usage_and_decisions_of_the_sample_are_read_and_the_process_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["limits", "apply", EVENTS, "--store", &store(folder.path())][..],
        &["replay", SAMPLE, "--store", &store(folder.path())],
    ] {
        assert!(cargo_bin_cmd!("loadgate").args(arguments).output().unwrap().status.code().unwrap() != 1);
    }
    let shown = cargo_bin_cmd!("loadgate").args(["limits", "show", "3", "--store", &store(folder.path())]).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    let api = Api::start(folder, &[]);
    // Over HTTP and on the command line, a limit is the same object, also to the byte.
    let (status, head, limit) = api.ask("GET /user-limits/limit-3-all HTTP/1.1", "");
    assert_eq!((status, limit + "\n"), (200, shown.clone()));
    assert!(head.contains("etag: \"1\"") && head.contains("cache-control: no-store"), "{head}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(api.get("/user-limits/user/3"), json!([shown]));
    let usage = api.get("/customers/3/usage?at=2018-12-31T00:00:00Z");
    let own = usage["usage"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&own["code"], &own["used"]), (&json!("CUSTOMER_INDEFINITE"), &shown["progress"]));
    let decisions = api.get("/customers/3/decisions");
    assert!(decisions["decisions"].as_array().unwrap().len() > 3, "{decisions}");
    let load = r#"{"load_amount":"12000.51","time":"2018-12-31T00:00:00Z"}"#;
    let (status, _, checked) = api.ask("POST /customers/3/check HTTP/1.1", load);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert!(status == 200 && checked["reasons"].as_array().unwrap().contains(&json!("CUSTOMER_INDEFINITE")));
    let openapi = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap();
    assert_eq!(api.get("/openapi.json"), serde_json::from_slice::<Value>(&openapi).unwrap());
    let (status, head, body) = api.ask("PUT /user-limits/limit-3-all HTTP/1.1", "");
    assert!(
        status == 405 && head.contains("application/problem+json") && head.contains("allow: GET,HEAD,PATCH,DELETE"),
        "{head}"
    );
    assert!(body.contains("METHOD_NOT_ALLOWED"), "{body}");

    // One connection takes several requests. A request that has begun when the process is told to stop is answered.
    let mut kept = api.connect();
    for _ in 0..3 {
        write!(kept, "GET /user-limits/limit-3-all HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(read_answer(&mut kept).unwrap().contains("limit-3-all"));
    }
    write!(kept, "POST /customers/3/check HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", load.len()).unwrap();
    let idle = api.connect();
    std::thread::sleep(Duration::from_millis(300));
    api.signal("TERM");
    let begun = Instant::now();
    while TcpStream::connect(api.address).is_ok() {
        assert!(begun.elapsed() < WAIT_MAX);
        std::thread::sleep(Duration::from_millis(10));
    }
    kept.write_all(load.as_bytes()).unwrap();
    let answer = read_answer(&mut kept).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("CUSTOMER_INDEFINITE"), "{answer}");
    let (code, log) = api.wait();
    drop(idle);
    assert_eq!(code, Some(0), "{log}");
    for message in ["started", "stopping: requests under way are finished", "stopped"] {
        assert!(log.contains(&format!("\"message\":\"{message}\"")), "{log}");
    }
    assert!(!log.contains("limit-3-all") && !log.contains("12000.51") && !log.contains("customers/3"), "{log}");
}

#[test]
fn more_clients_than_connections_are_all_answered() {
    let api = Api::start(tempfile::tempdir().unwrap(), &[]);
    // Clients that send nothing, a part of a head, or a whole request after which they keep the connection.
    let mut open = Vec::new();
    for number in 0..400 {
        let mut stream = api.connect();
        let sent = ["", "GET /openapi.json HT", "GET /customers/u/usage HTTP/1.1\r\nHost: x\r\n\r\n"][number % 3];
        stream.write_all(sent.as_bytes()).unwrap();
        if number % 3 == 2 {
            assert!(read_answer(&mut stream).unwrap().starts_with("HTTP/1.1 200"));
        }
        open.push(stream);
    }
    assert_eq!(api.get("/customers/u/decisions")["decisions"], json!([]));
    // The oldest ones were closed.
    open[0].set_nonblocking(false).unwrap();
    assert_eq!(open[0].read(&mut [0]).unwrap_or_default(), 0);
}

#[test]
fn a_token_is_required_where_others_can_reach_it_and_wherever_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let refused = |arguments: &[&str]| {
        let ended = cargo_bin_cmd!("loadgate")
            .args(["api", "--store", &store(folder.path())])
            .args(arguments)
            .timeout(WAIT_MAX)
            .output()
            .unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let (code, error) = refused(&["--listen", address]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains("--read-token-file") && error.contains("LOADGATE_API_READ_TOKEN_FILE"), "{error}");
    }
    let absent = folder.path().join("absent").to_str().unwrap().to_owned();
    for wrong in [
        absent,
        folder.path().to_str().unwrap().to_owned(),
        file("empty", b""),
        file("short", b"fifteen-letters"),
        file("long", &[b'x'; 4097]),
        file("spaces", b"two words of a token"),
        file("lines", b"sixteen-letters-\nsixteen-letters-\n"),
        file("bytes", b"sixteen-letters-\xff"),
        file("accents", "sixteen-letters-\u{e9}".as_bytes()),
    ] {
        let (code, error) = refused(&["--listen", "127.0.0.1:0", "--read-token-file", &wrong]);
        assert_eq!(code, Some(2), "{wrong}: {error}");
        assert!(error.contains(&wrong) && error.contains("token file") && !error.contains("sixteen"), "{error}");
    }
    let token = "sixteen-letters-";
    let path = file("token", format!("{token}\n").as_bytes());
    let api = Api::start(tempfile::tempdir().unwrap(), &["--read-token-file", &path]);
    for (header, expected) in [
        (String::new(), 401),
        ("\r\nAuthorization: Bearer wrong-letters-16".to_owned(), 401),
        (format!("\r\nAuthorization: Bearer {token}"), 200),
    ] {
        let (status, head, body) = api.ask(&format!("GET /customers/u/usage HTTP/1.1{header}"), "");
        assert_eq!(status, expected, "{head} {body}");
        assert_eq!(head.contains("www-authenticate: Bearer") && body.contains("UNAUTHORIZED"), status == 401, "{head}");
    }
    api.signal("INT");
    let (code, log) = api.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("letters"), "{log}");
}

#[test]
fn a_store_or_an_address_that_cannot_be_used_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let store = store(folder.path());
    for (arguments, code, error) in [
        (&["--store", &store, "--listen", &address][..], 1, "could not listen on 127.0.0.1:"),
        (&["--store", "sqlite:/no/such/folder/store"], 1, "could not open the store"),
        (&["--store", &store, "--limits", "/no/such/limits.toml"], 2, "LOADGATE_LIMITS: '/no/such/limits.toml'"),
        (
            &["--store", &store, "--currency", "dollars"],
            2,
            "LOADGATE_CURRENCY: 'dollars' is not the code of a currency",
        ),
        (&["--store", &store, "--endpoint-url", "http://localhost:1"], 2, "this store is a file"),
        (&["--listen", "8080"], 2, "invalid value '8080'"),
    ] {
        let ended = cargo_bin_cmd!("loadgate").arg("api").args(arguments).timeout(WAIT_MAX).output().unwrap();
        let shown = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), shown.contains(error)), (Some(code), true), "{arguments:?}: {shown}");
    }
}

#[test]
fn the_openapi_document_is_printed() {
    let printed = cargo_bin_cmd!("loadgate").args(["api", "--openapi"]).output().unwrap();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap();
    assert_eq!((printed.status.code(), String::from_utf8(printed.stdout).unwrap()), (Some(0), committed));
}
