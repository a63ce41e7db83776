//! AWS's limits, according to its documentation, and the rates at which loadgate reaches them. docs/SCALE.md lists
//! the sources.

use crate::shared::table::Table;
use crate::table_of::{number, percent};
use crate::times::ASSUMED;

/// Maximum number of messages in a batch of a FIFO queue.
pub(crate) const BATCH_MAX: u64 = 10;
/// Number of messages among which SQS looks for groups. It is also the maximum number in flight.
pub(crate) const WINDOW_MAX: u64 = 120_000;
/// Maximum write units a second of one partition of DynamoDB, and so of one key.
pub(crate) const KEY_WRITE_UNITS_MAX: u64 = 1_000;
/// Default of `MaxConcurrency` in template.yaml.
pub(crate) const CONCURRENCY_DEFAULT: u64 = 10;
/// Maximum number of functions at once: the default quota of an account, and the fixed limit of an event source
/// mapping.
const CONCURRENCY_MAX: u64 = 1_000;
/// Write units a second that a new on-demand table accepts at once.
pub(crate) const NEW_TABLE_WRITE_UNITS: u64 = 4_000;
/// Quota of a table, for write units and for read units.
pub(crate) const TABLE_UNITS_MAX: u64 = 40_000;
/// Maximum requests a second of one action on a FIFO queue of high throughput: in N. Virginia, Oregon and Ireland; in
/// Ohio and Frankfurt.
const QUEUE_REQUESTS_MAX: [u64; 2] = [70_000, 19_000];
/// The same for one partition of a queue, or for a whole queue without high throughput.
const PARTITION_REQUESTS_MAX: u64 = 300;

/// Write units of a record, and of a row, in a transaction.
pub(crate) const WRITE_UNITS_EACH: u64 = 2;

/// Read units of a decision from the table of usage: a row, and a fence where customers may have limits of their own.
const READ_UNITS_EACH: u64 = 2;

/// Rates in the tables, in decisions a second.
pub(crate) const RATES: [u64; 3] = [1_000, 10_000, 100_000];

/// Returns the table of the rates at which all customers together reach each limit.
pub(crate) fn walls() -> String {
    let functions = |count: u64| count * BATCH_MAX * 1_000_000 / ASSUMED.batch_mean_us(BATCH_MAX, 1);
    let mut walls = vec![
        ("`MaxConcurrency` of 10, its default", functions(CONCURRENCY_DEFAULT)),
        ("a new table on demand: 4,000 write units/s", NEW_TABLE_WRITE_UNITS / WRITE_UNITS_EACH),
        ("a table's quota: 40,000 write units/s", TABLE_UNITS_MAX / WRITE_UNITS_EACH),
        ("a table's quota: 40,000 read units/s", TABLE_UNITS_MAX / READ_UNITS_EACH),
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

/// Returns the table of the rates at which one customer, whose batches run one after another, reaches each limit.
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

/// Returns the maximum number of one customer's decisions in a second.
pub(crate) fn one_customer_per_s() -> u64 {
    BATCH_MAX * 1_000_000 / ASSUMED.batch_mean_us(1, BATCH_MAX)
}
