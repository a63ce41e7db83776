//! Who consumes: functions that are invoked with batches, workers, and a file's replay through the same tables.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::TimeDelta;
use loadgate::app::QueueError;
use loadgate::app::consumer::{Consumer, Report};
use loadgate::app::deciding::{Carrier, Decider, Delivery, Group};
use loadgate::domain::{Limits, LoadAttempt};
use loadgate::entry::lambda::handle;
use loadgate::entry::worker::{Observer, Settings, Worker};
use loadgate::wire::read_attempt;
use tokio::task::JoinHandle;

use super::ports::{SimInbox, SimQueues, Which};
use super::queue::Message;
use super::store::SimStore;
use super::world::{SkewedClock, World};

/// What the message ids of replayed lines begin with.
pub const REPLAY: &str = "replay:";

/// How long a function may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A clock that is a little wrong.
pub fn clock(world: &Arc<World>) -> SkewedClock {
    let skew = TimeDelta::milliseconds(world.state().rng.i64(-2_000..2_000));
    SkewedClock { world: Arc::clone(world), skew }
}

fn decider(world: &Arc<World>) -> Decider<SimStore, SkewedClock> {
    let (clock, correlation_ttl) = (clock(world), world.state().correlation_ttl);
    let store = SimStore { world: Arc::clone(world), commits: None };
    Decider { store, clock, limits: Limits::default(), correlation_ttl }
}

/// Sets a consumer to work: a function with its event source, or a worker.
pub fn consume(world: &Arc<World>) -> JoinHandle<()> {
    let is_function = world.state().rng.u32(..3) > 0;
    let world = Arc::clone(world);
    if is_function { tokio::spawn(invoke_for_ever(world)) } else { tokio::spawn(work_for_ever(world)) }
}

/// Receives, invokes, deletes what did not fail.
async fn invoke_for_ever(world: Arc<World>) {
    let decider = decider(&world);
    loop {
        let batch = world.state().receive(Which::Input, 10, None);
        if batch.is_empty() {
            let wait_ms = world.state().rng.u64(200..6_000);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        } else {
            invoke(&world, &decider, &batch).await;
        }
    }
}

/// One invocation. It may be killed between any two steps.
async fn invoke(world: &Arc<World>, decider: &Decider<SimStore, SkewedClock>, batch: &[Message]) {
    let owners = batch.iter().flat_map(|message| [message.id.clone(), message.deduplication_id.clone()]).collect();
    let queues = SimQueues { world: Arc::clone(world), owners: Some(Arc::new(owners)) };
    let store = SimStore { world: Arc::clone(world), commits: Some(Arc::default()) };
    let consumer = Consumer { decider: Decider { store, ..decider.clone() }, queues };
    let (end, kill_after) = {
        let mut state = world.state();
        let killed = state.chances.killed;
        let is_killed = state.happens(killed);
        let kill_after = if is_killed { Duration::from_millis(state.rng.u64(..400)) } else { TIMEOUT };
        (state.now() + TIMEOUT + decider.clock.skew, kill_after)
    };
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(record).collect();
    let handled = tokio::time::timeout(kill_after, handle(&consumer, event, end)).await;
    let mut state = world.state();
    let Ok(handled) = handled else {
        state.count("killed", 1);
        if kill_after == TIMEOUT {
            state.violation("an invocation did not answer before its deadline".to_owned());
        }
        return;
    };
    let (response, _) = handled.unwrap();
    let failed: Vec<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    for message in batch.iter().filter(|message| !failed.contains(&message.id.as_str())) {
        state.delete(Which::Input, message.receipt);
    }
}

fn record(message: &Message) -> SqsMessage {
    let mut record = crate::consumer::world::raw(&message.id, &message.group, &message.body);
    record = crate::consumer::world::received(record, message.receive_count);
    record.attributes.insert("MessageDeduplicationId".to_owned(), message.deduplication_id.clone());
    record
}

/// A worker that is started again whenever it ends: because it was told to, or killed between any two steps.
async fn work_for_ever(world: Arc<World>) {
    let decider = decider(&world);
    loop {
        let (settings, stop_after, kill_after, pause) = {
            let mut state = world.state();
            state.count("worker_lives", 1);
            let settings = Settings {
                customers_in_parallel: state.rng.usize(1..4),
                poll_wait: Duration::from_secs(state.rng.u64(..=20)),
                visibility: state.input.visibility.to_std().unwrap(),
                work_timeout: TIMEOUT,
                stop_timeout: Duration::from_secs(25),
            };
            let killed = state.chances.killed;
            let is_killed = state.happens(killed * 3);
            state.count("worker_kills", u64::from(is_killed));
            let kill_after_ms = if is_killed { state.rng.u64(..20_000) } else { u64::from(u32::MAX) };
            let (stop_after_s, pause_ms) = (state.rng.u64(5..600), state.rng.u64(..5_000));
            (settings, stop_after_s, Duration::from_millis(kill_after_ms), Duration::from_millis(pause_ms))
        };
        let queues = SimQueues { world: Arc::clone(&world), owners: None };
        let inbox = SimInbox { world: Arc::clone(&world), which: Which::Input };
        let consumer = Consumer { decider: decider.clone(), queues };
        let worker = Arc::new(Worker { consumer, inbox, settings });
        let stop = tokio::time::sleep(Duration::from_secs(stop_after));
        let _ = tokio::time::timeout(kill_after, worker.run(&Nobody, stop)).await;
        tokio::time::sleep(pause).await;
    }
}

struct Nobody;

impl Observer for Nobody {
    fn received(&self, _received: Result<usize, &QueueError>) {}
    fn working(&self, _customers: usize) {}
    fn handled(&self, _report: &Report, _time: Duration) {}
    fn stopping(&self) {}
}

/// Another door: a file is replayed over the same tables, customers that the queue has too.
pub async fn replay(world: Arc<World>) {
    let decider = decider(&world);
    let lines = world.state().rng.u32(..20);
    for line in 0..lines {
        let (wait_ms, customer, day) = {
            let mut state = world.state();
            let customers = state.customers;
            (state.rng.u64(..6_000), format!("c{}", state.rng.u32(..customers)), 27 + state.rng.u32(..5))
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let body =
            crate::support::line(&format!("replayed {line}"), &customer, "$1500", &format!("2018-12-{day}T00:00:00Z"));
        let written = read_attempt(body.trim_end().as_bytes()).unwrap();
        let attempt = LoadAttempt::check(written.clone()).unwrap();
        let carrier = Carrier { message_id: format!("{REPLAY}{line}"), ..Carrier::default() };
        let deliveries = vec![Delivery::new(u64::from(line), carrier, &written, attempt)];
        // What fails is left: nobody waits for it.
        let _ = decider.settle_all(Group { deliveries }).await;
    }
}
