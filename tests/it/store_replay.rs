//! The replay through a store, in this process: blocks overlap, and nobody notices.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::adapters::SystemClock;
use loadgate::app::Tally;
use loadgate::app::deciding::Decider;
use loadgate::domain::{EventKey, Limits, LoadError};
use loadgate::entry::replay::{Observer, Outlet, ReplayError, Report, StoreReplay};
use loadgate::wire::Reasons;

use crate::consumer::world::{Fault, FlakyStore};
use crate::support::{Settings, Shared, line, replay};

const CUSTOMERS: u32 = 20;
/// Of some 90 bytes each: four blocks.
const LINES: u32 = 9_000;
/// In the third block.
const CORRUPT: u32 = 7_000;

struct Nobody;

impl Observer for Nobody {
    fn invalid(&mut self, _line: u64, _error: &LoadError) {}

    fn settled(&mut self, _tally: &Tally) {}
}

fn customer(n: u32) -> String {
    format!("c{}", n % CUSTOMERS)
}

fn input() -> String {
    let attempt = |n: u32| {
        let time = format!("2000-01-{:02}T00:00:00Z", 3 + n * 28 / LINES);
        line(&format!("event-{n}"), &customer(n), &format!("${}.00", n * 7919 % 3000), &time)
    };
    (1..=LINES).map(attempt).collect()
}

async fn run(decider: &Arc<Decider<FlakyStore, SystemClock>>) -> (String, Result<Report, ReplayError>) {
    let (decisions, decider) = (Shared::default(), Arc::clone(decider));
    let customers_max = NonZeroUsize::new(8).unwrap();
    let replay = StoreReplay { decider, run: "run".to_owned(), reasons: Reasons::Omitted, customers_max };
    let ended = replay.run(Cursor::new(input()), Outlet::new(decisions.clone(), None, Nobody)).await;
    (String::from_utf8(decisions.take()).unwrap(), ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_it_at_the_block_s_begin_and_the_same_run_goes_on() {
    let expected = replay(Cursor::new(input()), Settings::default()).decisions;
    let (clock, limits, correlation_ttl) = (SystemClock, Limits::default(), TimeDelta::hours(24));
    let decider = Arc::new(Decider { store: FlakyStore::default(), clock, limits, correlation_ttl });
    // Some are late, so that their blocks are overtaken.
    decider.store.fail("c3", Fault::Slow(Duration::from_millis(200)), 3);
    decider.store.fail("c5", Fault::Conflict, 2);
    decider.store.fail("c7", Fault::LostAfter, 2);
    let key = EventKey { customer_id: customer(CORRUPT), event_id: format!("event-{CORRUPT}") };
    *decider.store.corrupt.lock().unwrap() = Some(key);
    let (decisions, ended) = run(&decider).await;
    assert!(matches!(ended, Err(ReplayError::Store { line, .. }) if line == u64::from(CORRUPT)), "{ended:?}");
    assert!(expected.starts_with(&decisions), "what is written is what comes first");
    let lines = decisions.lines().count();
    assert!((1..CORRUPT as usize).contains(&lines), "{lines} lines, all of earlier blocks");

    *decider.store.corrupt.lock().unwrap() = None;
    let (decisions, ended) = run(&decider).await;
    assert!(ended.unwrap().is_complete);
    assert!(decisions == expected, "as if it had run once");
}
