//! A stream with its event source mapping, in many random runs with every kind of trouble. In the end, the limits are
//! those of all events in order, and each record that cannot be applied is a letter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use fastrand::Rng;
use loadgate::deciding::Clock;
use loadgate::limits::LimitBook;
use loadgate::runtime::kinesis::handle;
use loadgate::wire::parse_limit_event;

use super::world::{TestConsumer, Trouble, consumer};
use crate::limits::store::assert_same;
use crate::support::stream::{Lane, draw, kinesis_event, lanes};

/// Maximum time of an invocation.
const TIMEOUT: TimeDelta = TimeDelta::seconds(60);

/// Number of random runs. With `SIM_RUNS` it is a twentieth of that: a run takes as much longer than one of the simulation.
const RUNS: u64 = 400;

/// Invokes the function with a lane's next batch until all is done. Some invocations are killed at a random moment.
async fn pump(consumer: &TestConsumer, lane: &mut Lane, rng: &mut Rng, kills: u8) {
    while !lane.is_done() {
        let size = rng.usize(1..20);
        let batch = lane.batch(size).to_vec();
        let end = consumer.applier.clock.now() + TIMEOUT;
        let work = handle(consumer, kinesis_event(&batch), end);
        let time = if rng.u8(0..100) < kills { rng.u64(0..300) } else { 60_000 };
        let answer = tokio::time::timeout(Duration::from_millis(time), work).await.ok();
        lane.settle(batch.len(), answer.map(|handled| handled.unwrap().0));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gives a customer trouble for a while, now and then.
async fn trouble(consumer: &TestConsumer, rng: &mut Rng) {
    for _ in 0..rng.u32(0..4) {
        tokio::time::sleep(Duration::from_millis(rng.u64(0..3_000))).await;
        let troubles = &consumer.applier.store.troubles;
        let kind = *rng.choice(&[Trouble::Hangs, Trouble::Throttled, Trouble::Refused]).unwrap();
        troubles.lock().unwrap().insert(format!("u{}", rng.u32(0..4)), kind);
        tokio::time::sleep(Duration::from_millis(rng.u64(0..100_000))).await;
        troubles.lock().unwrap().clear();
        *consumer.letters.room.lock().unwrap() = rng.bool().then_some(rng.usize(0..3));
        tokio::time::sleep(Duration::from_millis(rng.u64(0..3_000))).await;
        *consumer.letters.room.lock().unwrap() = None;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_leaves_the_same_limits_whatever_happens() {
    let (mut repeated_letters, runs) =
        (0, std::env::var("SIM_RUNS").map_or(RUNS, |runs| runs.parse::<u64>().unwrap().div_ceil(20)));
    for seed in 0..runs {
        let mut rng = Rng::with_seed(seed);
        let (events, ids) = draw(&mut rng, 4, 60);
        let consumer = consumer(seed, rng.u8(0..15));
        let kills = *rng.choice(&[0, 10, 40]).unwrap();
        let count = rng.usize(1..4);
        let mut lanes = lanes(&events, count);
        let mut rngs: Vec<Rng> = lanes.iter().map(|_| rng.fork()).collect();
        let pumps = lanes.iter_mut().zip(&mut rngs).map(|(lane, rng)| pump(&consumer, lane, rng, kills));
        tokio::join!(futures_util::future::join_all(pumps), trouble(&consumer, &mut rng));

        let (mut book, mut invalid) = (LimitBook::default(), BTreeMap::<&[u8], usize>::new());
        for text in &events {
            match parse_limit_event(text.as_bytes()) {
                Ok(event) => drop(book.apply(&event).unwrap()),
                Err(_) => *invalid.entry(text.as_bytes()).or_default() += 1,
            }
        }
        assert_same(&consumer.applier.store.inner, &book, &ids).await;
        let letters = consumer.letters.all();
        let sent: BTreeSet<&[u8]> = letters.iter().map(|letter| &letter.data[..]).collect();
        assert_eq!(sent, invalid.keys().copied().collect(), "seed {seed}");
        let in_stream: usize = invalid.values().sum();
        assert!(letters.len() >= in_stream, "seed {seed}: a letter is missing");
        repeated_letters += letters.len() - in_stream;
    }
    // A kill between a letter and the response repeats it. Without kills, that would be a defect.
    assert!(runs < RUNS || repeated_letters > 0, "no invocation was killed after it had sent a letter");
}

#[tokio::test(start_paused = true)]
async fn without_kills_no_letter_is_sent_twice() {
    for seed in 0..RUNS / 4 {
        let mut rng = Rng::with_seed(seed);
        let (events, _) = draw(&mut rng, 4, 60);
        let consumer = consumer(seed, 10);
        let mut lane = lanes(&events, 1).remove(0);
        // Failures of the store, and none of the queue.
        let failing = async {
            consumer.applier.store.troubles.lock().unwrap().insert("u1".to_owned(), Trouble::Throttled);
            tokio::time::sleep(Duration::from_secs(200)).await;
            consumer.applier.store.troubles.lock().unwrap().clear();
        };
        tokio::join!(pump(&consumer, &mut lane, &mut rng, 0), failing);
        let invalid = events.iter().filter(|text| parse_limit_event(text.as_bytes()).is_err()).count();
        assert_eq!(consumer.letters.all().len(), invalid, "seed {seed}");
    }
}
