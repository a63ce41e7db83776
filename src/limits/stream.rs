//! Application of the records of a stream.
//!
//! A record that cannot be applied goes to a dead-letter queue at once, and does not hold up the others. What the store
//! or the queue could not do is left to the stream, which repeats from the first such record on. The records behind it
//! are applied all the same: repeated, they change nothing, and no customer waits for another's.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, join, select};
use futures_util::{StreamExt, stream};

use super::{Applied, ApplyError, LimitApplier, LimitLetter, LimitLetters, LimitReader, LimitStore};
use crate::deciding::consumer::Deadline;
use crate::deciding::{Clock, QueueError, Store, StoreError, with_sources};
use crate::domain::{Change, Currency, LimitEvent, LimitEventError};

/// Code of a record that cannot be applied because the stored item of its limit or customer cannot be parsed.
pub const CORRUPT_ITEM: &str = "CORRUPT_ITEM";

/// Maximum number of letters that are sent at the same time.
const LETTERS_IN_PARALLEL_MAX: usize = 16;

/// Maximum time for comparing reported progress with loadgate's own: a measurement must not hold up the stream.
const COMPARE_TIMEOUT: Duration = Duration::from_secs(1);

/// A record of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRecord {
    /// Id of the shard; empty if it is not known.
    pub shard_id: String,
    /// Number of the record in the shard.
    pub sequence_number: String,
    /// The record's bytes.
    pub data: Vec<u8>,
    /// The event, or the reason why the bytes are none.
    pub event: Result<LimitEvent, LimitEventError>,
}

/// Result of a batch of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedRecords {
    /// The index of the first record that the stream must repeat; `None` if none.
    pub first_failed: Option<usize>,
    /// Counts and times of the batch.
    pub report: LimitReport,
}

/// Counts and times of a batch of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitReport {
    /// Events that changed a limit or its reported progress.
    pub changed: u64,
    /// Events that changed nothing, because one with the same or a higher sequence number came before.
    pub outdated: u64,
    /// Events of types without an effect.
    pub ignored: u64,
    /// Records that were sent to the dead-letter queue.
    pub invalid: u64,
    /// Records that the stream must repeat because of their own failure, and not only because they are behind one.
    pub failed: u64,
    /// The largest difference between reported progress and loadgate's own, among the enforced limits of the one customer
    /// that the batch looks at: hundredths of the currency.
    pub progress_gap: u64,
    /// Time spent applying events.
    pub apply_time: Duration,
}

/// Applies the records of a stream.
#[derive(Clone, Debug)]
pub struct LimitConsumer<S, Q, C> {
    /// Applies the events.
    pub applier: LimitApplier<S, C>,
    /// Takes the records that cannot be applied.
    pub letters: Q,
    /// The currency of all amounts.
    pub currency: Currency,
}

/// Result of one record.
enum Outcome {
    Applied(Applied),
    /// Retries do not help: the record is a dead letter, with this code and reason.
    Refused(&'static str, String),
    /// The store failed.
    Failed(StoreError),
    /// There was no time left.
    Unreached,
}

impl<S: Store + LimitStore, Q: LimitLetters, C: Clock> LimitConsumer<S, Q, C> {
    /// Applies the records of one shard, in their order, until the deadline.
    pub async fn handle(&self, records: Vec<LimitRecord>, deadline: Deadline) -> AppliedRecords {
        let clock = &self.applier.clock;
        let begun = clock.now();
        let outcomes = self.apply(&records, deadline.begin_until).await;
        let apply_time = (clock.now() - begun).to_std().unwrap_or_default();
        let failed = outcomes.iter().position(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Unreached));
        // Letters behind a failed record would be sent again with each repetition of it.
        let refused = letters(&records, &outcomes, failed.unwrap_or(records.len()));
        let compared = last_report(&records, &outcomes);
        let (sent, progress_gap) = join(self.send(refused, deadline.answer_by), self.gap(compared)).await;
        report_failures(&records, &outcomes);
        let count =
            |applied: Applied| of(outcomes.iter().filter(|it| matches!(it, Outcome::Applied(a) if *a == applied)));
        let unapplied = of(outcomes.iter().filter(|it| matches!(it, Outcome::Failed(_) | Outcome::Unreached)));
        let report = LimitReport {
            changed: count(Applied::Changed),
            outdated: count(Applied::Outdated),
            ignored: count(Applied::Ignored),
            invalid: sent.sent,
            failed: unapplied.saturating_add(sent.unsent),
            progress_gap,
            apply_time,
        };
        AppliedRecords { first_failed: sent.first_failed.or(failed), report }
    }

    /// Applies the valid events, until no more may be begun.
    async fn apply(&self, records: &[LimitRecord], until: DateTime<Utc>) -> Vec<Outcome> {
        let events = records.iter().filter_map(|record| record.event.clone().ok()).collect();
        let clock = &self.applier.clock;
        let mut applied = self.applier.apply_until(events, clock.sleep(left(clock, until))).await.into_iter();
        let outcome = |record: &LimitRecord| match &record.event {
            Err(error) => Outcome::Refused(error.code(), error.to_string()),
            Ok(_) => applied.next().flatten().map_or(Outcome::Unreached, outcome),
        };
        records.iter().map(outcome).collect()
    }

    /// Sends letters in order, several at the same time, until one is not sent or the time is over.
    async fn send(&self, letters: Vec<(usize, LimitLetter<'_>)>, until: DateTime<Utc>) -> SentLetters {
        let places: Vec<usize> = letters.iter().map(|(place, _)| *place).collect();
        let (clock, mut sent) = (&self.applier.clock, 0);
        let work = async {
            let answers = stream::iter(letters).map(async |(_, letter)| (letter, self.letters.send(letter).await));
            let mut answers = pin!(answers.buffered(LETTERS_IN_PARALLEL_MAX));
            while let Some((letter, answer)) = answers.next().await {
                if !is_sent(letter, &answer) {
                    break;
                }
                sent += 1;
            }
        };
        if let Either::Right(_) = select(pin!(work), pin!(clock.sleep(left(clock, until)))).await {
            tracing::error!("dead letters of limit events cut short; the stream repeats them");
        }
        SentLetters {
            sent: of(places.iter().take(sent)),
            unsent: of(places.iter().skip(sent)),
            first_failed: places.get(sent).copied(),
        }
    }

    /// Returns how far reported and own progress of a customer's enforced limits are apart, at most. An error leaves the
    /// measurement out.
    async fn gap(&self, customer_id: Option<&str>) -> u64 {
        let Some(customer_id) = customer_id else { return 0 };
        let LimitApplier { store, clock } = &self.applier;
        let reader = LimitReader { store, clock, currency: self.currency };
        let limits = match select(pin!(reader.of(customer_id)), pin!(clock.sleep(COMPARE_TIMEOUT))).await {
            Either::Left((Ok(limits), _)) => limits,
            Either::Left((Err(error), _)) => {
                tracing::warn!(error = with_sources(&error), "reported progress could not be compared");
                return 0;
            }
            Either::Right(_) => {
                let error = format!("no answer within {} s", COMPARE_TIMEOUT.as_secs());
                tracing::warn!(error, "reported progress could not be compared");
                return 0;
            }
        };
        let enforced = limits.iter().filter(|limit| limit.is_enforced);
        enforced.map(|limit| limit.reported.abs_diff(limit.progress)).max().unwrap_or_default()
    }
}

/// Result of sending letters.
struct SentLetters {
    sent: u64,
    unsent: u64,
    /// The place of the first letter that was not sent.
    first_failed: Option<usize>,
}

/// Returns what becomes of a record. No other code decides this.
fn outcome(applied: Result<Applied, ApplyError>) -> Outcome {
    match applied {
        Ok(applied) => Outcome::Applied(applied),
        Err(ApplyError::Event(error)) => Outcome::Refused(error.code(), error.to_string()),
        Err(ApplyError::Store(error)) => match error {
            // It would hold up its shard until somebody mends the item. As a letter it waits alone, and can be applied later:
            // its number keeps it behind newer events.
            StoreError::Corrupt(_) => Outcome::Refused(CORRUPT_ITEM, with_sources(&error)),
            StoreError::Conflict(_)
            | StoreError::Throttled(_)
            | StoreError::Unavailable(_)
            | StoreError::Misconfigured(_) => Outcome::Failed(error),
        },
    }
}

/// Returns the letters of the refused records before `end`, each with its place.
fn letters<'r>(records: &'r [LimitRecord], outcomes: &'r [Outcome], end: usize) -> Vec<(usize, LimitLetter<'r>)> {
    let refused = records.iter().zip(outcomes).take(end).enumerate().filter_map(|(place, (record, outcome))| {
        let Outcome::Refused(code, reason) = outcome else { return None };
        Some((place, LimitLetter { record, code, reason }))
    });
    refused.collect()
}

/// Returns the customer of the last report of progress that was taken. One customer of a batch is enough to see that the
/// stream and loadgate count differently, and keeps the cost of looking bounded.
fn last_report<'r>(records: &'r [LimitRecord], outcomes: &[Outcome]) -> Option<&'r str> {
    records.iter().zip(outcomes).rev().find_map(|(record, outcome)| {
        let change = record.event.as_ref().ok()?.change.as_ref()?;
        let is_taken = matches!(outcome, Outcome::Applied(Applied::Changed));
        (is_taken && matches!(change, Change::Progressed(_))).then(|| change.user_id())
    })
}

/// Logs the answer to a letter. Returns true if the letter is sent.
fn is_sent(LimitLetter { record, code, reason }: LimitLetter<'_>, answer: &Result<(), QueueError>) -> bool {
    let (shard_id, sequence_number) = (&record.shard_id, &record.sequence_number);
    match answer {
        Ok(()) => {
            tracing::warn!(shard_id, sequence_number, code, reason, "limit event sent to the dead-letter queue");
        }
        Err(error) => {
            let error = with_sources(error);
            tracing::error!(shard_id, sequence_number, code, error, "limit event not sent; the stream repeats it");
        }
    }
    answer.is_ok()
}

/// Logs each error once, with the number of its records and the first of them.
fn report_failures(records: &[LimitRecord], outcomes: &[Outcome]) {
    let mut failures = BTreeMap::<String, (u64, &LimitRecord)>::new();
    for (record, outcome) in records.iter().zip(outcomes) {
        let error = match outcome {
            Outcome::Failed(error) => with_sources(error),
            Outcome::Unreached => "no time was left before the function's time-out".to_owned(),
            Outcome::Applied(_) | Outcome::Refused(..) => continue,
        };
        failures.entry(error).or_insert((0, record)).0 += 1;
    }
    for (error, (records, first)) in failures {
        let (shard_id, sequence_number) = (&first.shard_id, &first.sequence_number);
        tracing::error!(shard_id, sequence_number, records, error, "limit events not applied; the stream repeats them");
    }
}

/// Returns the time that is left until an instant.
fn left(clock: &impl Clock, until: DateTime<Utc>) -> Duration {
    (until - clock.now()).to_std().unwrap_or_default()
}

fn of<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
