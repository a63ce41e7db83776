//! Assignment jobs of 10,000 and of a million customers: time, cost, and the rates at which AWS's limits are reached.

use loadgate::domain::CHUNK_CUSTOMERS_MAX;
use loadgate::limits::jobs::{LINKS_IN_PARALLEL_MAX, PAGE_CUSTOMERS_MAX};

use crate::cost::{GB_S, INVOCATION, MEMORY_MB, QUEUE_REQUEST, READ_UNIT, WRITE_UNIT, cents, price};
use crate::limits::{KEY_WRITE_UNITS_MAX, NEW_TABLE_WRITE_UNITS, TABLE_UNITS_MAX};
use crate::shared::table::Table;
use crate::table_of::{number, time};
use crate::times::ASSUMED;

const CHUNK: u64 = CHUNK_CUSTOMERS_MAX as u64;
const PAGE: u64 = PAGE_CUSTOMERS_MAX as u64;
const IN_PARALLEL: u64 = LINKS_IN_PARALLEL_MAX as u64;

/// Default of `AssignConcurrency` in template.yaml, a tenth of a new table's capacity, and a large one.
const CONCURRENCY: [u64; 3] = [5, 20, 100];

/// Numbers of customers.
const CUSTOMERS: [u64; 2] = [10_000, 1_000_000];

/// Requests of a page, one after another: reads of the job and of three pages, a query of the roster, the put, two of chunks,
/// and the next message.
const PAGE_REQUESTS: u64 = 9;

/// Write units of a page of ids of 14 bytes.
const PAGE_WRITE_UNITS: u64 = 8;

/// Read units a second of one partition of DynamoDB.
const KEY_READ_UNITS_MAX: u64 = 3_000;

/// Mean time of a conditional write of one item: that of a put.
fn write_us() -> u64 {
    ASSUMED.read.mean_us()
}

/// Returns the mean time that a function takes for a chunk: it reads the job, links eight customers at a time, and puts the result.
fn chunk_us() -> u64 {
    let rounds = CHUNK.div_ceil(IN_PARALLEL);
    ASSUMED.work.mean_us() + ASSUMED.read.mean_us() + (rounds + 1) * write_us()
}

/// Returns the links a second of so many functions.
fn links_per_s(concurrency: u64) -> u64 {
    let whole_us = ASSUMED.hand_over.mean_us() + chunk_us() + ASSUMED.settle.mean_us();
    concurrency * CHUNK * 1_000_000 / whole_us
}

/// Returns the customers a second that the enumeration lists, one page after another.
fn listed_per_s() -> u64 {
    let page_us = ASSUMED.hand_over.mean_us() + ASSUMED.work.mean_us() + PAGE_REQUESTS * ASSUMED.read.mean_us();
    PAGE * 1_000_000 / page_us
}

/// Returns the table of times and costs.
pub(crate) fn jobs() -> String {
    let mut table = Table::new(["customers", "functions at once", "links/s", "time", "write units", "dollars"]);
    for customers in CUSTOMERS {
        for concurrency in CONCURRENCY {
            let rate = links_per_s(concurrency).min(listed_per_s());
            table.row(&[
                number(customers),
                concurrency.to_string(),
                number(rate),
                time(customers * 1_000_000 / rate),
                number(write_units(customers)),
                cents(cost(customers)),
            ]);
        }
    }
    table.markdown()
}

fn write_units(customers: u64) -> u64 {
    customers + customers.div_ceil(CHUNK) + customers.div_ceil(PAGE) * PAGE_WRITE_UNITS + 5
}

/// Returns the cost of a job, in trillionths of a dollar.
fn cost(customers: u64) -> u128 {
    let (chunks, pages) = (u128::from(customers.div_ceil(CHUNK)), u128::from(customers.div_ceil(PAGE)));
    let messages = chunks + pages;
    // Each message is sent in a request of ten, received, and deleted.
    let requests = messages / 10 + 2 * messages;
    let billed_ms = chunks * u128::from(chunk_us().div_ceil(1_000)) + pages * 50;
    price(u128::from(write_units(customers)), WRITE_UNIT)
        + price(messages * 2, READ_UNIT)
        + price(requests, QUEUE_REQUEST)
        + price(messages, INVOCATION)
        + price(billed_ms * MEMORY_MB / 1024 / 1000, GB_S)
}

/// Returns the table of the rates at which a job reaches each limit.
pub(crate) fn walls() -> String {
    let mut walls = vec![
        ("`AssignConcurrency` of 5, its default".to_owned(), links_per_s(CONCURRENCY[0])),
        (
            "a new table on demand: 4,000 write units/s, with 1.06 for each link".to_owned(),
            NEW_TABLE_WRITE_UNITS * 100 / 106,
        ),
        ("the enumeration: one page of 500 after another".to_owned(), listed_per_s()),
        ("the results of a job, in one partition: 1,000 write units/s".to_owned(), KEY_WRITE_UNITS_MAX * CHUNK),
        ("a table's quota: 40,000 write units/s".to_owned(), TABLE_UNITS_MAX * 100 / 106),
        ("the job's item, read by each chunk: 3,000 read units/s".to_owned(), KEY_READ_UNITS_MAX * CHUNK),
    ];
    walls.sort_by_key(|(_, most)| *most);
    let mut table = Table::new(["limit", "ends at, links/s"]);
    for (limit, most) in walls {
        table.row(&[limit, number(most)]);
    }
    table.markdown()
}
