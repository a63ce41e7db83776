//! Everything that a run consists of, and what chance has in store for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::app::Clock;
use loadgate::domain::{EventKey, parse_time};
use tokio::time::Instant;

use super::ports::{DecisionsQueue, Which};
use super::queue::{Fifo, Message, New};
use super::store::Tables;
use crate::oracle;

/// A mechanism that is broken on purpose, to see that it is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// A commit is made though an event has a record.
    NoRecordCondition,
    /// A commit is made though a row has changed.
    NoRowCondition,
    /// Expired records are taken for records in force.
    NoExpiry,
    /// No message is recognised as the one that brought a record.
    RedeliveryIgnored,
    /// Marks are not written.
    NoMark,
    /// A refused decision is taken for a published one.
    NoStop,
    /// Of a commit only the records are written.
    TornCommit,
    /// A customer's next decision is published before the one before it is confirmed, and what is refused is offered again.
    ImpatientPublishing,
    /// A commit that conflicts is made again as it is, without end.
    EndlessRetry,
    /// Messages are deleted as soon as they are received.
    DeletedOnReceipt,
    /// A redrive deletes letters before anything has come of them.
    LettersDeletedOnReceipt,
    /// What an accepted load is committed by is the usage row alone.
    OneWriteAccept,
}

/// How likely what is, in thousandths of all times that it could happen.
#[derive(Clone, Debug, Default)]
pub struct Chances {
    pub throttled: u32,
    pub conflict: u32,
    pub lost_before: u32,
    pub lost_after: u32,
    pub stale_read: u32,
    pub slow: u32,
    pub refused: u32,
    pub refused_whole: u32,
    pub killed: u32,
    pub duplicate: u32,
    pub resent: u32,
    pub invalid: u32,
}

/// Everything that may happen, and is counted.
pub const HAPPENINGS: [&str; 27] = [
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
    "outlived",
    "redeliveries",
    "dead_letters",
    "redriven",
    "expired",
    "marks",
    "deduplicated",
    "extended",
    "worker_lives",
    "worker_kills",
    "given_back",
    "redrives",
    "redrive_kills",
    "sent_back",
    "archived",
];

/// How often what has happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// A run's world.
pub struct World(Mutex<State>);

pub struct State {
    pub rng: Rng,
    pub chances: Chances,
    /// While false, nothing goes wrong any more.
    pub is_faulty: bool,
    pub sabotage: Sabotage,
    pub counts: Counts,
    pub input: Fifo,
    /// The dead-letter queue.
    pub dead: Fifo,
    /// Invalid letters that a redrive has taken out.
    pub archive: Vec<String>,
    /// Whether a redrive of SQS keeps the deduplication id that the move into the dead-letter queue has made.
    pub redrive_keeps_id: bool,
    /// How often an event's message was redriven by SQS, and when last.
    pub redriven_natively: BTreeMap<EventKey, (u32, DateTime<Utc>)>,
    /// How often an event's messages were given up.
    pub given_up: BTreeMap<EventKey, u32>,
    /// Customers of whom a message has lost its place by way of the dead-letter queue.
    pub disordered: BTreeSet<String>,
    pub decisions: DecisionsQueue,
    /// What was seen to go wrong while it went wrong.
    pub violation: Option<String>,
    trace: Option<String>,
    pub tables: Tables,
    pub begun: Instant,
    beginning: DateTime<Utc>,
    /// How many customers there are.
    pub customers: u32,
    /// How many functions run at once.
    pub consumers: usize,
    pub correlation_ttl: TimeDelta,
    /// Until when DynamoDB refuses every commit of the first customer: for so long that messages are given up.
    pub refused_until: DateTime<Utc>,
    /// How far the calendar has jumped.
    pub jumped: TimeDelta,
}

fn beginning() -> DateTime<Utc> {
    parse_time("2026-01-05T10:00:00Z").unwrap()
}

impl World {
    pub fn new(seed: u64, sabotage: Sabotage) -> Arc<World> {
        let mut rng = Rng::with_seed(seed);
        // Every eighth run is one in which nothing goes wrong.
        let most = if rng.u32(..8) == 0 { 0 } else { [20, 80, 250][rng.usize(..3)] };
        let chance = |rng: &mut Rng| if rng.bool() { rng.u32(..=most) } else { 0 };
        let chances = Chances {
            throttled: chance(&mut rng),
            conflict: chance(&mut rng),
            lost_before: chance(&mut rng),
            lost_after: chance(&mut rng),
            stale_read: chance(&mut rng),
            slow: chance(&mut rng) / 2,
            refused: chance(&mut rng),
            refused_whole: chance(&mut rng),
            killed: chance(&mut rng),
            duplicate: rng.u32(..300),
            resent: rng.u32(..100),
            invalid: rng.u32(..100),
        };
        let (customers, consumers) = (rng.u32(1..6), rng.usize(1..4));
        let refused_for = TimeDelta::minutes(if most > 0 && rng.u32(..5) == 0 { rng.i64(2..20) } else { 0 });
        let correlation_ttl = TimeDelta::hours(24);
        let visibility = TimeDelta::seconds([5, 20, 60][rng.usize(..3)]);
        let input = Fifo::new("message", Some(rng.u32(3..6)), visibility);
        let dead = Fifo::new("letter", None, TimeDelta::seconds(30));
        let redrive_keeps_id = rng.bool();
        World(Mutex::new(State {
            rng,
            chances,
            is_faulty: true,
            sabotage,
            counts: Counts::default(),
            input,
            dead,
            archive: vec![],
            redrive_keeps_id,
            redriven_natively: BTreeMap::new(),
            given_up: BTreeMap::new(),
            disordered: BTreeSet::new(),
            decisions: DecisionsQueue::default(),
            violation: None,
            trace: std::env::var("SIM_TRACE").ok(),
            tables: Tables::default(),
            begun: Instant::now(),
            beginning: beginning(),
            customers,
            consumers,
            correlation_ttl,
            refused_until: beginning() + refused_for,
            jumped: TimeDelta::zero(),
        }))
        .into()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Waits as long as a request takes.
    pub async fn delay(&self) {
        let delay_ms = {
            let mut state = self.state();
            let (slow, rng_ms) = (state.chances.slow, state.rng.u64(1..30));
            if state.happens(slow) {
                state.count("slow", 1);
                // Longer than a customer may take, and at times longer than the visibility time-out.
                state.rng.u64(500..40_000)
            } else {
                rng_ms
            }
        };
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
}

impl State {
    /// Whether something with this chance happens now.
    pub fn happens(&mut self, chance: u32) -> bool {
        self.is_faulty && self.rng.u32(..1000) < chance
    }

    /// Counts something that has happened so many times.
    pub fn count(&mut self, what: &'static str, times: u64) {
        assert!(HAPPENINGS.contains(&what));
        *self.counts.entry(what).or_default() += times;
    }

    /// How often something has happened.
    pub fn counted(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Tells what happens, when `SIM_TRACE` is set to a part of it: an event, a message, a customer.
    #[allow(clippy::print_stdout)]
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if let Some(wanted) = &self.trace {
            let what = what();
            if what.contains(wanted) {
                println!("{} {what}", self.now().format("%d %H:%M:%S%.3f"));
            }
        }
    }

    /// Writes down that something is wrong, unless something is already.
    pub fn violation(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub fn queue(&mut self, which: Which) -> &mut Fifo {
        match which {
            Which::Input => &mut self.input,
            Which::DeadLetters => &mut self.dead,
        }
    }

    /// Whether there is something that could be given out.
    pub fn has_visible(&mut self, which: Which) -> bool {
        let now = self.now();
        self.queue(which).messages.iter().any(|message| message.visible_at <= now)
    }

    /// Gives out messages; what was received too often goes to the dead-letter queue.
    pub fn receive(&mut self, which: Which, max: usize, visibility: Option<TimeDelta>) -> Vec<Message> {
        let now = self.now();
        let taken = self.queue(which).receive(now, max, visibility);
        self.count("dead_letters", taken.dead.len() as u64);
        for message in &taken.messages {
            self.tell(|| format!("{which:?} gives out {message:?}"));
        }
        for dead in taken.dead {
            self.tell(|| format!("dead: {dead:?}"));
            if let Some(event) = event_of(&dead.body) {
                *self.given_up.entry(event).or_default() += 1;
            }
            self.disordered.insert(dead.group.clone());
            self.dead.take_in(dead);
        }
        let deleting = match which {
            Which::Input => Sabotage::DeletedOnReceipt,
            Which::DeadLetters => Sabotage::LettersDeletedOnReceipt,
        };
        if self.sabotage == deleting {
            for message in &taken.messages {
                self.queue(which).delete(message.receipt, now);
            }
        }
        if which == Which::Input {
            let again = taken.messages.iter().filter(|message| message.receive_count > 1).count();
            self.count("redeliveries", again as u64);
        }
        taken.messages
    }

    /// Deletes a message; says whether it could. An attempt's last message is written down.
    pub fn delete(&mut self, which: Which, receipt: u64) -> bool {
        let now = self.now();
        let Some(message) = self.queue(which).delete(receipt, now) else {
            self.count("outlived", 1);
            return false;
        };
        self.tell(|| format!("deleted from {which:?}: {message:?}"));
        if let Some(event) = event_of(&message.body).filter(|_| self.tables.repeated == 0) {
            self.tables.deleted.insert(event, now);
        }
        true
    }

    /// Moves everything back from the dead-letter queue, as SQS does it: under new ids, invalid or not.
    pub fn redrive_natively(&mut self) {
        let now = self.now();
        let visible = self.dead.receive(now, usize::MAX, None).messages;
        self.count("redriven", visible.len() as u64);
        for letter in visible {
            self.tell(|| format!("redriven natively: {letter:?}"));
            self.dead.delete(letter.receipt, now);
            self.disordered.insert(letter.group.clone());
            if let Some(event) = event_of(&letter.body) {
                let (count, last) = self.redriven_natively.entry(event).or_default();
                (*count, *last) = (*count + 1, now);
            }
            let kept = Some(letter.deduplication_id).filter(|_| self.redrive_keeps_id);
            let deduplication_id = kept.unwrap_or_else(|| format!("redrive's {} at {now}", letter.id));
            let new = New { deduplication_id, group: letter.group, body: letter.body, code: None };
            self.input.send(new, now);
        }
    }

    /// The true time.
    pub fn now(&self) -> DateTime<Utc> {
        self.beginning + self.begun.elapsed() + self.jumped
    }
}

fn event_of(body: &str) -> Option<EventKey> {
    let oracle::Attempt { id, customer_id, .. } = oracle::read(body.as_bytes()).ok()?;
    Some(EventKey { customer_id, event_id: id })
}

/// A consumer's clock, which is a little wrong.
#[derive(Clone)]
pub struct SkewedClock {
    pub world: Arc<World>,
    pub skew: TimeDelta,
}

impl Clock for SkewedClock {
    fn now(&self) -> DateTime<Utc> {
        self.world.state().now() + self.skew
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
