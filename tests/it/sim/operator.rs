//! Operator, who empties the dead-letter queue with a redrive by SQS or with `loadgate redrive`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::deciding::Received;
use loadgate::domain::{Currency, LoadError};
use loadgate::redrive::{Archive, Mode, Redrive, Redriver};

use super::consumers::clock;
use super::ports::{SimPublisher, SimReceiver, SimSender, Source};
use super::simulation::Simulation;
use super::store::SimStore;

const OPERATOR: &str = "operator";

/// Maximum time for everything to drain once the faults have stopped.
const DRAIN_MAX: Duration = Duration::from_hours(12);

/// Time after which no request is in flight that was sent while faults happened.
const QUIET: Duration = Duration::from_mins(2);

/// Waits for a while, during which faults happen, and redrives now and then.
pub async fn while_faulty(simulation: &Arc<Simulation>) {
    let mut rng = simulation.state().draw(OPERATOR, "minutes");
    let most = [1, 3, 10][rng.usize(..3)];
    for _ in 0..rng.u32(..=most) {
        simulation.pause(&rng, 60_000).await;
        if rng.bool() {
            redrive(simulation).await;
        }
    }
}

/// Waits until the queue is empty, and redrives until the dead-letter queue holds only invalid messages.
pub async fn drain(simulation: &Arc<Simulation>) -> Result<(), String> {
    let begun = tokio::time::Instant::now();
    let mut hours_left = 60;
    loop {
        let rng = simulation.state().draw(OPERATOR, "drain");
        simulation.pause(&rng, 20_000).await;
        {
            let mut state = simulation.state();
            let (left, dead) = (state.input.messages.len(), &state.dead.messages);
            let is_settled = dead.iter().all(|letter| letter.code.is_some());
            if begun.elapsed() > DRAIN_MAX {
                return Err(format!("not drained: {left} messages, {dead:?}"));
            }
            if left > 0 {
                continue;
            }
            if is_settled {
                return Ok(());
            }
            // No request takes hours. Where time counts for fences, those in flight come to their end before it jumps.
            let is_quiet = state.commits_in_flight == 0 && begun.elapsed() > QUIET;
            if state.setting.times.is_some() && !is_quiet {
                continue;
            }
            // The operator acts at once, or hours later.
            let hours = [0, 1, 10, 30][state.draw(OPERATOR, "hours").usize(..4)].min(hours_left);
            hours_left -= hours;
            state.jumped += TimeDelta::hours(hours);
        }
        redrive(simulation).await;
    }
}

async fn redrive(simulation: &Arc<Simulation>) {
    let mut rng = simulation.state().draw(OPERATOR, "redrive");
    if rng.bool() {
        simulation.state().redrive_by_sqs();
        return;
    }
    let (letters_max, kill_after, with_archive) = {
        let mut state = simulation.state();
        state.count("redrives", 1);
        let killed = state.chances.killed;
        let is_killed = state.happens(&mut rng, killed * 2);
        state.count("redrive_kills", u64::from(is_killed));
        let kill_after_ms = if is_killed { rng.u64(..8_000) } else { u64::from(u32::MAX) };
        (rng.u64(1..50), Duration::from_millis(kill_after_ms), rng.bool())
    };
    let actor = OPERATOR.to_owned();
    let redriver = Redriver {
        store: SimStore { simulation: Arc::clone(simulation), actor: actor.clone(), invocation: None },
        publisher: SimPublisher { simulation: Arc::clone(simulation), actor: actor.clone(), invocation: None },
        clock: clock(simulation, OPERATOR),
        input: SimSender(Arc::clone(simulation)),
        currency: Currency::USD,
        has_log: true,
    };
    let letters = SimReceiver { simulation: Arc::clone(simulation), actor, source: Source::DeadLetters };
    let mut archive = SimArchive(Arc::clone(simulation));
    let archive = with_archive.then_some(&mut archive as &mut dyn Archive);
    let redrive = Redrive { redriver, letters, letters_max };
    // Messages that failed stay in the queue until the next redrive.
    let _ = tokio::time::timeout(kill_after, redrive.run(Mode::Go(archive), |_| true)).await;
}

struct SimArchive(Arc<Simulation>);

impl Archive for SimArchive {
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> io::Result<()> {
        let mut state = self.0.state();
        let (refused, mut rng) = (state.chances.refused, state.draw(OPERATOR, "archive"));
        if state.happens(&mut rng, refused) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        for (letter, error) in letters {
            assert_eq!(error.code(), "NOT_JSON");
            state.count("archived", 1);
            state.archive.push(letter.body.clone());
        }
        Ok(())
    }
}
