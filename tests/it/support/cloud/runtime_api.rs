//! The real bootstrap under an implementation of Lambda's runtime API, so that a test can kill it at any moment.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Router, body};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// Maximum time of an invocation.
const TIMEOUT: Duration = Duration::from_secs(30);

/// State of the runtime API: events for the function, and the function's responses.
struct Api {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    answers: mpsc::UnboundedSender<Result<String, String>>,
}

/// A function whose process can be killed.
pub struct Bootstrap {
    child: Child,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<Result<String, String>>,
    server: JoinHandle<()>,
}

impl Bootstrap {
    /// Starts the bootstrap with only these environment variables and Lambda's own.
    pub async fn start(environment: &[(&'static str, String)], log: &std::path::Path) -> Bootstrap {
        Bootstrap::start_program(env!("CARGO_BIN_EXE_decide"), environment, log).await
    }

    /// Starts the program of another function, in the same way.
    pub async fn start_program(
        program: &str,
        environment: &[(&'static str, String)],
        log: &std::path::Path,
    ) -> Bootstrap {
        let (events, events_out) = mpsc::unbounded_channel();
        let (answers_in, answers) = mpsc::unbounded_channel();
        let api = Arc::new(Api { events: Mutex::new(events_out), answers: answers_in });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(api);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let log = File::options().append(true).create(true).open(log).unwrap();
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", "loadgate");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "x").env("AWS_LAMBDA_LOG_GROUP_NAME", "x");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(log));
        Bootstrap { child: command.spawn().unwrap(), events, answers, server }
    }

    /// Invokes the function with an event. Returns `None` if no response arrives within `time_max`.
    pub async fn invoke(&mut self, event: String, time_max: Duration) -> Option<Result<String, String>> {
        self.events.send(event).unwrap();
        tokio::time::timeout(time_max, self.answers.recv()).await.ok().flatten()
    }

    /// Kills the process, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.server.abort();
    }
}

async fn next(State(api): State<Arc<Api>>) -> Result<(HeaderMap, String), StatusCode> {
    let event = api.events.lock().await.recv().await.ok_or(StatusCode::GONE)?;
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + TIMEOUT;
    let mut headers = HeaderMap::new();
    headers.insert("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000000".parse().unwrap());
    headers.insert("Lambda-Runtime-Deadline-Ms", end.as_millis().to_string().parse().unwrap());
    headers.insert("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:function:loadgate".parse().unwrap());
    Ok((headers, event))
}

async fn response(State(api): State<Arc<Api>>, Path(_): Path<String>, body: body::Bytes) -> StatusCode {
    let _ = api.answers.send(Ok(String::from_utf8(body.to_vec()).unwrap()));
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<Api>>, body: body::Bytes) -> StatusCode {
    let _ = api.answers.send(Err(String::from_utf8_lossy(&body).into_owned()));
    StatusCode::ACCEPTED
}
