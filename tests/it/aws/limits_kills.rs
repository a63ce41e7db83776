//! The function on the stream, killed with `kill -9` at random moments, over Amazon's DynamoDB Local behind a proxy that
//! loses requests and answers. In the end, the limits are those of all events in order.
//!
//! `make kills` kills hundreds of times.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lambda_events::event::streams::KinesisEventResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use loadgate::limits::LimitBook;
use loadgate::wire::parse_limit_event;
use serde_json::json;

use super::kills::number;
use super::limits_function::fresh_standard_queue;
use crate::limits::store::assert_same;
use crate::support::cloud::{Bootstrap, Fresh, Proxy, drain, sqs};
use crate::support::stream::{draw, lanes};

/// Size of a batch. It is small, so that there are many invocations to kill.
const BATCH_SIZE: usize = 25;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
#[allow(clippy::print_stdout)]
async fn a_limits_function_killed_at_random_leaves_the_same_limits() {
    let (kills, events_max) = (number("KILLS", 15), number("ATTEMPTS", 300) * 3);
    let mut rng = Rng::with_seed(23);
    let (events, ids) = draw(&mut rng, 30, events_max);
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    let (proxy, letters) = (Proxy::before(&fresh.url).await, fresh_standard_queue().await);
    let folder = tempfile::tempdir().unwrap();
    let environment: Vec<(&'static str, String)> = vec![
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url.clone()),
        ("AWS_ENDPOINT_URL_SQS", sqs().to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("LOADGATE_CORRELATION_TABLE", fresh.names.correlation.clone()),
        ("LOADGATE_LOAD_TABLE", fresh.names.load.clone()),
        ("LOADGATE_LIMIT_TABLE", fresh.names.limit.clone().unwrap()),
        ("LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL", letters.clone()),
    ];
    proxy.be_lossy(23, 30);
    let mut lane = lanes(&events, 1).remove(0);
    let mut killed = 0;
    while !lane.is_done() {
        let log = folder.path().join("log");
        let mut function = Bootstrap::start_program(env!("CARGO_BIN_EXE_limits"), &environment, &log).await;
        loop {
            let batch = lane.batch(BATCH_SIZE).to_vec();
            let is_killed = killed < kills && rng.bool();
            let time = if is_killed { rng.u64(0..250) } else { 60_000 };
            let answer = function.invoke(json!({ "Records": batch }).to_string(), Duration::from_millis(time)).await;
            assert!(is_killed || answer.is_some(), "no answer: {}", std::fs::read_to_string(&log).unwrap());
            let response = answer.clone().and_then(Result::ok);
            let response = response.map(|text| serde_json::from_str::<KinesisEventResponse>(&text).unwrap());
            lane.settle(batch.len(), response);
            if answer.is_none() {
                killed += 1;
                function.kill();
                break;
            }
            if lane.is_done() {
                break;
            }
        }
    }
    assert!(proxy.lost() > 0 && killed > 0, "nothing went wrong");
    println!("{killed} kills, {} requests or answers lost or late", proxy.lost());
    let (mut book, mut invalid) = (LimitBook::default(), BTreeSet::new());
    for text in &events {
        match parse_limit_event(text.as_bytes()) {
            Ok(event) => drop(book.apply(&event).unwrap()),
            Err(_) => drop(invalid.insert(text.clone())),
        }
    }
    assert_same(&fresh.store, &book, &ids).await;
    let letters = drain(&letters).await.into_iter();
    let letters: BTreeSet<String> =
        letters.map(|letter| String::from_utf8(STANDARD.decode(letter.body).unwrap()).unwrap()).collect();
    assert_eq!(letters, invalid);
}
