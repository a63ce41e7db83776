//! Cost of a month, in whole trillionths of a dollar, at the list prices of us-east-1, without free tiers and
//! discounts. docs/SCALE.md lists the source of each price.

use crate::limits::{RATES, WRITE_UNITS_EACH};
use crate::shared::table::Table;
use crate::sim::Outcome;
use crate::table_of::number;

/// A price in tiers. Each tier has a maximum monthly quantity, and the price of one in trillionths of a dollar. The
/// last tier has no maximum.
pub(crate) type Price = &'static [(u128, u128)];

pub(crate) const ALL: u128 = u128::MAX;
pub(crate) const DOLLAR: u128 = 1_000_000_000_000;
pub(crate) const GB: u128 = 1_000_000_000;

pub(crate) const WRITE_UNIT: Price = &[(ALL, 625_000)];
pub(crate) const READ_UNIT: Price = &[(ALL, 125_000)];
/// Prices of a gigabyte for a month, in a table and in its continuous backup.
const STORED_GB: Price = &[(ALL, DOLLAR / 4)];
const BACKUP_GB: Price = &[(ALL, DOLLAR / 5)];
pub(crate) const QUEUE_REQUEST: Price = &[(100_000_000_000, 500_000), (200_000_000_000, 400_000), (ALL, 350_000)];
pub(crate) const INVOCATION: Price = &[(ALL, 200_000)];
/// Price of a gigabyte for a second on arm64.
pub(crate) const GB_S: Price = &[(7_500_000_000, 13_333_400), (18_750_000_000, 12_000_100), (ALL, 10_666_700)];
pub(crate) const LOG_GB: Price =
    &[(10_000, DOLLAR / 2), (30_000, DOLLAR / 4), (50_000, DOLLAR / 10), (ALL, DOLLAR / 20)];
/// Prices of one provisioned unit for an hour.
const PROVISIONED_WRITE: u128 = 650_000_000;
const PROVISIONED_READ: u128 = 130_000_000;

pub(crate) const HOURS: u128 = 730;
pub(crate) const MONTH_S: u128 = HOURS * 3600;

/// Assumed percentage of attempts that are declined.
pub(crate) const DECLINED_PERCENT: u128 = 20;
/// Write units of a decline that is alone in its batch: a single conditional put.
const LONE_DECLINE_UNITS: u128 = 1;
/// Size of a record: 350 to 450 bytes of names and values, and 100 that DynamoDB adds.
const RECORD_BYTES: u128 = 550;
/// Life of a record: it is kept for 15 days, and deleted up to two days later: 17 days in all.
const RECORD_S: u128 = 17 * 86_400;
const ROW_BYTES: u128 = 350;
/// Size of an entry of the decision log: a record's values and the entry's own, and 100 that DynamoDB adds.
const LOG_ENTRY_BYTES: u128 = 700;
/// Assumed attempts of a customer in a week with at least one.
const ATTEMPTS_A_WEEK: u128 = 20;
const YEAR_S: u128 = 365 * 86_400;
/// Log of a batch: Lambda's three lines, 400 bytes, and a quiet batch's metrics, which a test limits to 800 bytes.
pub(crate) const LOG_BYTES: u128 = 1_200;
/// Log line with the counts of one reason. There is at most one for each declined attempt.
const DECLINE_LOG_BYTES: u128 = 400;
/// Memory of each function in template.yaml.
pub(crate) const MEMORY_MB: u128 = 512;
/// Utilisation at which auto scaling keeps provisioned capacity.
const UTILISATION_PERCENT: u128 = 70;
/// Fixed cost: 35 metrics, 32 alarms on 39 metrics, and a dashboard.
const FIXED: u128 = 35 * DOLLAR * 3 / 10 + 39 * DOLLAR / 10 + 3 * DOLLAR;
/// Read units of a customer's own limits and of the fence, which a batch reads with the usage.
const OWN_LIMIT_READ_UNITS: u128 = 2;

/// Distribution of decisions over batches, as the simulation found it.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    decisions: u128,
    batches: u128,
    groups: u128,
    rounds: u128,
    billed_ms: u128,
}

impl From<&Outcome> for Shape {
    fn from(outcome: &Outcome) -> Shape {
        let [decisions, batches, groups, rounds, billed_ms] =
            [outcome.arrived, outcome.batches, outcome.groups, outcome.rounds, outcome.billed_ms].map(u128::from);
        Shape { decisions, batches, groups, rounds, billed_ms }
    }
}

/// A month at a rate.
pub(crate) struct Month {
    shape: Shape,
    pub(crate) decisions: u128,
    /// Number of attempts that senders put into a request.
    sent_together: u128,
    /// Mean write capacity of both tables, in units a second at the simulated rate; `None` on demand.
    write_units_per_s: Option<u128>,
}

impl Month {
    /// Returns a month at `rate` attempts a second, which arrive one a request, with tables on demand.
    fn new(shape: Shape, rate: u64) -> Month {
        Month { shape, decisions: u128::from(rate) * MONTH_S, sent_together: 1, write_units_per_s: None }
    }

    /// Returns a month at the first of [`RATES`] as it was simulated.
    pub(crate) fn of(outcome: &Outcome, sent_together: u128) -> Month {
        let write_units_per_s = (outcome.write_units_per_s > 0).then(|| outcome.write_units_per_s.into());
        Month { sent_together, write_units_per_s, ..Month::new(outcome.into(), RATES[0]) }
    }

    /// Scales a count of the simulation to this month.
    fn many(&self, count: u128) -> u128 {
        self.decisions * count / self.shape.decisions
    }

    fn write_units(&self) -> u128 {
        let record = u128::from(WRITE_UNITS_EACH);
        let lone = (2 * record * (100 - DECLINED_PERCENT) + LONE_DECLINE_UNITS * DECLINED_PERCENT) * self.shape.groups;
        self.many(lone / 100 + record * (self.shape.decisions - self.shape.groups))
    }

    fn read_units(&self) -> u128 {
        self.many(self.shape.decisions / 2 + self.shape.groups)
    }

    fn own_limit_read_units(&self) -> u128 {
        self.many(OWN_LIMIT_READ_UNITS * self.shape.groups)
    }

    fn record_gb(&self) -> u128 {
        self.decisions * RECORD_S / MONTH_S * RECORD_BYTES / GB
    }

    fn row_gb(&self) -> u128 {
        self.decisions * YEAR_S / MONTH_S / ATTEMPTS_A_WEEK * ROW_BYTES / GB
    }

    /// Returns the requests that send attempts, one a request; that receive and delete batches; and that publish.
    fn queue_requests(&self) -> [u128; 3] {
        [self.decisions / self.sent_together, self.many(2 * self.shape.batches), self.many(self.shape.rounds)]
    }

    fn saved_by_tens(&self) -> u128 {
        let [sent, received, published] = self.queue_requests();
        after(received + published + sent / 10, sent - sent / 10, QUEUE_REQUEST)
    }

    /// Returns the price of the writes, of the reads and of the reads of own limits.
    fn capacity(&self) -> [u128; 3] {
        let reads = [self.read_units(), self.own_limit_read_units()];
        let Some(write_units_per_s) = self.write_units_per_s else {
            return [price(self.write_units(), WRITE_UNIT), price(reads[0], READ_UNIT), price(reads[1], READ_UNIT)];
        };
        let reads = reads.map(|units| units * 100 / UTILISATION_PERCENT / MONTH_S * PROVISIONED_READ * HOURS);
        [write_units_per_s * PROVISIONED_WRITE * HOURS, reads[0], reads[1]]
    }

    pub(crate) fn rows(&self) -> [(&'static str, u128); 13] {
        let Shape { batches, billed_ms, .. } = self.shape;
        let [sent, received, published] = self.queue_requests();
        let [writes, reads, own_limit_reads] = self.capacity();
        [
            ("DynamoDB: writes", writes),
            ("DynamoDB: reads", reads),
            ("DynamoDB: reads of own limits and fences", own_limit_reads),
            ("DynamoDB: records, kept", price(self.record_gb(), STORED_GB)),
            ("DynamoDB: usage rows of a year, kept", price(self.row_gb(), STORED_GB)),
            ("DynamoDB: continuous backup", price(self.record_gb() + self.row_gb(), BACKUP_GB)),
            ("SQS: sending attempts", price(sent, QUEUE_REQUEST)),
            ("SQS: receiving and deleting them", after(sent, received, QUEUE_REQUEST)),
            ("SQS: publishing decisions", after(sent + received, published, QUEUE_REQUEST)),
            ("Lambda: invocations", price(self.many(batches), INVOCATION)),
            ("Lambda: duration", price(self.many(billed_ms) * MEMORY_MB / 1024 / 1000, GB_S)),
            ("CloudWatch: logs", price(self.log_gb(), LOG_GB)),
            ("CloudWatch: metrics, alarms, dashboard", FIXED),
        ]
    }

    fn log_gb(&self) -> u128 {
        let declined = self.decisions * DECLINED_PERCENT / 100;
        (self.many(self.shape.batches) * LOG_BYTES + declined * DECLINE_LOG_BYTES) / GB
    }

    pub(crate) fn all(&self) -> u128 {
        self.rows().iter().map(|row| row.1).sum()
    }

    pub(crate) fn for_a_million(&self) -> String {
        cents(self.all() * 1_000_000 / self.decisions)
    }

    /// Returns what the decision log costs more: a write unit for each decision, and entries of [`LOG_ENTRY_BYTES`].
    pub(crate) fn decision_log(&self, days: u128) -> u128 {
        let kept_gb = self.decisions * (days + 2) * 86_400 / MONTH_S * LOG_ENTRY_BYTES / GB;
        price(self.decisions, WRITE_UNIT) + price(kept_gb, STORED_GB)
    }

    /// Returns the cost of the same reads and writes with provisioned capacity that follows the rate.
    fn provisioned(&self) -> u128 {
        let read_units = self.read_units() + self.own_limit_read_units();
        let hourly = self.write_units() * PROVISIONED_WRITE + read_units * PROVISIONED_READ;
        hourly / MONTH_S * HOURS * 100 / UTILISATION_PERCENT
    }
}

/// Returns the table of a month's costs.
pub(crate) fn table(shape: Shape) -> String {
    let months = RATES.map(|rate| Month::new(shape, rate));
    let mut table = Table::new(["dollars a month", "1,000/s", "10,000/s", "100,000/s"]);
    let [one, two, three] = months.each_ref().map(Month::rows);
    for ((one, two), three) in one.into_iter().zip(two).zip(three) {
        table.row(&[one.0.to_owned(), dollars(one.1), dollars(two.1), dollars(three.1)]);
    }
    let mut line = |name: &str, prices: [u128; 3]| {
        let [one, two, three] = prices.map(dollars);
        table.row(&[name.to_owned(), one, two, three]);
    };
    line("**all**", months.each_ref().map(Month::all));
    let reads_and_writes = |month: &Month| month.rows().iter().take(3).map(|row| row.1).sum::<u128>();
    line("saved by provisioned capacity", months.each_ref().map(|month| reads_and_writes(month) - month.provisioned()));
    line("saved by sending attempts in tens", months.each_ref().map(Month::saved_by_tens));
    let [one, two, three] = months.each_ref().map(Month::for_a_million);
    table.row(&["for a million decisions".to_owned(), one, two, three]);
    table.markdown()
}

/// Returns the cost of a million decisions at the first of [`RATES`].
pub(crate) fn for_a_million(shape: Shape) -> String {
    Month::new(shape, RATES[0]).for_a_million()
}

/// The same, with the capacity that the simulation provided.
pub(crate) fn for_a_million_in(outcome: &Outcome) -> String {
    Month::of(outcome, 1).for_a_million()
}

pub(crate) fn price(quantity: u128, price: Price) -> u128 {
    let mut from = 0;
    let mut sum = 0;
    for (to, each) in price {
        sum += quantity.min(*to).saturating_sub(from) * each;
        from = *to;
    }
    sum
}

/// Returns the price of a quantity on top of another one. Both count together towards the tiers.
fn after(first: u128, quantity: u128, price_each: Price) -> u128 {
    price(first + quantity, price_each) - price(first, price_each)
}

pub(crate) fn dollars(price: u128) -> String {
    number(u64::try_from((price + DOLLAR / 2) / DOLLAR).unwrap_or(u64::MAX))
}

pub(crate) fn cents(price: u128) -> String {
    let cents = price * 100 / DOLLAR;
    format!("{}.{:02}", cents / 100, cents % 100)
}
