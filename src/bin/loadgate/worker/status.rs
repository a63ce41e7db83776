//! State of the worker, for its metrics and for health and readiness checks.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use loadgate::deciding::consumer::BatchReport;
use loadgate::deciding::{QueueError, with_sources};
use loadgate::runtime::worker::WorkerObserver;
use loadgate::telemetry::Prometheus;

/// Minimum silence after which the worker counts as dead. It is longer than the worker's longest request.
const SILENCE_MIN: Duration = Duration::from_mins(2);

/// State of the worker.
#[derive(Debug)]
pub struct Status {
    prometheus: Prometheus,
    silence_max: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    alive_at: Instant,
    is_stopping: bool,
    readiness: Result<(), String>,
}

impl Status {
    pub fn new(prometheus: Prometheus, work_timeout: Duration) -> Status {
        let state = State {
            alive_at: Instant::now(),
            is_stopping: false,
            readiness: Err("the input queue has not answered yet".to_owned()),
        };
        Status { prometheus, silence_max: SILENCE_MIN.max(work_timeout * 2), state: Mutex::new(state) }
    }

    /// Returns an error with the reason if the worker should be restarted.
    pub fn health(&self) -> Result<(), String> {
        let silent_for = self.state(|state| state.alive_at.elapsed());
        if silent_for <= self.silence_max {
            return Ok(());
        }
        Err(format!("no sign of life for {} s", silent_for.as_secs()))
    }

    /// Returns an error with the reason if the worker does not receive messages.
    pub fn readiness(&self) -> Result<(), String> {
        self.state(|state| if state.is_stopping { Err("stopping".to_owned()) } else { state.readiness.clone() })
    }

    /// Renders all metrics in Prometheus's text format.
    pub fn metrics(&self) -> String {
        self.prometheus.render()
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl WorkerObserver for Status {
    fn received(&self, received: Result<usize, &QueueError>) {
        match received {
            Ok(messages) => self.prometheus.received(messages),
            Err(_) => self.prometheus.receive_failed(),
        }
        let readiness = received.map(drop).map_err(|error| with_sources(error));
        self.state(|state| state.readiness = readiness);
    }

    fn working(&self, customers: usize) {
        self.prometheus.working(customers);
        self.state(|state| state.alive_at = Instant::now());
    }

    fn handled(&self, report: &BatchReport, time: Duration) {
        self.prometheus.handled(report, time);
    }

    fn stopping(&self) {
        self.state(|state| state.is_stopping = true);
    }
}
