//! The stream of limit events and the HTTP API: the rates at which AWS's limits are reached, and the cost of a month.

use crate::cost::{
    ALL, DOLLAR, GB, GB_S, HOURS, INVOCATION, LOG_BYTES, LOG_GB, MEMORY_MB, MONTH_S, Price, READ_UNIT, WRITE_UNIT,
    cents, dollars, price,
};
use crate::limits::{NEW_TABLE_WRITE_UNITS, RATES, TABLE_UNITS_MAX};
use crate::shared::table::Table;
use crate::table_of::{number, percent};
use crate::times::ASSUMED;

/// `BatchSize` of the stream's mapping in template.yaml.
const BATCH_MAX: u64 = 100;
/// Maximum number of users whose events a batch applies at the same time: `CUSTOMERS_IN_PARALLEL_MAX` of the library.
const IN_PARALLEL: u64 = loadgate::limits::CUSTOMERS_IN_PARALLEL_MAX as u64;
/// Maximum records a second of one shard.
const SHARD_RECORDS_MAX: u64 = 1_000;
/// Maximum records a second, of up to 1 KB, of a new stream on demand, and of one that has grown, outside of N. Virginia,
/// Oregon and Ireland.
const STREAM_RECORDS_MAX: [u64; 2] = [4_000, 200_000];

/// Write units of a report of progress: a limit's pointer alone.
const REPORT_WRITE_UNITS: u64 = 1;
/// Write units of a definition: a pointer and a customer's item of up to 1 KB, in a transaction.
const DEFINITION_WRITE_UNITS: u64 = 4;
/// Read units of an event: a pointer and a customer's item, strongly consistent.
const EVENT_READ_UNITS: u64 = 2;
/// Assumed percentage of events that define a limit. The others report progress.
const DEFINITIONS_PERCENT: u128 = 2;
/// Size of a record, which is billed by the kilobyte.
const RECORD_BYTES: u128 = 1_024;
/// Assumed number of events in a batch: Lambda asks a shard once a second, and a shard on demand has some 250 events by then.
const BATCH_MEAN: u64 = 80;
/// Days for which the stream keeps a record, beyond the first.
const KEPT_S: u128 = 6 * 86_400;

const STREAM_HOUR: u128 = DOLLAR / 25;
const STREAM_IN_GB: Price = &[(ALL, DOLLAR * 2 / 25)];
const STREAM_OUT_GB: Price = &[(ALL, DOLLAR / 25)];
/// Price of a gigabyte for a month, beyond the first day.
const STREAM_KEPT_GB: Price = &[(ALL, DOLLAR / 10)];

/// Requests to the HTTP API, for each hundred decisions: a customer looks at its limits now and then.
const REQUESTS_PERCENT: u128 = 10;
const REQUEST: Price = &[(300_000_000, 1_000_000), (ALL, 900_000)];
/// Assumed time of an answer of the API, and its read units: limits, pointers, a fence and a few weeks.
const REQUEST_MS: u128 = 20;
const REQUEST_READ_UNITS: u128 = 12;
/// Log of a request: Lambda's three lines, and one of API Gateway.
const REQUEST_LOG_BYTES: u128 = 700;

/// Returns the mean time of one event: a read, and a conditional write.
fn event_mean_us() -> u64 {
    ASSUMED.read.mean_us() + ASSUMED.commit.mean_us()
}

/// Returns the mean time in which the function applies a batch of as many users' events.
fn batch_mean_us(events: u64) -> u64 {
    ASSUMED.work.mean_us() + event_mean_us() * events / events.min(IN_PARALLEL)
}

/// Returns the table of the rates at which limit events reach each limit.
pub(crate) fn walls() -> String {
    let shard = BATCH_MAX * 1_000_000 / (ASSUMED.hand_over.mean_us() + batch_mean_us(BATCH_MAX));
    let [new, grown] = STREAM_RECORDS_MAX;
    let mut table = Table::new(["limit", "ends at, events/s", "used at 1,000/s", "at 10,000/s", "at 100,000/s"]);
    for (limit, most) in [
        ("one user's events, one after another", 1_000_000 / event_mean_us()),
        ("one shard, one batch at a time: `LimitStreamParallelization` of 1, its default", shard),
        ("one shard: 1,000 records/s", SHARD_RECORDS_MAX),
    ] {
        let [one, two, three] = ["", "", ""].map(str::to_owned);
        table.row(&[limit.to_owned(), number(most), one, two, three]);
    }
    let mut walls = [
        (
            "a new table on demand: 4,000 write units/s, definitions only",
            NEW_TABLE_WRITE_UNITS / DEFINITION_WRITE_UNITS,
        ),
        ("a new table on demand: 4,000 write units/s, reports of progress", NEW_TABLE_WRITE_UNITS / REPORT_WRITE_UNITS),
        ("a new stream on demand: 4 MB/s", new),
        ("a table's quota: 40,000 write units/s, definitions only", TABLE_UNITS_MAX / DEFINITION_WRITE_UNITS),
        ("a table's quota: 40,000 read units/s", TABLE_UNITS_MAX / EVENT_READ_UNITS),
        ("a table's quota: 40,000 write units/s, reports of progress", TABLE_UNITS_MAX / REPORT_WRITE_UNITS),
        ("a stream on demand, in most regions: 200 MB/s", grown),
    ];
    walls.sort_by_key(|(_, most)| *most);
    for (limit, most) in walls {
        let [one, two, three] = RATES.map(|rate| percent(rate, most));
        table.row(&[limit.to_owned(), number(most), one, two, three]);
    }
    table.markdown()
}

/// A month of the stream and of the API, with as many limit events as decisions.
struct Month {
    events: u128,
}

impl Month {
    fn batches(&self) -> u128 {
        self.events / u128::from(BATCH_MEAN)
    }

    fn requests(&self) -> u128 {
        self.events * REQUESTS_PERCENT / 100
    }

    fn stream(&self) -> [(&'static str, u128); 8] {
        let gb = self.events * RECORD_BYTES / GB;
        let definitions = self.events * DEFINITIONS_PERCENT / 100;
        let reports = self.events - definitions;
        let write_units = definitions * u128::from(DEFINITION_WRITE_UNITS) + reports * u128::from(REPORT_WRITE_UNITS);
        let billed_ms = self.batches() * u128::from(batch_mean_us(BATCH_MEAN).div_ceil(1_000));
        [
            ("Kinesis: the stream, by the hour", HOURS * STREAM_HOUR),
            ("Kinesis: records in and out", price(gb, STREAM_IN_GB) + price(gb, STREAM_OUT_GB)),
            ("Kinesis: records, kept for a week", price(gb * KEPT_S / MONTH_S, STREAM_KEPT_GB)),
            ("DynamoDB: writes of limits", price(write_units, WRITE_UNIT)),
            ("DynamoDB: reads of limits", price(self.events * u128::from(EVENT_READ_UNITS), READ_UNIT)),
            ("Lambda: invocations", price(self.batches(), INVOCATION)),
            ("Lambda: duration", price(billed_ms * MEMORY_MB / 1024 / 1000, GB_S)),
            ("CloudWatch: logs", price(self.batches() * LOG_BYTES / GB, LOG_GB)),
        ]
    }

    fn api(&self) -> [(&'static str, u128); 3] {
        let requests = self.requests();
        let lambda = price(requests, INVOCATION) + price(requests * REQUEST_MS * MEMORY_MB / 1024 / 1000, GB_S);
        [
            ("HTTP API: requests", price(requests, REQUEST)),
            ("HTTP API: DynamoDB", price(requests * REQUEST_READ_UNITS, READ_UNIT)),
            ("HTTP API: Lambda and logs", lambda + price(requests * REQUEST_LOG_BYTES / GB, LOG_GB)),
        ]
    }

    fn rows(&self) -> Vec<(&'static str, u128)> {
        self.stream().into_iter().chain(self.api()).collect()
    }
}

fn sum(rows: &[(&'static str, u128)]) -> u128 {
    rows.iter().map(|row| row.1).sum()
}

/// Returns the table of a month's costs, beside those of the decisions.
pub(crate) fn cost() -> String {
    let months = RATES.map(|rate| Month { events: u128::from(rate) * MONTH_S });
    let mut table = Table::new(["dollars a month", "1,000/s", "10,000/s", "100,000/s"]);
    let [one, two, three] = months.each_ref().map(Month::rows);
    for ((one, two), three) in one.into_iter().zip(two).zip(three) {
        table.row(&[one.0.to_owned(), dollars(one.1), dollars(two.1), dollars(three.1)]);
    }
    let mut line = |name: &str, prices: [String; 3]| {
        let [one, two, three] = prices;
        table.row(&[name.to_owned(), one, two, three]);
    };
    line("**all**", months.each_ref().map(|month| dollars(sum(&month.rows()))));
    let million = |price: u128, count: u128| cents(price * 1_000_000 / count);
    line("for a million limit events", months.each_ref().map(|month| million(sum(&month.stream()), month.events)));
    line(
        "for a million requests to the API",
        months.each_ref().map(|month| million(sum(&month.api()), month.requests())),
    );
    table.markdown()
}
