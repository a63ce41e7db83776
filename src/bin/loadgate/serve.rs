//! HTTP server with bounds: of health and metrics, and of the API.
//!
//! Any client that reaches the port can open connections. Their number, size and time are bounded, so that they take no
//! resources from the connections to AWS. When all are in use, the oldest one that waits for a request is closed for a new
//! one; a connection whose request is being answered is closed after the answer.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Maximum size of a request's head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Time within which a client must take an answer that is ready when its connection is closed.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Delay after a connection could not be accepted because the process has no descriptor left.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);

/// Bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Maximum number of open connections.
    pub connections_max: usize,
    /// True if a connection may bring several requests.
    pub keep_alive: bool,
    /// Time-out for a request's head, from the beginning of the connection or the end of the answer before.
    pub head_timeout: Duration,
    /// Age from which a connection takes no further request.
    pub age_max: Duration,
    /// Time-out for the answer to a request that is under way when its connection is closed.
    pub answer_timeout: Duration,
}

/// Open connections, oldest first. Dropping this closes them at once.
struct Connections {
    bounds: Bounds,
    tasks: JoinSet<()>,
    states: VecDeque<Weak<State>>,
}

/// State of a connection.
#[derive(Default)]
struct State {
    is_answering: AtomicBool,
    /// True once a request has been answered. The answer may still be on its way.
    has_answered: AtomicBool,
    close: Notify,
}

/// Mark of a request that is being answered.
struct Answering(Arc<State>);

/// Serves until `stop` completes. Then finishes the requests under way.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: impl Future<Output = ()>) {
    let mut connections = Connections { bounds, tasks: JoinSet::new(), states: VecDeque::new() };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connections.begin(stream, router.clone()).await,
            // The client closed the connection before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                tracing::warn!(error = error.to_string(), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_WAIT).await;
            }
        }
    }
    drop(listener);
    connections.finish().await;
}

impl Connections {
    /// Begins to serve a connection. Waits until there is a place for it.
    async fn begin(&mut self, stream: TcpStream, router: Router) {
        while self.tasks.try_join_next().is_some() {}
        self.states.retain(|state| state.strong_count() > 0);
        while self.tasks.len() >= self.bounds.connections_max {
            self.close_one();
            self.tasks.join_next().await;
        }
        let state = Arc::new(State::default());
        self.states.push_back(Arc::downgrade(&state));
        self.tasks.spawn(answer(stream, router, self.bounds, state));
    }

    /// Closes the oldest connection that waits for a request; if there is none, the oldest one, after its answer.
    fn close_one(&mut self) {
        let is_waiting = |state: &Weak<State>| state.upgrade().is_none_or(|state| !state.is_answering());
        let place = self.states.iter().position(is_waiting).unwrap_or(0);
        if let Some(state) = self.states.remove(place).and_then(|state| state.upgrade()) {
            state.close.notify_one();
        }
    }

    /// Closes all connections after the answers to the requests under way.
    async fn finish(mut self) {
        self.states.iter().filter_map(Weak::upgrade).for_each(|state| state.close.notify_one());
        while self.tasks.join_next().await.is_some() {}
    }
}

impl State {
    fn is_answering(&self) -> bool {
        self.is_answering.load(Ordering::Relaxed)
    }
}

impl Answering {
    fn begin(state: Arc<State>) -> Answering {
        state.is_answering.store(true, Ordering::Relaxed);
        Answering(state)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.has_answered.store(true, Ordering::Relaxed);
        self.0.is_answering.store(false, Ordering::Relaxed);
    }
}

/// Answers the requests of a connection. Errors are ignored: a client that disconnects, or does not speak HTTP, affects
/// only itself.
async fn answer(stream: TcpStream, router: Router, bounds: Bounds, state: Arc<State>) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        let (answering, answer) = (Answering::begin(Arc::clone(&state)), router.call(request));
        async move {
            let answer = answer.await;
            drop(answering);
            answer
        }
    });
    // Answers are small, and none waits for a fuller packet.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .keep_alive(bounds.keep_alive)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        _ = connection.as_mut() => return,
        () = state.close.notified() => {}
        () = tokio::time::sleep(bounds.age_max) => {}
    }
    let timeout = match (state.is_answering(), state.has_answered.load(Ordering::Relaxed)) {
        (true, _) => bounds.answer_timeout + LAST_ANSWER_TIMEOUT,
        (false, true) => LAST_ANSWER_TIMEOUT,
        (false, false) => return,
    };
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(timeout, connection).await;
}
