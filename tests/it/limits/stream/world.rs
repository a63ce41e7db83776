//! A store and a queue that fail on demand, in tokio's time, and Kinesis events.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Cause, Clock, QueueError, StoreError};
use loadgate::domain::Currency;
use loadgate::limits::{
    ChangePage, LimitApplier, LimitConsumer, LimitLetter, LimitLetters, LimitPointer, LimitStore, LimitWrite,
    ReportedLimit, StoredLimit,
};

use crate::limits::store::NOW_MS;
use crate::support::stores::forward_store;

/// A clock of tokio's time, which tests pause.
#[derive(Clone, Copy)]
pub struct PausedClock(tokio::time::Instant);

impl PausedClock {
    pub fn new() -> PausedClock {
        PausedClock(tokio::time::Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(NOW_MS).unwrap() + TimeDelta::from_std(self.0.elapsed()).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// What the requests for a customer meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Throttled,
    Hangs,
    Corrupt,
    /// The table must not be used.
    Refused,
}

/// A store that fails on demand. Clones share it.
#[derive(Clone)]
pub struct TroubledStore {
    pub inner: MemoryStore,
    pub troubles: Arc<Mutex<BTreeMap<String, Trouble>>>,
    /// Random lost requests, lost answers and throttles: the generator, and the frequency of each in a hundred requests.
    pub chance: Arc<Mutex<(Rng, u8)>>,
    /// Number of requests that met trouble.
    pub met: Arc<AtomicU64>,
    /// Duration of a request.
    pub request_time: Duration,
}

impl TroubledStore {
    fn chance(&self) -> bool {
        let (rng, percent) = &mut *self.chance.lock().unwrap();
        rng.u8(0..100) < *percent
    }

    async fn meet(&self, user_id: &str) -> Result<(), StoreError> {
        tokio::time::sleep(self.request_time).await;
        let trouble = self.troubles.lock().unwrap().get(user_id).copied();
        self.met.fetch_add(u64::from(trouble.is_some()), Relaxed);
        match trouble {
            None => Ok(()),
            Some(Trouble::Throttled) => Err(StoreError::Throttled(Cause::new("no capacity"))),
            Some(Trouble::Corrupt) => Err(StoreError::Corrupt(Cause::new("the item is corrupt"))),
            Some(Trouble::Refused) => Err(StoreError::Misconfigured(Cause::new("access is denied"))),
            Some(Trouble::Hangs) => std::future::pending().await,
        }
    }
}

impl LimitStore for TroubledStore {
    async fn read(&self, limit_id: &str, user_id: &str) -> Result<StoredLimit, StoreError> {
        self.meet(user_id).await?;
        if self.chance() {
            return Err(StoreError::Throttled(Cause::new("no capacity")));
        }
        LimitStore::read(&self.inner, limit_id, user_id).await
    }

    async fn read_pointer(&self, limit_id: &str) -> Result<Option<LimitPointer>, StoreError> {
        self.inner.read_pointer(limit_id).await
    }

    async fn write(&self, write: &LimitWrite) -> Result<(), StoreError> {
        let lost = || Err(StoreError::Unavailable(Cause::new("no answer")));
        if self.chance() {
            return lost();
        }
        let written = self.inner.write(write).await;
        // The answer takes its time, too: a kill may come between the write and its answer.
        tokio::time::sleep(self.request_time).await;
        if self.chance() { lost() } else { written }
    }

    async fn read_limits(&self, user_id: &str) -> Result<Vec<ReportedLimit>, StoreError> {
        self.meet(user_id).await?;
        self.inner.read_limits(user_id).await
    }

    async fn read_changes(&self, limit_id: &str, after: Option<u64>, max: u16) -> Result<ChangePage, StoreError> {
        self.inner.read_changes(limit_id, after, max).await
    }
}

forward_store!(TroubledStore, |troubled| &troubled.inner);

/// A letter, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub code: String,
    pub data: Vec<u8>,
    pub attributes: BTreeMap<&'static str, String>,
}

/// A queue that records all letters. Clones share it.
#[derive(Clone, Default)]
pub struct FakeLetters {
    sent: Arc<Mutex<Vec<Sent>>>,
    /// Number of letters that the queue takes before it fails; `None` for all.
    pub room: Arc<Mutex<Option<usize>>>,
}

impl FakeLetters {
    pub fn all(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub fn codes(&self) -> Vec<String> {
        self.all().into_iter().map(|letter| letter.code).collect()
    }
}

impl LimitLetters for FakeLetters {
    async fn send(&self, letter: LimitLetter<'_>) -> Result<(), QueueError> {
        if let Some(room) = &mut *self.room.lock().unwrap() {
            *room = room.checked_sub(1).ok_or_else(QueueError::no_answer)?;
        }
        let attributes = letter.attributes().collect();
        let sent = Sent { code: letter.code.to_owned(), data: letter.data().to_vec(), attributes };
        self.sent.lock().unwrap().push(sent);
        // A kill may come between the letter and its answer.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

pub type TestConsumer = LimitConsumer<TroubledStore, FakeLetters, PausedClock>;

/// Returns a consumer over an empty store. Without troubles, a request takes 10 ms.
pub fn consumer(seed: u64, percent: u8) -> TestConsumer {
    let store = TroubledStore {
        inner: MemoryStore::default(),
        troubles: Arc::default(),
        chance: Arc::new(Mutex::new((Rng::with_seed(seed), percent))),
        met: Arc::default(),
        request_time: Duration::from_millis(10),
    };
    let applier = LimitApplier { store, clock: PausedClock::new() };
    LimitConsumer { applier, letters: FakeLetters::default(), currency: Currency::USD }
}
