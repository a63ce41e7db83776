//! Who is at work: a producer, functions that are invoked with batches, and somebody who redrives.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use chrono::TimeDelta;
use loadgate::app::consumer::Consumer;
use loadgate::app::deciding::{Carrier, Decider, Delivery, Group, UNPUBLISHED_TTL};
use loadgate::domain::{EventKey, Limits, LoadAttempt};
use loadgate::entry::lambda::handle;
use loadgate::wire::read_attempt;

use super::queue::{Message, SimQueues};
use super::store::SimStore;
use super::world::{SkewedClock, World};
use crate::oracle;

/// What the message ids of replayed lines begin with.
pub const REPLAY: &str = "replay:";

/// How long a function may take.
const TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// How long everything may take to drain once the faults have stopped.
const DRAIN_MAX: Duration = Duration::from_hours(12);

/// Runs a world until everything has drained.
pub async fn run(world: &Arc<World>) -> Result<(), String> {
    let consumers = world.state().consumers;
    let functions: Vec<_> = (0..consumers).map(|_| tokio::spawn(invoke_for_ever(Arc::clone(world)))).collect();
    let replay = tokio::spawn(replay(Arc::clone(world)));
    produce(world).await;
    while_faulty(world).await;
    replay.await.unwrap();
    world.state().is_faulty = false;
    drain(world).await?;
    // After that, everything counts as new: also what was received more than once, and is kept longer.
    jump(world, UNPUBLISHED_TTL + TimeDelta::hours(1));
    repeat_some(world);
    drain(world).await?;
    // Let the last ones that have outlived their time come to their end.
    tokio::time::sleep(Duration::from_mins(5)).await;
    functions.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// Sends attempts, some twice and some invalid.
async fn produce(world: &World) {
    let events = world.state().rng.u32(1..60);
    for event in 0..events {
        let wait_ms = {
            let mut state = world.state();
            let customers = state.customers;
            let customer = format!("c{}", state.rng.u32(..customers));
            let cents = [1, 100_000, 166_700, 250_000, 500_000][state.rng.usize(..5)];
            let (day, hour) = (27 + state.rng.u32(..5), state.rng.u32(..24));
            let time = format!("2018-12-{day}T{hour:02}:00:00Z");
            let amount = format!("${}.{:02}", cents / 100, cents % 100);
            let body = crate::support::line(&event.to_string(), &customer, &amount, &time).trim_end().to_owned();
            let now = state.now();
            state.count("events", 1);
            state.tables.sent.push((customer.clone(), event.to_string()));
            state.input.send(customer.clone(), body.clone(), now);
            let (duplicate, invalid) = (state.chances.duplicate, state.chances.invalid);
            if state.rng.u32(..1000) < duplicate {
                state.count("duplicates", 1);
                state.input.send(customer.clone(), body, now);
            }
            if state.rng.u32(..1000) < invalid {
                state.count("invalid", 1);
                state.input.send(customer, format!("no attempt {event}"), now);
            }
            state.rng.u64(..3_000)
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// Another door: a file is replayed over the same tables, customers that the queue has too.
async fn replay(world: Arc<World>) {
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

/// Lets the faults go on for a while, and redrives now and then.
async fn while_faulty(world: &World) {
    let minutes = world.state().rng.u32(..10);
    for _ in 0..minutes {
        tokio::time::sleep(Duration::from_mins(1)).await;
        let mut state = world.state();
        if state.rng.bool() {
            let now = state.now();
            let redriven = state.input.redrive(now);
            state.count("redriven", redriven);
        }
    }
}

/// Waits until the queue is empty, and redrives until the dead-letter queue is.
async fn drain(world: &World) -> Result<(), String> {
    let begun = tokio::time::Instant::now();
    let mut hours_left = 20;
    loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut state = world.state();
        if begun.elapsed() > DRAIN_MAX {
            return Err(format!(
                "not drained: {} messages, {} dead",
                state.input.messages.len(),
                state.input.dead.len()
            ));
        }
        if !state.input.messages.is_empty() {
            continue;
        }
        if state.input.dead.is_empty() {
            return Ok(());
        }
        // Somebody looks at it, at once or hours later.
        let hours = [0, 1, 10][state.rng.usize(..3)].min(hours_left);
        hours_left -= hours;
        state.jumped += TimeDelta::hours(hours);
        let now = state.now();
        let redriven = state.input.redrive(now);
        state.count("redriven", redriven);
    }
}

fn jump(world: &World, time: TimeDelta) {
    world.state().jumped += time;
}

/// The producer sends some events again.
fn repeat_some(world: &World) {
    let mut state = world.state();
    let now = state.now();
    let again: Vec<_> = state.tables.queued().step_by(7).map(|record| record.decision.clone()).collect();
    for decision in again {
        let body = crate::support::line(
            &decision.key.event_id,
            &decision.key.customer_id,
            &decision.load_amount,
            &decision.time,
        );
        state.tables.repeated += 1;
        state.input.send(decision.key.customer_id, body.trim_end().to_owned(), now);
    }
}

fn decider(world: &Arc<World>) -> Decider<SimStore, SkewedClock> {
    let skew = TimeDelta::milliseconds(world.state().rng.i64(-2_000..2_000));
    let clock = SkewedClock { world: Arc::clone(world), skew };
    let correlation_ttl = world.state().correlation_ttl;
    Decider { store: SimStore(Arc::clone(world)), clock, limits: Limits::default(), correlation_ttl }
}

/// A function with its event source: receives, invokes, deletes what did not fail.
async fn invoke_for_ever(world: Arc<World>) {
    let decider = decider(&world);
    let skew = decider.clock.skew;
    let consumer = Consumer { decider, queues: SimQueues(Arc::clone(&world)) };
    loop {
        let batch = {
            let mut state = world.state();
            let now = state.now();
            let batch = state.input.receive(now);
            let again = batch.iter().filter(|message| message.receive_count > 1).count();
            state.count("redeliveries", again as u64);
            let moved = std::mem::take(&mut state.input.moved);
            state.count("dead_letters", moved);
            batch
        };
        if batch.is_empty() {
            let wait_ms = world.state().rng.u64(100..2_000);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        } else {
            invoke(&world, &consumer, skew, &batch).await;
        }
    }
}

/// One invocation. It may be killed between any two steps.
async fn invoke(
    world: &World,
    consumer: &Consumer<SimStore, SimQueues, SkewedClock>,
    skew: TimeDelta,
    batch: &[Message],
) {
    let (end, kill_after_ms) = {
        let mut state = world.state();
        let killed = state.chances.killed;
        let is_killed = state.happens(killed);
        let kill_after_ms = if is_killed { state.rng.u64(..400) } else { u64::from(u32::MAX) };
        (state.now() + TIMEOUT + skew, kill_after_ms)
    };
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(record).collect();
    let handled = tokio::time::timeout(Duration::from_millis(kill_after_ms), handle(consumer, event, end)).await;
    let mut state = world.state();
    let Ok(handled) = handled else {
        state.count("killed", 1);
        return;
    };
    let (response, _) = handled.unwrap();
    let failed: Vec<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    let now = state.now();
    for message in batch.iter().filter(|message| !failed.contains(&message.id.as_str())) {
        state.count("outlived", u64::from(message.visible_at <= now));
        let is_deleted = state.input.delete(&message.id, message.receipt);
        let attempt = oracle::read(message.body.as_bytes()).ok().filter(|_| is_deleted && state.tables.repeated == 0);
        if let Some(oracle::Attempt { id, customer_id, .. }) = attempt {
            state.tables.deleted.insert(EventKey { customer_id, event_id: id }, now);
        }
    }
}

fn record(message: &Message) -> SqsMessage {
    let mut record = crate::consumer::world::raw(&message.id, &message.group, &message.body);
    record = crate::consumer::world::received(record, message.receive_count);
    record.attributes.insert("MessageDeduplicationId".to_owned(), message.deduplication_id.clone());
    record
}
