//! Everything that a run consists of, and what chance has in store for it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::deciding::Clock;
use loadgate::domain::{EventKey, parse_time};
use siphasher::sip::SipHasher13;
use tokio::time::Instant;

use super::ports::{DecisionsQueue, Which};
use super::queue::{Fifo, Message, New};
use super::store::Tables;
use crate::support::oracle;

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
    /// A stored decision waits for the commit of what stands behind it.
    StoredWaits,
}

impl Sabotage {
    /// Makes more likely what brings a defect to light that shows seldom.
    fn provoke(self, mut chances: Chances, mut trouble: Trouble) -> (Chances, Trouble) {
        if self == Sabotage::StoredWaits {
            chances.killed = 250;
            trouble.refused_until = beginning() + TimeDelta::minutes(10);
            trouble.refused_events.0 = 2;
        }
        (chances, trouble)
    }
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
    pub slow_apply: u32,
    pub refused: u32,
    pub refused_whole: u32,
    pub killed: u32,
    pub duplicate: u32,
    pub resent: u32,
    pub invalid: u32,
}

/// The first customer's own trouble.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Until when DynamoDB refuses its writes: for so long that messages are given up.
    pub refused_until: DateTime<Utc>,
    /// Of its events, writes of those are refused whose id leaves this remainder when divided by this number.
    pub refused_events: (u32, u32),
    /// When requests with it in them have no answer.
    pub hangs: (DateTime<Utc>, DateTime<Utc>),
    /// Whether nothing else goes wrong: then nobody else notices.
    pub is_alone: bool,
}

/// The customer that trouble is made for.
pub const FAILING: &str = "c0";

/// How long the client waits for a request, with all its repetitions.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that may happen, and is counted.
pub const HAPPENINGS: [&str; 30] = [
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
    "half_applied",
    "deleted",
    "hung",
];

/// How often what has happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// A source of chance for one step of an actor.
pub struct Chance {
    rng: Rng,
    /// The actor's own milliseconds: those that leave this remainder when divided by [`SLOTS`].
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

/// How many actors there may be.
const SLOTS: u64 = 8;

fn slot(actor: &str) -> u64 {
    match actor {
        "producer" => 0,
        "operator" => 1,
        "replay" => 2,
        _ => 3 + actor.rsplit(' ').next().unwrap().parse::<u64>().unwrap(),
    }
}

/// A run's simulation.
pub struct Simulation(Mutex<State>);

pub struct State {
    seed: u64,
    /// How often which chance has been drawn.
    draws: BTreeMap<(String, String), u64>,
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
    /// When a read showed a customer's usage of before a transaction that was still being applied.
    pub half_applied: BTreeMap<String, Vec<DateTime<Utc>>>,
    pub decisions: DecisionsQueue,
    /// Events that were stored, and neither published nor marked by a delivery that nothing kept from it.
    pub neglected: BTreeSet<EventKey>,
    /// Which message of the producer each message is, by its id: a redrive gives it another one.
    pub origins: BTreeMap<String, String>,
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
    pub trouble: Trouble,
    /// Which of these TTL does at most, from 0: deletes at once, late, or never.
    pub deletes: usize,
    /// How far the calendar has jumped.
    pub jumped: TimeDelta,
}

fn beginning() -> DateTime<Utc> {
    parse_time("2026-01-05T10:00:00Z").unwrap()
}

impl Simulation {
    pub fn new(seed: u64, sabotage: Sabotage) -> Arc<Simulation> {
        let mut rng = Rng::with_seed(seed);
        // Every eighth run is one in which nothing goes wrong, or nothing but one customer's trouble.
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
        let (customers, consumers) = (rng.u32(1..6), rng.usize(1..4));
        let trouble = Trouble::draw(&mut rng, most == 0);
        let correlation_ttl = TimeDelta::hours([24, 360][rng.usize(..2)]);
        let visibility = TimeDelta::seconds([5, 20, 60][rng.usize(..3)]);
        let input = Fifo::new("message", Some(rng.u32(3..6)), visibility);
        let dead = Fifo::new("letter", None, TimeDelta::seconds(30));
        let (redrive_keeps_id, deletes) = (rng.bool(), rng.usize(..3));
        let (chances, trouble) = sabotage.provoke(chances, trouble);
        Simulation(Mutex::new(State {
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
            redriven_natively: BTreeMap::new(),
            given_up: BTreeMap::new(),
            disordered: BTreeSet::new(),
            half_applied: BTreeMap::new(),
            decisions: DecisionsQueue::default(),
            neglected: BTreeSet::new(),
            origins: BTreeMap::new(),
            violation: None,
            trace: std::env::var("SIM_TRACE").ok(),
            tables: Tables::default(),
            begun: Instant::now(),
            beginning: beginning(),
            customers,
            consumers,
            correlation_ttl,
            trouble,
            deletes,
            jumped: TimeDelta::zero(),
        }))
        .into()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Waits as long as a request takes.
    pub async fn delay(&self, rng: &mut Chance) {
        let delay_ms = {
            let mut state = self.state();
            let slow = state.chances.slow;
            if state.happens(rng, slow) {
                state.count("slow", 1);
                // Longer than a customer may take, and at times longer than the visibility time-out.
                rng.u64(500..40_000)
            } else {
                rng.u64(1..30)
            }
        };
        self.pause(rng, delay_ms).await;
    }

    /// Waits, and a few milliseconds more: no two actors do anything in the same millisecond, so that nothing depends on which
    /// of them is asked first.
    pub async fn pause(&self, rng: &Chance, time_ms: u64) {
        let elapsed_ms = u64::try_from(self.state().begun.elapsed().as_millis()).unwrap() + time_ms;
        let more_ms = (rng.slot + SLOTS - elapsed_ms % SLOTS) % SLOTS;
        tokio::time::sleep(Duration::from_millis(time_ms + more_ms)).await;
    }

    /// Whether a request has no answer, because of one of its customers. Then it is waited for as long as a client does.
    pub async fn hangs(&self, rng: &mut Chance, customers: &[&str]) -> bool {
        {
            let mut state = self.state();
            let (from, until) = state.trouble.hangs;
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

impl Trouble {
    fn draw(rng: &mut Rng, is_quiet: bool) -> Trouble {
        let begun = beginning();
        let minutes = |rng: &mut Rng, odds| if rng.u32(..odds) == 0 { rng.i64(2..20) } else { 0 };
        let refused_for = minutes(rng, if is_quiet { 2 } else { 3 });
        let hangs_for = minutes(rng, if is_quiet { 2 } else { 6 });
        let modulus = [1, 2, 2, 3][rng.usize(..4)];
        let hangs_from = begun + TimeDelta::seconds(rng.i64(0..60));
        Trouble {
            refused_until: begun + TimeDelta::minutes(refused_for),
            refused_events: (modulus, rng.u32(..modulus)),
            hangs: (hangs_from, hangs_from + TimeDelta::minutes(hangs_for)),
            is_alone: is_quiet && refused_for + hangs_for > 0,
        }
    }
}

impl State {
    /// A source of chance for one request, or one step, of somebody. It depends on who and what it is for, and on how often
    /// that was asked before; not on what others do meanwhile. So a change elsewhere in the program does not turn one seed's
    /// run into another's.
    pub fn draw(&mut self, actor: &str, what: &str) -> Chance {
        let nth = self.draws.entry((actor.to_owned(), what.to_owned())).or_default();
        *nth += 1;
        let mut hasher = SipHasher13::new_with_keys(self.seed, *nth);
        (actor, what).hash(&mut hasher);
        Chance { rng: Rng::with_seed(hasher.finish()), slot: slot(actor) }
    }

    /// Whether something with this chance happens now.
    pub fn happens(&self, rng: &mut Chance, chance: u32) -> bool {
        rng.u32(..1000) < chance && self.is_faulty
    }

    /// Whether DynamoDB refuses every write of an event's record at the moment.
    pub fn refuses(&self, key: &EventKey) -> bool {
        let (modulus, remainder) = self.trouble.refused_events;
        let is_meant = key.event_id.parse().map_or(true, |id: u32| id % modulus == remainder);
        self.is_faulty && key.customer_id == FAILING && is_meant && self.now() < self.trouble.refused_until
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

    /// Where nothing goes wrong but for one customer, no message of another fails.
    pub fn watch_failures(&mut self, batch: &[Message], failed: &[&str]) {
        let others = batch.iter().filter(|message| message.group != FAILING && failed.contains(&message.id.as_str()));
        let others: Vec<&Message> = others.collect();
        if self.trouble.is_alone && !others.is_empty() {
            self.violation(format!("failed though only {FAILING} is in trouble: {others:?}"));
        }
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
            let new = New {
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

    /// Puts a message on the input queue. Says whether it is taken for new.
    pub fn send(&mut self, new: New, origin: Option<String>) -> bool {
        let now = self.now();
        let id = self.input.send(new, now);
        if let (Some(id), Some(origin)) = (&id, origin) {
            self.origins.insert(id.clone(), origin);
        }
        id.is_some()
    }

    /// The true time.
    pub fn now(&self) -> DateTime<Utc> {
        self.beginning + self.begun.elapsed() + self.jumped
    }
}

/// The event that a message's body asks for.
pub fn event_of(body: &str) -> Option<EventKey> {
    let oracle::Attempt { id, customer_id, .. } = oracle::read(body.as_bytes()).ok()?;
    Some(EventKey { customer_id, event_id: id })
}

/// A consumer's clock, which is a little wrong.
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
