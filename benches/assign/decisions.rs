//! A stream of decisions at a steady pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::deciding::{Decider, Delivery, Group, MessageSource, PlanCache};
use loadgate::domain::{AttemptText, Currency, Limits, LoadAttempt};
use tokio::task::JoinHandle;

/// Number of decisions a second.
const PER_SECOND: u32 = 50;

/// Times of decisions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// A stream that decides until it is ended.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Duration>>,
}

impl Stream {
    /// Begins to decide loads of the programme's customers.
    pub(crate) fn start(store: &DynamoDb) -> Stream {
        let decider = Arc::new(Decider {
            store: store.clone(),
            clock: SystemClock,
            limits: Limits::default(),
            plans: PlanCache::default(),
            has_limit_table: true,
            currency: Currency::USD,
            correlation_ttl: TimeDelta::days(15),
            log: None,
        });
        let stop = Arc::new(AtomicBool::new(false));
        Stream { stop: Arc::clone(&stop), task: tokio::spawn(decide(decider, stop)) }
    }

    /// Decides for so long, and returns the times.
    pub(crate) async fn measure_for(self, time: Duration) -> Times {
        tokio::time::sleep(time).await;
        self.end().await
    }

    /// Ends the stream, and returns its times.
    pub(crate) async fn end(self) -> Times {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.task.await.unwrap_or_default();
        times.sort();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        Times { p50: at(50).copied().unwrap_or_default(), p99: at(99).copied().unwrap_or_default() }
    }
}

/// Decides one load after another, each at its own time: one that takes long does not hold up the next.
async fn decide(decider: Arc<Decider<DynamoDb, SystemClock>>, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let run = format!("{:?}", Instant::now());
    let mut tasks = Vec::new();
    for number in 0.. {
        ticks.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (decider, id) = (Arc::clone(&decider), format!("{run}-{number}"));
        tasks.push(tokio::spawn(async move {
            let begun = Instant::now();
            let delivery = delivery(&super::customer(number % super::CUSTOMERS), &id);
            decider.decide_all(Group { deliveries: vec![delivery], run: None }, None).await.expect("a decision");
            begun.elapsed()
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.push(task.await.expect("a decision"));
    }
    times
}

fn delivery(customer: &str, id: &str) -> Delivery {
    let written = AttemptText {
        id: id.to_owned().into(),
        customer_id: customer.into(),
        load_amount: "$1.00".into(),
        time: "2026-01-06T12:00:00Z".into(),
    };
    let attempt = LoadAttempt::check(written.clone()).expect("an attempt");
    let source = MessageSource { message_id: id.to_owned(), ..MessageSource::default() };
    Delivery::new(0, source, &written, attempt, Currency::USD)
}
