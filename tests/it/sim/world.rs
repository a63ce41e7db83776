//! Everything that a run consists of, and what chance has in store for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::app::Clock;
use loadgate::domain::parse_time;
use tokio::time::Instant;

use super::queue::{DecisionsQueue, InputQueue};
use super::store::Tables;

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
    pub invalid: u32,
}

/// Everything that may happen, and is counted.
pub const HAPPENINGS: [&str; 17] = [
    "events",
    "duplicates",
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
    pub input: InputQueue,
    pub decisions: DecisionsQueue,
    pub tables: Tables,
    pub begun: Instant,
    /// How many customers there are.
    pub customers: u32,
    /// How many functions run at once.
    pub consumers: usize,
    pub correlation_ttl: TimeDelta,
    /// How far the calendar has jumped.
    pub jumped: TimeDelta,
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
            invalid: rng.u32(..100),
        };
        let (customers, consumers) = (rng.u32(1..6), rng.usize(1..4));
        let correlation_ttl = TimeDelta::hours(24);
        let visibility = TimeDelta::seconds([5, 20, 60][rng.usize(..3)]);
        let input = InputQueue::new(rng.u32(3..6), visibility, rng.bool());
        World(Mutex::new(State {
            rng,
            chances,
            is_faulty: true,
            sabotage,
            counts: Counts::default(),
            input,
            decisions: DecisionsQueue::default(),
            tables: Tables::default(),
            begun: Instant::now(),
            customers,
            consumers,
            correlation_ttl,
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

    /// The true time.
    pub fn now(&self) -> DateTime<Utc> {
        parse_time("2026-01-05T10:00:00Z").unwrap() + self.begun.elapsed() + self.jumped
    }
}

/// A consumer's clock, which is a little wrong.
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
