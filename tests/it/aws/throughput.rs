//! Throughput of a worker over local versions of the AWS services, by the number of customers that it handles in
//! parallel.
//!
//! `make throughput` measures it. No assertion depends on the measured time.

use std::time::{Duration, Instant};

use loadgate::adapters::aws;
use loadgate::adapters::sqs::SqsSender;
use loadgate::deciding::{Outgoing, Sender};

use crate::support::cloud::{Fresh, Queues, Worker, environment, sqs};

const CUSTOMERS: u32 = 64;
const ATTEMPTS: u32 = 10;
const ROUNDS: usize = 3;
const TIME_MAX: Duration = Duration::from_mins(5);

/// Returns the number of decisions in a thousand seconds.
async fn measure(customers_in_parallel: u32) -> u64 {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(180, 10).await);
    let attempt = |n: u32| {
        let (id, customer) = (n / CUSTOMERS, format!("c{}", n % CUSTOMERS));
        let body = crate::support::line(&id.to_string(), &customer, "$1.00", "2018-12-31T00:00:00Z");
        Outgoing { group_id: customer, deduplication_id: n.to_string(), body: body.trim_end().to_owned() }
    };
    let all = CUSTOMERS * ATTEMPTS;
    let sender = SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone());
    sender.send((0..all).map(attempt).collect()).await.unwrap();
    let mut environment = environment(&queues, &fresh.names, &fresh.url);
    environment.push(("LOADGATE_CUSTOMERS_IN_PARALLEL", customers_in_parallel.to_string()));
    let mut worker = Worker::start(&environment);
    worker.wait_until_ready();
    let (begun, first) = (Instant::now(), worker.decided());
    while worker.decided() < u64::from(all) {
        assert!(begun.elapsed() < TIME_MAX, "{}", worker.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap().max(1);
    worker.signal("TERM");
    assert!(worker.wait().success());
    (u64::from(all) - first) * 1_000_000 / elapsed_ms
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures: run `make throughput`"]
#[allow(clippy::print_stdout)]
async fn throughput_with_1_4_and_16_customers_in_parallel() {
    let settings = [1, 4, 16];
    let mut measured = settings.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (customers, rates) in settings.into_iter().zip(&mut measured) {
            rates.push(measure(customers).await);
        }
    }
    let medians = measured.map(|mut rates| {
        rates.sort_unstable();
        rates[ROUNDS / 2]
    });
    println!("{} attempts of {CUSTOMERS} customers, medians of {ROUNDS} rounds in turns", CUSTOMERS * ATTEMPTS);
    for (customers, rate) in settings.into_iter().zip(medians) {
        let ratio = rate * 100 / medians[0].max(1);
        println!(
            "{customers:>3} customers in parallel: {} decisions a second, {}.{:02} times those of one",
            rate / 1000,
            ratio / 100,
            ratio % 100
        );
    }
}
