//! AWS's limits, as its documentation has them, and where they end loadgate's rate. docs/SCALE.md has the sources.

use crate::shared::table::Table;
use crate::table_of::{number, percent};
use crate::times::ASSUMED;

/// Messages in a batch of a FIFO queue.
pub(crate) const BATCH_MAX: u64 = 10;
/// Messages among which SQS looks for groups, and as many may be in flight.
pub(crate) const WINDOW_MAX: u64 = 120_000;
/// DynamoDB's write units a second for one partition, and so for one key.
pub(crate) const KEY_WRITE_UNITS_MAX: u64 = 1_000;
/// `MaxConcurrency` in template.yaml, unless another is given.
pub(crate) const CONCURRENCY_DEFAULT: u64 = 10;
/// Functions at once, of one account without a raise and of one mapping at all.
const CONCURRENCY_MAX: u64 = 1_000;
/// What a new table on demand takes at once.
const NEW_TABLE_WRITE_UNITS: u64 = 4_000;
/// A table's quota, of write units and of read units.
const TABLE_UNITS_MAX: u64 = 40_000;
/// Requests a second of one action on a FIFO queue of high throughput: N. Virginia, Oregon, Ireland; Ohio, Frankfurt.
const QUEUE_REQUESTS_MAX: [u64; 2] = [70_000, 19_000];
/// The same for one partition, or for a whole queue without high throughput.
const PARTITION_REQUESTS_MAX: u64 = 300;

/// What a record and a row cost in a transaction.
pub(crate) const WRITE_UNITS_EACH: u64 = 2;

/// The rates that the tables are for, in decisions a second.
pub(crate) const RATES: [u64; 3] = [1_000, 10_000, 100_000];

/// Where each limit ends the rate of all customers together.
pub(crate) fn walls() -> String {
    let functions = |count: u64| count * BATCH_MAX * 1_000_000 / ASSUMED.batch_mean_us(BATCH_MAX, 1);
    let mut walls = vec![
        ("`MaxConcurrency` of 10, its default", functions(CONCURRENCY_DEFAULT)),
        ("a new table on demand: 4,000 write units/s", NEW_TABLE_WRITE_UNITS / WRITE_UNITS_EACH),
        ("a table's quota: 40,000 write units/s", TABLE_UNITS_MAX / WRITE_UNITS_EACH),
        ("a table's quota: 40,000 read units/s", TABLE_UNITS_MAX),
        ("a queue in Ohio or Frankfurt: 19,000 requests/s", QUEUE_REQUESTS_MAX[1]),
        ("a queue in N. Virginia, Oregon or Ireland: 70,000 requests/s", QUEUE_REQUESTS_MAX[0]),
        ("1,000 functions: the account's default, and a mapping's most", functions(CONCURRENCY_MAX)),
        ("120,000 messages in flight", WINDOW_MAX * 1_000_000 / ASSUMED.batch_mean_us(BATCH_MAX, 1)),
    ];
    walls.sort_by_key(|(_, most)| *most);
    let mut table = Table::new(["limit", "ends at, decisions/s", "used at 1,000/s", "at 10,000/s", "at 100,000/s"]);
    for (limit, most) in walls {
        let [one, two, three] = RATES.map(|rate| percent(rate, most));
        table.row(&[limit.to_owned(), number(most), one, two, three]);
    }
    table.markdown()
}

/// Where each limit ends the rate of one customer, whose batches go one after another.
pub(crate) fn one_customer() -> String {
    let mut table = Table::new(["what ends one customer's rate", "decisions/s"]);
    for each in [1, 2, 5, BATCH_MAX] {
        let most = each * 1_000_000 / ASSUMED.batch_mean_us(1, each);
        table.row(&[format!("one batch after another, {each} of the customer's in each"), number(most)]);
    }
    let walls = [
        ("a queue's partition: 300 requests/s, one for each decision", PARTITION_REQUESTS_MAX),
        ("a partition of records: 1,000 write units/s, 2 for each decision", KEY_WRITE_UNITS_MAX / WRITE_UNITS_EACH),
        (
            "a usage row: 1,000 write units/s, 2 for each batch of 10",
            KEY_WRITE_UNITS_MAX / WRITE_UNITS_EACH * BATCH_MAX,
        ),
    ];
    for (what, most) in walls {
        table.row(&[what.to_owned(), number(most)]);
    }
    table.markdown()
}

/// What one customer gets decided in a second at the most.
pub(crate) fn one_customer_per_s() -> u64 {
    BATCH_MAX * 1_000_000 / ASSUMED.batch_mean_us(1, BATCH_MAX)
}
