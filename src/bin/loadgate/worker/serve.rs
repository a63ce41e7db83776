//! HTTP server of health and metrics, for container schedulers and for Prometheus.
//!
//! Any client that reaches the port can open connections. Their number, size and time are bounded, so that they take no
//! resources from the connections to DynamoDB and SQS. A connection answers one request. When all are in use, the
//! oldest one is closed for a new one.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::status::Status;

/// Content type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Maximum number of open connections.
const CONNECTIONS_MAX: usize = 64;

/// Maximum size of a request's head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Time-out of a connection, from accepting it to the end of the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay after a connection could not be accepted because the process has no descriptor left.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);

/// Serves until the future is dropped.
pub async fn run(listener: TcpListener, status: Arc<Status>) {
    let service = TowerToHyperService::new(router(status));
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connections.begin(serve(stream, service.clone())),
            // The client closed the connection before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                tracing::warn!(error = error.to_string(), "a connection for health and metrics could not be accepted");
                tokio::time::sleep(ACCEPT_WAIT).await;
            }
        }
    }
}

fn router(status: Arc<Status>) -> Router {
    let health = |State(status): State<Arc<Status>>| async move { answer(status.health()) };
    let readiness = |State(status): State<Arc<Status>>| async move { answer(status.readiness()) };
    let metrics = |State(status): State<Arc<Status>>| async move { ([(CONTENT_TYPE, TEXT_FORMAT)], status.metrics()) };
    Router::new()
        .route("/healthz", routing::get(health))
        .route("/readyz", routing::get(readiness))
        .route("/metrics", routing::get(metrics))
        .with_state(status)
}

/// Answers one request. Errors are ignored: a client that disconnects, or does not speak HTTP, affects only itself.
async fn serve(stream: TcpStream, service: TowerToHyperService<Router>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

/// Open connections, oldest first. Dropping this closes them.
#[derive(Default)]
struct Connections(VecDeque<AbortHandle>);

impl Connections {
    fn begin(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|connection| !connection.is_finished());
        while self.0.len() >= CONNECTIONS_MAX
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back(tokio::spawn(connection).abort_handle());
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

fn answer(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
