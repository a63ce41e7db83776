//! Consumers: functions that are invoked with batches, workers, and a file replay through the same tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::{DateTime, TimeDelta, Utc};
use loadgate::deciding::consumer::{BatchReport, Consumer};
use loadgate::deciding::{CorrelationRecord, Decider, Delivery, Group, MessageSource, PlanCache, QueueError};
use loadgate::domain::{Currency, EventKey, LoadAttempt};
use loadgate::runtime::lambda::handle;
use loadgate::runtime::worker::{Settings, Worker, WorkerObserver};
use loadgate::wire::read_attempt;
use tokio::task::JoinHandle;

use super::ports::{SimPublisher, SimReceiver, Source};
use super::queue::Message;
use super::setting::{AMOUNTS, written};
use super::simulation::{Simulation, SkewedClock, State, event_of};
use super::store::SimStore;

/// Prefix of the message ids of replayed lines.
pub const REPLAY: &str = "replay:";

/// Actors that replay. The second one does so in contended runs only.
pub const REPLAYS: [&str; 2] = ["replay", "second replay"];

/// Time-out of the function.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum duration of an invocation that has skipped nothing for lack of time.
const UNHURRIED: TimeDelta = TimeDelta::seconds(15);

/// Record of one invocation, for the checks.
#[derive(Default)]
pub struct Invocation {
    /// All ids by which a record may know one of its messages.
    pub owners: BTreeSet<String>,
    /// Number of commits, by customer.
    pub commits: Mutex<BTreeMap<String, u32>>,
    /// Events that it has published or set to pending, or tried to, and events whose state it could not determine.
    handled: Mutex<BTreeSet<EventKey>>,
}

impl Invocation {
    pub fn note_handled(&self, key: &EventKey) {
        self.handled.lock().unwrap().insert(key.clone());
    }
}

impl State {
    /// Checks that a redelivery that is stored, and reported as failed, has at least been published or set to pending.
    fn check_neglect(&mut self, batch: &[Message], failed: &[&str], invocation: &Invocation, begun: DateTime<Utc>) {
        let now = self.now();
        let again = batch.iter().filter(|message| message.receive_count > 1);
        for message in again.filter(|message| failed.contains(&message.id.as_str())) {
            let Some(key) = event_of(&message.body) else { continue };
            let is_visible = self.tables.records.get(&key).is_some_and(|stored| stored.is_applied(begun));
            let is_unpublished = |record: &CorrelationRecord| {
                let is_its_own = [&message.id, &message.deduplication_id].contains(&&record.message_id);
                is_its_own && !record.is_pending() && !self.decisions.has_stored(&record.decision)
            };
            let is_unpublished = is_visible && self.tables.record(&key, now).is_some_and(is_unpublished);
            if is_unpublished && !invocation.handled.lock().unwrap().contains(&key) {
                self.trace(|| format!("neglected: {key:?}"));
                self.neglected.insert(key);
            }
        }
    }
}

/// Returns a clock that is slightly wrong.
pub fn clock(simulation: &Arc<Simulation>, actor: &str) -> SkewedClock {
    let skew = TimeDelta::milliseconds(simulation.state().draw(actor, "clock").i64(-2_000..2_000));
    simulation.state().skews.insert(actor.to_owned(), skew);
    SkewedClock { simulation: Arc::clone(simulation), skew }
}

fn decider(simulation: &Arc<Simulation>, actor: &str) -> Decider<SimStore, SkewedClock> {
    let (clock, correlation_ttl) = (clock(simulation, actor), simulation.state().correlation_ttl);
    let store = SimStore { simulation: Arc::clone(simulation), actor: actor.to_owned(), invocation: None };
    let (limits, has_limit_table, log) = {
        let state = simulation.state();
        (state.setting.deployment.clone(), state.setting.has_limit_table, state.log)
    };
    let plans = PlanCache::default();
    Decider { store, clock, limits, plans, has_limit_table, currency: Currency::USD, correlation_ttl, log }
}

/// Starts a consumer: a function with its event source, or a worker.
pub fn consume(simulation: &Arc<Simulation>, number: usize) -> JoinHandle<()> {
    let actor = format!("consumer {number}");
    let is_function = simulation.state().draw(&actor, "kind").u32(..3) > 0;
    let simulation = Arc::clone(simulation);
    if is_function {
        tokio::spawn(invoke_for_ever(simulation, actor))
    } else {
        tokio::spawn(work_for_ever(simulation, actor))
    }
}

/// Receives batches, invokes the function, and deletes the messages that did not fail.
async fn invoke_for_ever(simulation: Arc<Simulation>, actor: String) {
    let decider = decider(&simulation, &actor);
    loop {
        let batch = simulation.state().receive(Source::Input, 10, None);
        if batch.is_empty() {
            let mut rng = simulation.state().draw(&actor, "pause");
            let wait_ms = rng.u64(200..6_000);
            simulation.pause(&rng, wait_ms).await;
        } else {
            invoke(&simulation, &decider, &batch).await;
        }
    }
}

/// Runs one invocation. It may be killed between any two steps.
async fn invoke(simulation: &Arc<Simulation>, decider: &Decider<SimStore, SkewedClock>, batch: &[Message]) {
    let owners = batch.iter().flat_map(|message| [message.id.clone(), message.deduplication_id.clone()]).collect();
    let actor = decider.store.actor.clone();
    let invocation = Arc::new(Invocation { owners, ..Invocation::default() });
    let queues = SimPublisher {
        simulation: Arc::clone(simulation),
        actor: actor.clone(),
        invocation: Some(Arc::clone(&invocation)),
    };
    let store = SimStore {
        simulation: Arc::clone(simulation),
        actor: actor.clone(),
        invocation: Some(Arc::clone(&invocation)),
    };
    let begun = simulation.state().now();
    let consumer = Consumer { decider: Decider { store, ..decider.clone() }, publisher: queues };
    let (end, kill_after) = {
        let mut state = simulation.state();
        let (killed, mut rng) = (state.chances.killed, state.draw(&actor, "invocation"));
        let is_killed = state.happens(&mut rng, killed);
        let kill_after = if is_killed { Duration::from_millis(rng.u64(..400)) } else { TIMEOUT };
        (state.now() + TIMEOUT + decider.clock.skew, kill_after)
    };
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(record).collect();
    let handled = tokio::time::timeout(kill_after, handle(&consumer, event, end)).await;
    let mut state = simulation.state();
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
    state.check_failures(batch, &failed);
    if state.now() < begun + UNHURRIED {
        state.check_neglect(batch, &failed, &invocation, begun);
    }
    for message in batch.iter().filter(|message| !failed.contains(&message.id.as_str())) {
        state.delete(Source::Input, message.receipt);
    }
}

fn record(message: &Message) -> SqsMessage {
    let mut record = crate::support::consumer_harness::raw(&message.id, &message.group, &message.body);
    record = crate::support::consumer_harness::received(record, message.receive_count);
    record.attributes.insert("MessageDeduplicationId".to_owned(), message.deduplication_id.clone());
    record
}

/// Runs a worker, and starts it again whenever it ends. It ends because it is asked to stop, or because it is killed
/// between any two steps.
async fn work_for_ever(simulation: Arc<Simulation>, actor: String) {
    let decider = decider(&simulation, &actor);
    loop {
        let (settings, stop_after, kill_after, pause) = {
            let mut state = simulation.state();
            let mut rng = state.draw(&actor, "life");
            state.count("worker_lives", 1);
            let settings = Settings {
                customers_in_parallel: rng.usize(1..4),
                poll_wait: Duration::from_secs(rng.u64(..=20)),
                visibility: state.input.visibility.to_std().unwrap(),
                work_timeout: TIMEOUT,
                stop_timeout: Duration::from_secs(25),
            };
            let killed = state.chances.killed;
            let is_killed = state.happens(&mut rng, killed * 3);
            state.count("worker_kills", u64::from(is_killed));
            let kill_after_ms = if is_killed { rng.u64(..20_000) } else { u64::from(u32::MAX) };
            let (stop_after_s, pause_ms) = (rng.u64(5..600), rng.u64(..5_000));
            (settings, stop_after_s, Duration::from_millis(kill_after_ms), Duration::from_millis(pause_ms))
        };
        let queues = SimPublisher { simulation: Arc::clone(&simulation), actor: actor.clone(), invocation: None };
        let receiver = SimReceiver { simulation: Arc::clone(&simulation), actor: actor.clone(), source: Source::Input };
        let consumer = Consumer { decider: decider.clone(), publisher: queues };
        let worker = Arc::new(Worker { consumer, receiver, settings });
        let stop = tokio::time::sleep(Duration::from_secs(stop_after));
        let _ = tokio::time::timeout(kill_after, worker.run(&NoObserver, stop)).await;
        tokio::time::sleep(pause).await;
    }
}

struct NoObserver;

impl WorkerObserver for NoObserver {
    fn received(&self, _received: Result<usize, &QueueError>) {}
    fn working(&self, _customers: usize) {}
    fn handled(&self, _report: &BatchReport, _time: Duration) {}
    fn stopping(&self) {}
}

/// Replays a file into the same tables, for customers that also have messages on the queue. The actor's name is part of
/// the events' ids.
pub async fn replay(simulation: Arc<Simulation>, actor: &str) {
    let decider = decider(&simulation, actor);
    let mut rng = simulation.state().draw(actor, "lines");
    let lines_max = [0, 0, 20][rng.usize(..3)];
    let is_contended = simulation.state().setting.is_contended;
    let (lines_max, wait_ms_max) = if is_contended { (25, 1_500) } else { (lines_max, 6_000) };
    for line in 0..rng.u32(..=lines_max) {
        let customers = simulation.state().customers;
        let (wait_ms, customer, day) =
            (rng.u64(..wait_ms_max), format!("c{}", rng.u32(..customers)), 27 + rng.u32(..5));
        simulation.pause(&rng, wait_ms).await;
        let times = simulation.state().setting.times.clone();
        let (amount, time) = match times {
            None => ("$1500".to_owned(), format!("2018-12-{day}T00:00:00Z")),
            Some(times) => {
                let amount = format!("${}", AMOUNTS[rng.usize(1..AMOUNTS.len())] / 100);
                (amount, written(times.draw_nth(&mut rng, line, lines_max)))
            }
        };
        let id = if actor == REPLAYS[0] { format!("replayed {line}") } else { format!("{actor} {line}") };
        let body = crate::support::line(&id, &customer, &amount, &time);
        let written = read_attempt(body.trim_end().as_bytes()).unwrap();
        let attempt = LoadAttempt::check(written.clone()).unwrap();
        let source = MessageSource { message_id: format!("{REPLAY}{id}"), ..MessageSource::default() };
        let deliveries = vec![Delivery::new(u64::from(line), source, &written, attempt, Currency::USD)];
        // A failed line is dropped: nothing depends on it.
        let _ = decider.decide_all(Group { deliveries, run: decider.new_run() }, None).await;
    }
}
