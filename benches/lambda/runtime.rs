//! Lambda's runtime API, and a function that runs under it as a child process.
//!
//! Amazon's emulator does not report when a function first asks for work, and adds its own time to every invocation.

use std::io::{Error, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// Maximum time of an invocation, and of the wait for its response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Response to a batch in which every message is settled.
const SETTLED: &str = r#"{"batchItemFailures":[]}"#;

struct Api {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    /// Instants at which the function asked for work.
    asked: mpsc::UnboundedSender<Instant>,
    answers: mpsc::UnboundedSender<(Instant, String)>,
}

/// A running function.
pub(crate) struct Function {
    child: Child,
    started: Instant,
    events: mpsc::UnboundedSender<String>,
    asked: mpsc::UnboundedReceiver<Instant>,
    answers: mpsc::UnboundedReceiver<(Instant, String)>,
    server: JoinHandle<()>,
}

impl Function {
    /// Starts a function. Its first event is available before the function asks for one, as in a cold start.
    pub(crate) async fn start(program: &Path, environment: &[(&str, String)], first_event: String) -> Result<Function> {
        let (events, events_out) = mpsc::unbounded_channel();
        let (asked_in, asked) = mpsc::unbounded_channel();
        let (answers_in, answers) = mpsc::unbounded_channel();
        let api = Arc::new(Api { events: Mutex::new(events_out), asked: asked_in, answers: answers_in });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(answer))
            .route("/2018-06-01/runtime/init/error", post(answer))
            .with_state(api);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let _ = events.send(first_event);
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", "loadgate");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "x").env("AWS_LAMBDA_LOG_GROUP_NAME", "x");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn()?;
        Ok(Function { child, started, events, asked, answers, server })
    }

    /// Returns the times from the start to the first request for work, and to the first response.
    pub(crate) async fn cold_start(&mut self) -> Result<(Duration, Duration)> {
        let asked = self.asked.recv().await.ok_or_else(gone)?;
        let answered = self.answered().await?;
        Ok((asked - self.started, answered - self.started))
    }

    /// Invokes the function with an event, and returns the time until its response.
    pub(crate) async fn invoke(&mut self, event: String) -> Result<Duration> {
        let begun = Instant::now();
        self.events.send(event).map_err(|_| gone())?;
        Ok(self.answered().await? - begun)
    }

    /// Waits for a response, which must report no unsettled message. Returns the instant of its arrival.
    async fn answered(&mut self) -> Result<Instant> {
        let answer = tokio::time::timeout(TIMEOUT, self.answers.recv()).await;
        let (at, answer) = answer.ok().flatten().ok_or_else(gone)?;
        if answer == SETTLED { Ok(at) } else { Err(Error::other(format!("the function answered {answer}"))) }
    }

    /// Returns the processor time of the function so far. It is the sum of its threads, none of which has ended.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_processor = times.split(' ').next().and_then(|time| time.parse::<u64>().ok());
            nanoseconds += on_processor.ok_or_else(|| Error::other("the kernel does not say how long it ran"))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the function's peak resident memory, in bytes.
    pub(crate) fn memory_peak(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| Error::other("the kernel does not say how much memory it took"))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.server.abort();
    }
}

fn gone() -> Error {
    Error::other("the function does not answer")
}

async fn next(State(api): State<Arc<Api>>) -> std::result::Result<(HeaderMap, String), StatusCode> {
    let _ = api.asked.send(Instant::now());
    let event = api.events.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let header = |value: &str| HeaderValue::from_str(value).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = HeaderMap::new();
    headers.insert("Lambda-Runtime-Aws-Request-Id", header("00000000-0000-0000-0000-000000000000")?);
    headers.insert("Lambda-Runtime-Deadline-Ms", header(&end.as_millis().to_string())?);
    headers.insert("Lambda-Runtime-Invoked-Function-Arn", header("arn:aws:lambda:x:1:function:loadgate")?);
    Ok((headers, event))
}

async fn answer(State(api): State<Arc<Api>>, answer: String) -> StatusCode {
    let _ = api.answers.send((Instant::now(), answer));
    StatusCode::ACCEPTED
}
