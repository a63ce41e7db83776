//! HTTP server of health and metrics, for container schedulers and for Prometheus. A connection answers one request.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use tokio::net::TcpListener;

use super::status::Status;
use crate::serve::{Bounds, serve};

/// Content type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Time-out of a connection, from accepting it to the end of the response.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

const BOUNDS: Bounds = Bounds {
    connections_max: 64,
    keep_alive: false,
    head_timeout: CONNECTION_TIMEOUT,
    age_max: CONNECTION_TIMEOUT,
    // Nothing that is asked here waits for anything.
    answer_timeout: Duration::ZERO,
};

/// Serves until the future is dropped.
pub async fn run(listener: TcpListener, status: Arc<Status>) {
    serve(listener, router(status), BOUNDS, pending()).await;
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

fn answer(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
