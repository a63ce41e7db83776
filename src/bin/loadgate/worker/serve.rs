//! Health and metrics over HTTP, for container schedulers and for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use tokio::net::TcpListener;

use super::status::Status;

/// Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until it is dropped.
pub async fn run(listener: TcpListener, status: Arc<Status>) {
    let health = |State(status): State<Arc<Status>>| async move { answer(status.health()) };
    let readiness = |State(status): State<Arc<Status>>| async move { answer(status.readiness()) };
    let metrics = |State(status): State<Arc<Status>>| async move { ([(CONTENT_TYPE, TEXT_FORMAT)], status.metrics()) };
    let router = Router::new()
        .route("/healthz", routing::get(health))
        .route("/readyz", routing::get(readiness))
        .route("/metrics", routing::get(metrics))
        .with_state(status);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(error = error.to_string(), "health and metrics are not served any more");
    }
}

fn answer(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
