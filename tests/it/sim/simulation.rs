//! State of one run, and the random faults that it meets.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::deciding::{Clock, DecisionLog};
use loadgate::domain::{EventKey, parse_time};
use siphasher::sip::SipHasher13;
use tokio::time::Instant;

use super::limits::OwnLimitStore;
use super::log;
use super::ports::{DecisionsQueue, Source};
use super::queue::{Fifo, Message, NewMessage};
use super::sabotage::Sabotage;
use super::setting::Setting;
use super::store::Tables;
use crate::support::oracle;

/// Chance of each fault, in thousandths.
#[derive(Clone, Debug, Default)]
pub struct Chances {
    pub throttled: u32,
    pub conflict: u32,
    pub lost_before: u32,
    pub lost_after: u32,
    pub stale_read: u32,
    pub slow: u32,
    pub slow_apply: u32,
    pub refused: u32,
    pub refused_whole: u32,
    pub killed: u32,
    pub duplicate: u32,
    pub resent: u32,
    pub invalid: u32,
}

/// Faults that only the first customer has.
#[derive(Clone, Debug)]
pub struct CustomerFaults {
    /// Time until which DynamoDB refuses its writes. It can be so late that messages are given up.
    pub refused_until: DateTime<Utc>,
    /// Divisor and remainder: writes are refused for the events whose id, divided by the divisor, leaves the
    /// remainder.
    pub refused_events: (u32, u32),
    /// Beginning and end of the time in which requests that include this customer get no answer.
    pub hangs: (DateTime<Utc>, DateTime<Utc>),
    /// True if nothing else goes wrong. Then no other customer may be affected.
    pub is_alone: bool,
}

/// The customer with faults of its own.
pub const FAILING: &str = "c0";

/// Maximum time for which the client waits for a request, including all its retries.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Names of everything that is counted. A long test fails if one of them never happens.
pub const COUNTERS: [&str; 45] = [
    "events",
    "duplicates",
    "altered",
    "invalid",
    "throttled",
    "conflicts",
    "lost_before",
    "lost_after",
    "stale_reads",
    "slow",
    "refused",
    "killed",
    "expired_receipts",
    "redeliveries",
    "dead_letters",
    "redriven",
    "expired",
    "publication_changes",
    "deduplicated",
    "extended",
    "worker_lives",
    "worker_kills",
    "returned",
    "redrives",
    "redrive_kills",
    "sent_back",
    "archived",
    "half_applied",
    "deleted",
    "hung",
    "long_runs",
    "limit_changes",
    "link_changes",
    "unaware",
    "late_loads",
    "old_rows",
    "trimmed",
    "fenced_conflicts",
    "zombies",
    "kept_totals",
    "long_declines",
    "overlaps",
    "log_entries",
    "log_again",
    "log_left_out",
];

/// Number of times that each thing has happened, by its name.
pub type Counts = BTreeMap<&'static str, u64>;

/// Random numbers for one step of an actor.
pub struct Chance {
    rng: Rng,
    /// Remainder that the actor's own milliseconds leave when divided by [`SLOTS`].
    slot: u64,
}

impl Deref for Chance {
    type Target = Rng;

    fn deref(&self) -> &Rng {
        &self.rng
    }
}

impl DerefMut for Chance {
    fn deref_mut(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

/// Maximum number of actors.
const SLOTS: u64 = 8;

fn slot(actor: &str) -> u64 {
    match actor {
        "producer" => 0,
        "operator" => 1,
        "replay" => 2,
        "limits" => 6,
        "second replay" => 7,
        _ => 3 + actor.rsplit(' ').next().unwrap().parse::<u64>().unwrap(),
    }
}

/// Shared state of a run.
pub struct Simulation(Mutex<State>);

pub struct State {
    seed: u64,
    /// Number of draws so far, by actor and purpose.
    draws: BTreeMap<(String, String), u64>,
    pub chances: Chances,
    /// False once faults have stopped.
    pub is_faulty: bool,
    pub sabotage: Sabotage,
    pub counts: Counts,
    pub input: Fifo,
    /// The dead-letter queue.
    pub dead: Fifo,
    /// Bodies of invalid dead letters that a redrive has archived.
    pub archive: Vec<String>,
    /// True if a redrive by SQS keeps the deduplication id that the move into the dead-letter queue has set.
    pub redrive_keeps_id: bool,
    /// Number of redrives by SQS of each event's messages, and time of the last one.
    pub redriven_by_sqs: BTreeMap<EventKey, (u32, DateTime<Utc>)>,
    /// Number of times that each event's messages were given up.
    pub given_up: BTreeMap<EventKey, u32>,
    /// Customers whose order is lost, because one of their messages was in the dead-letter queue.
    pub disordered: BTreeSet<String>,
    /// Times of the reads that returned a customer's usage from before a transaction that was still being applied.
    pub half_applied: BTreeMap<String, Vec<DateTime<Utc>>>,
    pub decisions: DecisionsQueue,
    /// Events that were stored, and that a delivery neither published nor set to pending although it could have.
    pub neglected: BTreeSet<EventKey>,
    /// Deduplication id of the producer's message, by the id of each message. A redrive gives a message a new id.
    pub origins: BTreeMap<String, String>,
    /// First violation that was detected during the run.
    pub violation: Option<String>,
    /// Text of `SIM_TRACE`. A line is printed only if it contains this text.
    trace_filter: Option<String>,
    pub tables: Tables,
    pub begun: Instant,
    beginning: DateTime<Utc>,
    /// Number of customers.
    pub customers: u32,
    /// Number of consumers that run at once: functions and workers.
    pub consumers: usize,
    pub correlation_ttl: TimeDelta,
    pub customer_faults: CustomerFaults,
    /// Highest index that is used of the ways in which TTL deletes: at once, late, never.
    pub deletes: usize,
    /// Time by which the calendar has jumped forward.
    pub jumped: TimeDelta,
    /// Limits of the deployment, and what else a run with long limits needs.
    pub setting: Setting,
    /// The decision log; `None` in runs without one.
    pub log: Option<DecisionLog>,
    /// Customers' own limits.
    pub own_limits: OwnLimitStore,
    /// Error of each actor's clock.
    pub skews: BTreeMap<String, TimeDelta>,
    /// Number of commits that were sent and have neither taken effect nor failed.
    pub commits_in_flight: u32,
}

/// Returns the time at which every run begins.
pub fn beginning() -> DateTime<Utc> {
    parse_time("2026-01-05T10:00:00Z").unwrap()
}

impl Simulation {
    pub fn new(seed: u64, sabotage: Sabotage) -> Arc<Simulation> {
        let mut rng = Rng::with_seed(seed);
        // In every eighth run nothing goes wrong, or only one customer has faults.
        let most = if rng.u32(..8) == 0 { 0 } else { [20, 80, 250][rng.usize(..3)] };
        let chance = |rng: &mut Rng| if rng.bool() { rng.u32(..=most) } else { 0 };
        let chances = Chances {
            throttled: chance(&mut rng),
            conflict: chance(&mut rng),
            lost_before: chance(&mut rng),
            lost_after: chance(&mut rng),
            stale_read: chance(&mut rng) * 3,
            slow: chance(&mut rng) / 2,
            slow_apply: chance(&mut rng) * 4,
            refused: chance(&mut rng),
            refused_whole: chance(&mut rng),
            killed: chance(&mut rng),
            duplicate: rng.u32(..300),
            resent: rng.u32(..100),
            invalid: rng.u32(..100),
        };
        let setting = Setting::draw(seed, sabotage, most == 0);
        let (customers, consumers) = (rng.u32(1..6), rng.usize(1..4));
        let customers = customers.min(setting.customers_max);
        let customer_faults = CustomerFaults::draw(&mut rng, most == 0);
        let correlation_ttl = TimeDelta::hours([24, 360][rng.usize(..2)]);
        let visibility = TimeDelta::seconds([5, 20, 60][rng.usize(..3)]);
        let input = Fifo::new("message", Some(rng.u32(3..6)), visibility);
        let dead = Fifo::new("letter", None, TimeDelta::seconds(30));
        let (redrive_keeps_id, deletes) = (rng.bool(), rng.usize(..3));
        let (chances, customer_faults) = sabotage.provoke(chances, customer_faults);
        let simulation = Simulation(Mutex::new(State {
            seed,
            draws: BTreeMap::new(),
            chances,
            is_faulty: true,
            sabotage,
            counts: Counts::default(),
            input,
            dead,
            archive: vec![],
            redrive_keeps_id,
            redriven_by_sqs: BTreeMap::new(),
            given_up: BTreeMap::new(),
            disordered: BTreeSet::new(),
            half_applied: BTreeMap::new(),
            decisions: DecisionsQueue::default(),
            neglected: BTreeSet::new(),
            origins: BTreeMap::new(),
            violation: None,
            trace_filter: std::env::var("SIM_TRACE").ok(),
            tables: Tables::default(),
            begun: Instant::now(),
            beginning: beginning(),
            customers,
            consumers,
            correlation_ttl,
            customer_faults,
            deletes,
            jumped: TimeDelta::zero(),
            setting,
            log: None,
            own_limits: OwnLimitStore::default(),
            skews: BTreeMap::new(),
            commits_in_flight: 0,
        }));
        {
            let mut state = simulation.state();
            state.begin();
            state.log = log::begin(&mut state);
        }
        simulation.into()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Waits for the duration of one request.
    pub async fn delay(&self, rng: &mut Chance) {
        let delay_ms = {
            let mut state = self.state();
            let slow = state.chances.slow;
            if state.happens(rng, slow) {
                state.count("slow", 1);
                // Longer than the time limit for a customer, and sometimes longer than the visibility time-out.
                rng.u64(500..40_000)
            } else {
                rng.u64(1..30)
            }
        };
        self.pause(rng, delay_ms).await;
    }

    /// Waits for the given time and up to a few milliseconds more. No two actors act in the same millisecond, so the
    /// result does not depend on the order in which they are polled.
    pub async fn pause(&self, rng: &Chance, time_ms: u64) {
        let elapsed_ms = u64::try_from(self.state().begun.elapsed().as_millis()).unwrap() + time_ms;
        let more_ms = (rng.slot + SLOTS - elapsed_ms % SLOTS) % SLOTS;
        tokio::time::sleep(Duration::from_millis(time_ms + more_ms)).await;
    }

    /// Returns true if a request gets no answer because of one of its customers. Waits first, for at most as long as a
    /// client does.
    pub async fn hangs(&self, rng: &mut Chance, customers: &[&str]) -> bool {
        {
            let mut state = self.state();
            let (from, until) = state.customer_faults.hangs;
            let is_hanging = (from..until).contains(&state.now());
            if !state.is_faulty || !is_hanging || !customers.contains(&FAILING) {
                return false;
            }
            state.count("hung", 1);
        }
        let time_max_ms = u64::try_from(REQUEST_TIMEOUT.as_millis()).unwrap();
        let time_ms = rng.u64(1_000..=time_max_ms);
        self.pause(rng, time_ms).await;
        true
    }
}

impl CustomerFaults {
    fn draw(rng: &mut Rng, is_quiet: bool) -> CustomerFaults {
        let begun = beginning();
        let minutes = |rng: &mut Rng, odds| if rng.u32(..odds) == 0 { rng.i64(2..20) } else { 0 };
        let refused_for = minutes(rng, if is_quiet { 2 } else { 3 });
        let hangs_for = minutes(rng, if is_quiet { 2 } else { 6 });
        let modulus = [1, 2, 2, 3][rng.usize(..4)];
        let hangs_from = begun + TimeDelta::seconds(rng.i64(0..60));
        CustomerFaults {
            refused_until: begun + TimeDelta::minutes(refused_for),
            refused_events: (modulus, rng.u32(..modulus)),
            hangs: (hangs_from, hangs_from + TimeDelta::minutes(hangs_for)),
            is_alone: is_quiet && refused_for + hangs_for > 0,
        }
    }
}

impl State {
    /// Returns random numbers for one request or one step of an actor. They depend on the actor, on the purpose, and
    /// on the number of earlier draws for both. They do not depend on what other actors do meanwhile. So a change
    /// elsewhere in the program does not turn one seed's run into another's.
    pub fn draw(&mut self, actor: &str, purpose: &str) -> Chance {
        let nth = self.draws.entry((actor.to_owned(), purpose.to_owned())).or_default();
        *nth += 1;
        let mut hasher = SipHasher13::new_with_keys(self.seed, *nth);
        (actor, purpose).hash(&mut hasher);
        Chance { rng: Rng::with_seed(hasher.finish()), slot: slot(actor) }
    }

    /// Returns true if something with this chance happens now.
    pub fn happens(&self, rng: &mut Chance, chance: u32) -> bool {
        rng.u32(..1000) < chance && self.is_faulty
    }

    /// Returns true if DynamoDB currently refuses every write of an event's record.
    pub fn refuses(&self, key: &EventKey) -> bool {
        let (modulus, remainder) = self.customer_faults.refused_events;
        let is_selected = key.event_id.parse().map_or(true, |id: u32| id % modulus == remainder);
        self.is_faulty && key.customer_id == FAILING && is_selected && self.now() < self.customer_faults.refused_until
    }

    /// Adds to a counter.
    pub fn count(&mut self, name: &'static str, times: u64) {
        assert!(COUNTERS.contains(&name));
        *self.counts.entry(name).or_default() += times;
    }

    /// Returns the value of a counter.
    pub fn counted(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Prints a line if it contains the text of `SIM_TRACE`, such as an event, a message or a customer.
    #[allow(clippy::print_stdout)]
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(wanted) = &self.trace_filter {
            let line = line();
            if line.contains(wanted) {
                println!("{} {line}", self.now().format("%d %H:%M:%S%.3f"));
            }
        }
    }

    /// Records a violation, unless an earlier one is recorded.
    pub fn violation(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    pub fn queue(&mut self, source: Source) -> &mut Fifo {
        match source {
            Source::Input => &mut self.input,
            Source::DeadLetters => &mut self.dead,
        }
    }

    /// Returns true if a queue has a visible message.
    pub fn has_visible(&mut self, source: Source) -> bool {
        let now = self.now();
        self.queue(source).messages.iter().any(|message| message.visible_at <= now)
    }

    /// Receives messages. Those that were received too often go to the dead-letter queue.
    pub fn receive(&mut self, source: Source, max: usize, visibility: Option<TimeDelta>) -> Vec<Message> {
        let now = self.now();
        let received = self.queue(source).receive(now, max, visibility);
        self.count("dead_letters", received.dead.len() as u64);
        for message in &received.messages {
            self.trace(|| format!("received from {source:?}: {message:?}"));
        }
        for dead in received.dead {
            self.trace(|| format!("given up: {dead:?}"));
            if let Some(event) = event_of(&dead.body) {
                *self.given_up.entry(event).or_default() += 1;
            }
            self.disordered.insert(dead.group.clone());
            self.dead.move_in(dead);
        }
        let deleting = match source {
            Source::Input => Sabotage::DeletedOnReceipt,
            Source::DeadLetters => Sabotage::DeadLettersDeletedOnReceipt,
        };
        if self.sabotage == deleting {
            for message in &received.messages {
                self.queue(source).delete(message.receipt, now);
            }
        }
        if source == Source::Input {
            let again = received.messages.iter().filter(|message| message.receive_count > 1).count();
            self.count("redeliveries", again as u64);
        }
        received.messages
    }

    /// Deletes a message and notes the time for its event. Returns false if the receipt is no longer valid.
    pub fn delete(&mut self, source: Source, receipt: u64) -> bool {
        let now = self.now();
        let Some(message) = self.queue(source).delete(receipt, now) else {
            self.count("expired_receipts", 1);
            return false;
        };
        self.trace(|| format!("deleted from {source:?}: {message:?}"));
        self.check_deleted(&message);
        if let Some(event) = event_of(&message.body).filter(|_| self.tables.repeated == 0) {
            self.tables.deleted.insert(event, now);
        }
        true
    }

    /// Checks that no other message fails in a run in which only one customer has faults.
    pub fn check_failures(&mut self, batch: &[Message], failed: &[&str]) {
        let others = batch.iter().filter(|message| message.group != FAILING && failed.contains(&message.id.as_str()));
        let others: Vec<&Message> = others.collect();
        if self.customer_faults.is_alone && !others.is_empty() {
            self.violation(format!("failed though only {FAILING} has faults: {others:?}"));
        }
    }

    /// Moves all messages back from the dead-letter queue, as a redrive by SQS does: under new ids, invalid ones too.
    pub fn redrive_by_sqs(&mut self) {
        let now = self.now();
        let visible = self.dead.receive(now, usize::MAX, None).messages;
        self.count("redriven", visible.len() as u64);
        for letter in visible {
            self.trace(|| format!("redriven by SQS: {letter:?}"));
            self.dead.delete(letter.receipt, now);
            self.disordered.insert(letter.group.clone());
            if let Some(event) = event_of(&letter.body) {
                let (count, last) = self.redriven_by_sqs.entry(event).or_default();
                (*count, *last) = (*count + 1, now);
            }
            let kept = Some(letter.deduplication_id).filter(|_| self.redrive_keeps_id);
            let deduplication_id = kept.unwrap_or_else(|| format!("redrive's {} at {now}", letter.id));
            let new = NewMessage {
                deduplication_id,
                group: letter.group,
                body: letter.body,
                code: None,
                attributes: letter.attributes,
            };
            let origin = self.origins.get(&letter.id).cloned();
            self.send(new, origin);
        }
    }

    /// Puts a message on the input queue. Returns false if the queue drops it as a duplicate.
    pub fn send(&mut self, new: NewMessage, origin: Option<String>) -> bool {
        let now = self.now();
        let id = self.input.send(new, now);
        if let (Some(id), Some(origin)) = (&id, origin) {
            self.origins.insert(id.clone(), origin);
        }
        id.is_some()
    }

    /// Returns the true time.
    pub fn now(&self) -> DateTime<Utc> {
        self.beginning + self.begun.elapsed() + self.jumped
    }
}

/// Returns the event in a message's body, or `None` if the body is invalid.
pub fn event_of(body: &str) -> Option<EventKey> {
    let oracle::Attempt { id, customer_id, .. } = oracle::read(body.as_bytes()).ok()?;
    Some(EventKey { customer_id, event_id: id })
}

/// A consumer's clock. It is slightly wrong.
#[derive(Clone)]
pub struct SkewedClock {
    pub simulation: Arc<Simulation>,
    pub skew: TimeDelta,
}

impl Clock for SkewedClock {
    fn now(&self) -> DateTime<Utc> {
        self.simulation.state().now() + self.skew
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
