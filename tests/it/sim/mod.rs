//! A simulation that attacks every promise: one seed decides everything that happens, and replays it.
//!
//! The real consumer runs over a simulated simulation: a FIFO queue with groups, locks, visibility time-outs, a dead-letter queue
//! and redrive; a store that throttles, conflicts, loses requests and answers, and shows stale records; a decisions queue
//! that refuses single messages; consumers that are killed between any two steps, or outlive their visibility time-out;
//! clocks that disagree. When the faults stop and everything has drained, [`check`] looks at what is left.

mod check;
mod consumers;
mod one_write;
mod operator;
mod ports;
mod producer;
mod queue;
mod simulation;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::PENDING_TTL;

use simulation::{Counts, HAPPENINGS, Sabotage, Simulation};

/// How many seeds `make test` runs. `SIM_RUNS` and `SIM_SEED` say otherwise.
const RUNS: u64 = 3000;

/// Runs one seed, and says what is wrong at its end.
fn run(seed: u64, sabotage: Sabotage) -> Result<Counts, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let simulation = Simulation::new(seed, sabotage);
            play(&simulation).await?;
            check::check(&simulation)
        })
    }));
    ended.unwrap_or_else(|_| Err("a panic".to_owned())).map_err(|problem| format!("seed {seed}: {problem}"))
}

/// Plays a simulation until everything has drained.
async fn play(simulation: &Arc<Simulation>) -> Result<(), String> {
    let consumers = simulation.state().consumers;
    let consumers: Vec<_> = (0..consumers).map(|number| consumers::consume(simulation, number)).collect();
    let replay = tokio::spawn(consumers::replay(Arc::clone(simulation)));
    producer::produce(simulation).await;
    operator::while_faulty(simulation).await;
    replay.await.unwrap();
    simulation.state().is_faulty = false;
    operator::drain(simulation).await?;
    // Let what is still under way come to its end: no request takes a month.
    tokio::time::sleep(Duration::from_mins(2)).await;
    // After that, everything counts as new: also what was received more than once, and is kept longer.
    simulation.state().jumped += PENDING_TTL + TimeDelta::hours(1);
    producer::repeat_some(simulation);
    operator::drain(simulation).await?;
    // Let the last ones that have outlived their time come to their end.
    tokio::time::sleep(Duration::from_mins(2)).await;
    consumers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[allow(clippy::print_stdout)]
fn tell(line: &str) {
    println!("{line}");
}

#[test]
fn every_promise_holds_whatever_happens() {
    let first = number("SIM_SEED").unwrap_or(1);
    let runs = number("SIM_RUNS").unwrap_or(if number("SIM_SEED").is_some() { 1 } else { RUNS });
    let mut counts = Counts::new();
    for seed in first..first + runs {
        match run(seed, Sabotage::None) {
            Ok(counted) => counted.into_iter().for_each(|(what, times)| *counts.entry(what).or_default() += times),
            Err(problem) => panic!("{problem}\nrepeat it with SIM_SEED={seed}"),
        }
    }
    tell(&format!("{runs} runs from seed {first}: {counts:?}"));
    let absent: Vec<_> = HAPPENINGS.iter().filter(|what| counts.get(*what).is_none_or(|times| *times == 0)).collect();
    assert!(runs < 1000 || absent.is_empty(), "never happened: {absent:?}");
}

#[test]
fn a_seed_replays_to_the_same_end() {
    for seed in [3, 14, 159] {
        let [one, other] = [(); 2].map(|()| run(seed, Sabotage::None).unwrap());
        assert_eq!(one, other, "seed {seed}");
    }
}

/// A simulation in which one mechanism is broken has to be found out, for the reason that it was there for.
fn is_found_out(sabotage: Sabotage, why: &str) {
    let found = (1..3000).find_map(|seed| run(seed, sabotage).err().filter(|problem| problem.contains(why)));
    tell(&format!("{sabotage:?}: {}", found.unwrap_or_else(|| panic!("{sabotage:?} was not found out"))));
}

#[test]
fn a_store_without_the_record_s_condition_is_found_out() {
    is_found_out(Sabotage::NoRecordCondition, "was decided twice");
}

#[test]
fn a_store_without_the_row_s_condition_is_found_out() {
    is_found_out(Sabotage::NoRowCondition, "the oracle says");
}

#[test]
fn records_that_never_expire_are_found_out() {
    is_found_out(Sabotage::NoExpiry, "had expired");
}

#[test]
fn redeliveries_that_are_taken_for_duplicates_are_found_out() {
    is_found_out(Sabotage::RedeliveryIgnored, "never published");
}

#[test]
fn marks_that_are_not_kept_are_found_out() {
    is_found_out(Sabotage::NoMark, "never published");
}

#[test]
fn a_customer_that_is_not_stopped_is_found_out() {
    is_found_out(Sabotage::NoStop, "never published");
}

#[test]
fn a_commit_that_is_not_atomic_is_found_out() {
    is_found_out(Sabotage::TornCommit, "the oracle says");
}

#[test]
fn decisions_that_are_published_before_the_one_before_is_confirmed_are_found_out() {
    is_found_out(Sabotage::ImpatientPublishing, "were published in the order");
}

#[test]
fn a_commit_that_is_made_again_without_end_is_found_out() {
    is_found_out(Sabotage::EndlessRetry, "commits of");
}

#[test]
fn messages_that_are_deleted_on_receipt_are_found_out() {
    is_found_out(Sabotage::DeletedOnReceipt, "not decided");
}

#[test]
fn letters_that_are_deleted_before_anything_has_come_of_them_are_found_out() {
    is_found_out(Sabotage::LettersDeletedOnReceipt, "not decided");
}

#[test]
fn a_stored_decision_that_waits_for_what_stands_behind_it_is_found_out() {
    is_found_out(Sabotage::StoredWaits, "was decided twice");
    is_found_out(Sabotage::StoredWaits, "neither published nor marked");
}

#[test]
fn an_accept_that_is_committed_by_the_usage_row_alone_is_found_out() {
    is_found_out(Sabotage::OneWriteAccept, "was decided twice");
}
