//! The replay through a store, in this process. Overlapping blocks do not change its output.

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use loadgate::adapters::SystemClock;
use loadgate::deciding::Decider;
use loadgate::domain::{EventKey, LoadError};
use loadgate::replay::{ReplayError, ReplayObserver, ReplayOutput, ReplayReport, StoreReplay, Tally};
use loadgate::wire::Reasons;

use crate::support::consumer_harness::{Fault, FlakyStore};
use crate::support::{self, Settings, Shared, line, replay};

const CUSTOMERS: u32 = 20;
/// Number of lines: at some 90 bytes each, they fill four blocks.
const LINES: u32 = 9_000;
/// A line in the third block.
const CORRUPT: u32 = 7_000;

struct NoObserver;

impl ReplayObserver for NoObserver {
    fn invalid(&mut self, _line: u64, _error: &LoadError) {}

    fn progressed(&mut self, _tally: &Tally) {}
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

type TestDecider = Arc<Decider<FlakyStore, SystemClock>>;

fn decider() -> TestDecider {
    Arc::new(support::decider(FlakyStore::default(), SystemClock))
}

async fn run(decider: &TestDecider) -> (String, Result<ReplayReport, ReplayError>) {
    run_over(decider, "run", Cursor::new(input())).await
}

async fn run_over(
    decider: &TestDecider,
    name: &str,
    input: impl Read + Send + 'static,
) -> (String, Result<ReplayReport, ReplayError>) {
    let (decisions, decider) = (Shared::default(), Arc::clone(decider));
    let customers_max = NonZeroUsize::new(8).unwrap();
    let replay = StoreReplay { decider, run: name.to_owned(), reasons: Reasons::Omitted, customers_max };
    let ended = replay.run(input, ReplayOutput::new(decisions.clone(), None, NoObserver)).await;
    (String::from_utf8(decisions.take()).unwrap(), ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_ends_before_the_failed_block_and_can_be_repeated() {
    let expected = replay(Cursor::new(input()), Settings::default()).decisions;
    let decider = decider();
    // Some commits are late, so that later blocks overtake them.
    decider.store.fail("c3", Fault::Slow(Duration::from_millis(200)), 3);
    decider.store.fail("c5", Fault::Conflict, 2);
    decider.store.fail("c7", Fault::LostAfter, 2);
    let key = EventKey { customer_id: customer(CORRUPT), event_id: format!("event-{CORRUPT}") };
    *decider.store.corrupt.lock().unwrap() = Some(key);
    let (decisions, ended) = run(&decider).await;
    assert!(matches!(ended, Err(ReplayError::Store { line, .. }) if line == u64::from(CORRUPT)), "{ended:?}");
    assert!(expected.starts_with(&decisions), "the output is a prefix of the expected one");
    let lines = decisions.lines().count();
    assert!((1..CORRUPT as usize).contains(&lines), "{lines} lines, all of earlier blocks");

    *decider.store.corrupt.lock().unwrap() = None;
    let (decisions, ended) = run(&decider).await;
    assert!(ended.unwrap().is_complete);
    assert!(decisions == expected, "the output is that of a single run");
}

/// A pipe that returns a random number of bytes at each read.
struct Pipe {
    lines: Cursor<Vec<u8>>,
    chances: fastrand::Rng,
    bytes_max: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.chances.usize(1..=self.bytes_max).min(buffer.len());
        self.lines.read(&mut buffer[..bytes])
    }
}

fn pipe(lines: &[String], seed: u64) -> Pipe {
    let mut chances = fastrand::Rng::with_seed(seed);
    let bytes_max = *chances.choice(&[2_000, 20_000, 1_000_000]).unwrap();
    Pipe { lines: Cursor::new(lines.concat().into_bytes()), chances, bytes_max }
}

/// Returns lines of every kind.
fn lines_of_every_kind(chances: &mut fastrand::Rng) -> Vec<String> {
    let line = |n: u32| match n % 100 {
        7 => "\n".to_owned(),
        17 => "not an attempt\n".to_owned(),
        27 => "x".repeat(300_000) + "\n",
        _ => line(&format!("event-{n}"), &customer(n), "$1.00", "2018-12-31T00:00:00Z"),
    };
    (0..chances.u32(1..300)).map(line).collect()
}

fn change(lines: &mut Vec<String>, chances: &mut fastrand::Rng) {
    let place = chances.usize(0..lines.len());
    let other = line("another", "c0", "$2.00", "2018-12-31T00:00:00Z");
    match chances.u32(0..5) {
        0 => lines.insert(place, other),
        1 => lines[place] = other,
        2 => lines[place] = String::from("no attempt any more\n"),
        3 => drop(lines.remove(place)),
        _ => lines.truncate(place),
    }
}

/// Returns true if an attempt has moved to another line, or is gone.
fn is_changed(before: &[String], after: &[String]) -> bool {
    let attempt = |line: &String| line.starts_with('{').then(|| line.clone());
    !after.iter().map(attempt).collect::<Vec<_>>().starts_with(&before.iter().map(attempt).collect::<Vec<_>>())
}

fn sorted(decisions: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = decisions.lines().collect();
    lines.sort_unstable();
    lines
}

/// Also follows the error's advice, after which each decision is in exactly one output.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_input_is_detected_before_any_commit() {
    for seed in 0..100 {
        let mut chances = fastrand::Rng::with_seed(seed);
        let decider = decider();
        let before = lines_of_every_kind(&mut chances);
        *decider.store.lost_entries.lock().unwrap() = vec![Fault::LostAfter, Fault::LostBefore, Fault::LostAfter];
        let (expected, ended) = run_over(&decider, "run", pipe(&before, seed)).await;
        assert!(ended.unwrap().is_complete);

        let mut after = before.clone();
        change(&mut after, &mut chances);
        if chances.bool() {
            after.push(line("appended", "c1", "$1.00", "2018-12-31T00:00:00Z"));
        }
        let commits = decider.store.commits.lock().unwrap().len();
        let (decisions, ended) = run_over(&decider, "run", pipe(&after, seed + 1)).await;
        let has_committed = decider.store.commits.lock().unwrap().len() > commits;
        if is_changed(&before, &after) {
            assert!(matches!(ended, Err(ReplayError::InputChanged { .. })), "seed {seed}: {ended:?}");
            assert!(!has_committed, "seed {seed}");
            assert!(expected.starts_with(&decisions), "seed {seed}");
        } else {
            assert!(ended.unwrap().is_complete && decisions.starts_with(&expected), "seed {seed}");
            continue;
        }

        let (restored, ended) = run_over(&decider, "run", pipe(&before, seed + 2)).await;
        assert!(ended.unwrap().is_complete);
        assert_eq!(restored, expected, "seed {seed}");
        let new: Vec<String> = after.iter().filter(|line| !before.contains(line)).cloned().collect();
        let (decisions, ended) = run_over(&decider, "another run", pipe(&new, seed)).await;
        assert!(ended.unwrap().is_complete);
        assert_eq!(decisions.lines().count(), new.iter().filter(|line| line.starts_with('{')).count(), "seed {seed}");
        let all = [restored, decisions].concat();
        assert!(sorted(&all).windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: a decision is in two outputs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_with_edited_input_commits_nothing() {
    let lines: Vec<String> = input().lines().map(|line| line.to_owned() + "\n").collect();
    let decider = decider();
    let key = EventKey { customer_id: customer(CORRUPT), event_id: format!("event-{CORRUPT}") };
    *decider.store.corrupt.lock().unwrap() = Some(key);
    run_over(&decider, "run", Cursor::new(lines.concat())).await.1.unwrap_err();
    *decider.store.corrupt.lock().unwrap() = None;

    let mut edited = lines.clone();
    edited[9] = line("new", "c9", "$1.00", "2000-01-03T00:00:00Z");
    let commits = decider.store.commits.lock().unwrap().len();
    let (decisions, ended) = run_over(&decider, "run", Cursor::new(edited.concat())).await;
    let Err(error @ ReplayError::InputChanged { first_line: 1, .. }) = ended else { panic!("{ended:?}") };
    assert!(error.to_string().contains("Put the lines back as they were and run the same command again"), "{error}");
    assert_eq!((decisions.as_str(), decider.store.commits.lock().unwrap().len()), ("", commits));
    let (decisions, ended) = run(&decider).await;
    assert!(ended.unwrap().is_complete);
    assert!(decisions == replay(Cursor::new(input()), Settings::default()).decisions);
}
