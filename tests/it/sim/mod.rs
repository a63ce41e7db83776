//! Simulation of a whole deployment. One seed determines everything that happens, and replays it.
//!
//! The real consumer runs over simulated parts:
//!
//! - a FIFO queue with groups, locks, visibility time-outs, a dead-letter queue and redrive;
//! - a store that throttles, conflicts, loses requests and answers, and returns stale records;
//! - a decisions queue that refuses single messages, and, in half of the runs, a decision log that leaves out single entries;
//! - consumers that are killed between any two steps, or work longer than their visibility time-out;
//! - clocks that disagree.
//!
//! Half of the runs have what long limits need: limits over months, local days and weeks, hours and all time; loads of
//! several weeks, late ones too; rows from before; commits that take effect long after their sender has given up; and
//! customers' own limits, which change while decisions are under way.
//!
//! When the faults have stopped and everything has drained, [`check`] verifies every promise on the final state.

mod check;
mod consumers;
mod decisions;
mod fenced;
mod limits;
mod log;
mod one_write;
mod operator;
pub mod oracle;
mod ports;
mod producer;
mod queue;
mod sabotage;
pub mod setting;
mod simulation;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::PENDING_TTL;

use sabotage::Sabotage;
use simulation::{COUNTERS, Counts, Simulation};

/// Number of seeds that `make test` runs. `SIM_RUNS` and `SIM_SEED` override it.
const RUNS: u64 = 3000;

/// Runs one seed. Returns the counts, or the promise that is broken at the end.
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
    let replays = if simulation.state().setting.is_contended { 2 } else { 1 };
    let replays = consumers::REPLAYS.iter().take(replays);
    let replays: Vec<_> = replays.map(|actor| tokio::spawn(consumers::replay(Arc::clone(simulation), actor))).collect();
    let changes = tokio::spawn(limits::change(Arc::clone(simulation)));
    producer::produce(simulation).await;
    operator::while_faulty(simulation).await;
    for replay in replays {
        replay.await.unwrap();
    }
    changes.await.unwrap();
    simulation.state().is_faulty = false;
    operator::drain(simulation).await?;
    // Requests in flight come to their end before the calendar jumps: no request takes a month.
    tokio::time::sleep(Duration::from_mins(2)).await;
    // Afterwards every event counts as new, even one whose pending record is kept longer.
    simulation.state().jumped += PENDING_TTL + TimeDelta::hours(1);
    producer::repeat_some(simulation);
    operator::drain(simulation).await?;
    // Work that has outlasted its visibility time-out comes to its end too.
    tokio::time::sleep(Duration::from_mins(2)).await;
    consumers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}

#[test]
fn every_promise_holds_under_all_faults() {
    let first = number("SIM_SEED").unwrap_or(1);
    let runs = number("SIM_RUNS").unwrap_or(if number("SIM_SEED").is_some() { 1 } else { RUNS });
    let mut counts = Counts::new();
    for seed in first..first + runs {
        match run(seed, Sabotage::None) {
            Ok(counted) => counted.into_iter().for_each(|(name, times)| *counts.entry(name).or_default() += times),
            Err(problem) => panic!("{problem}\nrepeat it with SIM_SEED={seed}"),
        }
    }
    print(&format!("{runs} runs from seed {first}: {counts:?}"));
    let absent: Vec<_> = COUNTERS.iter().filter(|name| counts.get(*name).is_none_or(|times| *times == 0)).collect();
    assert!(runs < RUNS || absent.is_empty(), "never happened: {absent:?}");
}

#[test]
fn a_seed_always_gives_the_same_result() {
    for seed in [3, 14, 159] {
        let [one, other] = [(); 2].map(|()| run(seed, Sabotage::None).unwrap());
        assert_eq!(one, other, "seed {seed}");
    }
}

/// Asserts that the checks detect a broken mechanism by the promise that this mechanism protects.
fn assert_detected(sabotage: Sabotage, promise: &str) {
    let found = (1..3000).find_map(|seed| run(seed, sabotage).err().filter(|problem| problem.contains(promise)));
    print(&format!("{sabotage:?}: {}", found.unwrap_or_else(|| panic!("{sabotage:?} was not detected"))));
}

#[test]
fn a_missing_record_condition_is_detected() {
    assert_detected(Sabotage::NoRecordCondition, "was decided twice");
}

#[test]
fn a_missing_row_condition_is_detected() {
    assert_detected(Sabotage::NoRowCondition, "the oracle says");
}

#[test]
fn records_that_never_expire_are_detected() {
    assert_detected(Sabotage::NoExpiry, "had expired");
}

#[test]
fn redeliveries_treated_as_duplicates_are_detected() {
    assert_detected(Sabotage::RedeliveryIgnored, "never published");
}

#[test]
fn pending_records_that_are_not_written_are_detected() {
    assert_detected(Sabotage::NoPendingRecord, "never published");
}

#[test]
fn a_customer_that_is_not_stopped_is_detected() {
    assert_detected(Sabotage::NoStop, "never published");
}

#[test]
fn a_commit_that_is_not_atomic_is_detected() {
    assert_detected(Sabotage::TornCommit, "the oracle says");
}

#[test]
fn publishing_before_the_previous_decision_is_confirmed_is_detected() {
    assert_detected(Sabotage::ImpatientPublishing, "were published in the order");
}

#[test]
fn endless_retries_of_a_commit_are_detected() {
    assert_detected(Sabotage::EndlessRetry, "commits of");
}

#[test]
fn messages_deleted_on_receipt_are_detected() {
    assert_detected(Sabotage::DeletedOnReceipt, "not decided");
}

#[test]
fn dead_letters_deleted_on_receipt_are_detected() {
    assert_detected(Sabotage::DeadLettersDeletedOnReceipt, "not decided");
}

#[test]
fn a_stored_decision_that_waits_for_later_messages_is_detected() {
    assert_detected(Sabotage::StoredWaits, "was decided twice");
    assert_detected(Sabotage::StoredWaits, "neither published nor set to pending");
}

#[test]
fn an_accept_committed_by_the_usage_row_alone_is_detected() {
    assert_detected(Sabotage::OneWriteAccept, "was decided twice");
}

#[test]
fn a_missing_fence_is_detected() {
    assert_detected(Sabotage::NoFence, "in the span of");
}

#[test]
fn a_fence_that_is_read_after_the_rows_is_detected() {
    assert_detected(Sabotage::FenceReadLast, "in the span of");
}

#[test]
fn plain_reads_in_place_of_the_transactional_one_are_detected() {
    assert_detected(Sabotage::PlainReads, "in the span of");
}

#[test]
fn a_fence_that_is_deleted_and_starts_again_is_detected() {
    assert_detected(Sabotage::FenceDeleted, "in the span of");
}

#[test]
fn own_limits_that_are_read_eventually_consistent_are_detected() {
    assert_detected(Sabotage::OwnLimitsEventual, "limits that were not stored");
}

#[test]
fn loads_that_are_forgotten_with_the_row_s_cap_are_detected() {
    assert_detected(Sabotage::CapForgotten, "in the span of");
}

#[test]
fn totals_kept_before_every_writer_knows_the_fence_are_detected() {
    assert_detected(Sabotage::EarlyTotals, "the fence's totals");
}

#[test]
fn totals_counted_while_a_commit_is_being_applied_are_detected() {
    assert_detected(Sabotage::UncheckedCount, "in the span of");
}

#[test]
fn a_decision_that_is_logged_after_its_message_is_settled_is_detected() {
    assert_detected(Sabotage::LogAfterSettling, "deleted, and its decision is not in the log");
}
