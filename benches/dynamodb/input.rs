//! Input of the benchmark: batches of attempts, each of one customer, with repeats from a fixed seed.

use std::collections::BTreeSet;
use std::io::{Error, Result};

use loadgate::deciding::{Delivery, MessageSource};
use loadgate::domain::{Currency, LoadAttempt};
use loadgate::wire::read_attempt;
use serde_json::json;

/// Seed of all random choices.
const SEED: u64 = 2018;

/// Number of customers in each case.
pub(crate) const CUSTOMERS: usize = 10;

/// Number of messages in a batch, in the cases that do not vary it.
pub(crate) const BATCH: usize = 10;

/// Number of batches of each customer in a mix. The first batch has only new events.
const MIX_BATCHES: usize = 5;

/// One batch, of one customer.
pub(crate) type Batch = Vec<Delivery>;

/// Kind of repeat.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Repeats {
    /// The same event in another message.
    Duplicates,
    /// The same message, received for the second time.
    Redeliveries,
}

/// A measured case.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Batches that are decided first, and not measured.
    pub(crate) before: Vec<Batch>,
    pub(crate) batches: Vec<Batch>,
    /// True if the cost is reported for each distinct event, and not for each message.
    pub(crate) is_by_event: bool,
}

impl Case {
    /// Creates batches of `size` new attempts, all within the limits.
    pub(crate) fn group(size: usize) -> Result<Case> {
        let batch = |customer| (0..size).map(|n| delivery(&format!("group-{size}-{customer}"), n, "$1.00")).collect();
        let batches = (0..CUSTOMERS).map(batch).collect::<Result<Vec<Batch>>>()?;
        Ok(Case { name: size.to_string(), before: vec![], batches, is_by_event: true })
    }

    /// Creates one attempt of each customer, within or over the limits, and optionally a repeat of it.
    pub(crate) fn lone(name: &str, amount: &str, again: Option<Repeats>) -> Result<Case> {
        let one = |customer| Ok(vec![delivery(&format!("{}-{customer}", name.replace(' ', "-")), 0, amount)?]);
        let first = (0..CUSTOMERS).map(one).collect::<Result<Vec<Batch>>>()?;
        let name = name.to_owned();
        let Some(repeats) = again else { return Ok(Case { name, before: vec![], batches: first, is_by_event: false }) };
        let batches = first.iter().map(|batch| batch.iter().map(|first| repeated(first, repeats, 0)).collect());
        Ok(Case { name, batches: batches.collect(), before: first, is_by_event: false })
    }

    /// Creates ten attempts of each customer, all over the limits.
    pub(crate) fn ten_declined(name: &str) -> Result<Case> {
        let batch =
            |customer| (0..BATCH).map(|n| delivery(&format!("ten-declined-{customer}"), n, "$5000.01")).collect();
        let batches = (0..CUSTOMERS).map(batch).collect::<Result<Vec<Batch>>>()?;
        Ok(Case { name: name.to_owned(), before: vec![], batches, is_by_event: false })
    }

    /// Creates one attempt of each customer that was received before, but not decided.
    pub(crate) fn undecided(name: &str) -> Result<Case> {
        let mut case = Case::lone(name, "$1.00", None)?;
        case.batches.iter_mut().flatten().for_each(|delivery| delivery.source.is_redelivery = true);
        Ok(case)
    }

    /// Creates batches of ten in which `percent` of a hundred messages repeat a message of an earlier batch of the
    /// customer. Amounts are random, so that the default limits decline some.
    pub(crate) fn mix(repeats: Repeats, percent: usize) -> Result<Case> {
        let kind = if repeats == Repeats::Duplicates { "duplicates" } else { "redeliveries" };
        let mut batches = Vec::new();
        for customer in 0..CUSTOMERS {
            let seed = SEED + (100 * customer + percent) as u64;
            batches.extend(mixed(&format!("{kind}-{percent}-{customer}"), repeats, percent, seed)?);
        }
        Ok(Case { name: format!("{percent} %"), before: vec![], batches, is_by_event: true })
    }

    /// Returns the number of events or messages by which the cost is divided.
    pub(crate) fn divisor(&self) -> usize {
        let messages = || self.batches.iter().flatten();
        if self.is_by_event {
            messages().map(Delivery::event).collect::<BTreeSet<_>>().len()
        } else {
            messages().count()
        }
    }
}

fn mixed(customer: &str, repeats: Repeats, percent: usize, seed: u64) -> Result<Vec<Batch>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let all = MIX_BATCHES * BATCH;
    let again = random.choose_multiple(BATCH..all, all * percent / 100);
    let mut batches: Vec<Batch> = Vec::new();
    for begin in (0..all).step_by(BATCH) {
        let mut earlier: Vec<Delivery> = batches
            .iter()
            .flatten()
            .enumerate()
            .filter(|(place, _)| !again.contains(place))
            .map(|(_, first)| first.clone())
            .collect();
        random.shuffle(&mut earlier);
        let mut batch = Batch::new();
        for place in begin..begin + BATCH {
            // A batch has no message twice.
            let first = if again.contains(&place) { earlier.pop() } else { None };
            batch.push(match first {
                Some(first) => repeated(&first, repeats, place),
                None => delivery(customer, place, &format!("${}.00", random.u32(1..4000)))?,
            });
        }
        batches.push(batch);
    }
    Ok(batches)
}

fn repeated(earlier: &Delivery, repeats: Repeats, index: usize) -> Delivery {
    let mut again = earlier.clone();
    match repeats {
        Repeats::Duplicates => again.source.message_id = message_id(&format!("again-{index}")),
        Repeats::Redeliveries => again.source.is_redelivery = true,
    }
    again
}

/// Returns the nth message of a customer, with an attempt of its own. A customer has three attempts a day.
fn delivery(customer: &str, n: usize, amount: &str) -> Result<Delivery> {
    let (id, day) = (format!("event-{n}"), 3 + n / 3);
    let time = format!("2000-01-{day:02}T00:00:00Z");
    let line = json!({"id": id, "customer_id": customer, "load_amount": amount, "time": time}).to_string();
    let written = read_attempt(line.as_bytes()).map_err(Error::other)?;
    let attempt = LoadAttempt::check(written.clone()).map_err(Error::other)?;
    let source = MessageSource { message_id: message_id(&format!("{customer}-{n}")), ..MessageSource::default() };
    Ok(Delivery::new(n as u64, source, &written, attempt, Currency::USD))
}

/// Returns an id of the length of SQS's message ids.
fn message_id(name: &str) -> String {
    let mut id = loadgate::deciding::digest_hex(&[name.as_bytes()]);
    id.truncate(36);
    id
}
