//! A Kinesis event: whatever it contains, each of its records is applied, a dead letter, or repeated.

use std::sync::{Mutex, PoisonError};

use aws_lambda_events::event::kinesis::KinesisEvent;
use chrono::TimeDelta;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Clock, QueueError};
use loadgate::domain::Currency;
use loadgate::limits::{LimitApplier, LimitBook, LimitConsumer, LimitLetter, LimitLetters};
use loadgate::runtime::kinesis::handle;
use loadgate::wire::parse_limit_event;

use super::event::{StillClock, block_on};

/// Maximum time of an invocation.
const TIMEOUT: TimeDelta = TimeDelta::seconds(60);

/// Handles the bytes as an event twice: with a queue that refuses some letters, and from the reported record on with one
/// that takes all.
pub fn check(bytes: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<KinesisEvent>(bytes) else { return false };
    let applier = LimitApplier { store: MemoryStore::default(), clock: StillClock };
    let letters = Letters { are_refused: true, sent: Mutex::default() };
    let mut consumer = LimitConsumer { applier, letters, currency: Currency::USD };
    let numbers: Vec<&str> = event.records.iter().map(|record| record.kinesis.sequence_number.as_str()).collect();
    let handled = block_on(handle(&consumer, event.clone(), StillClock.now() + TIMEOUT));
    assert_eq!(handled.is_ok(), !numbers.contains(&""), "exactly an event with a record without number is refused");
    let Ok((response, report)) = handled else { return false };
    let refused = refused_records(&event);
    let first_failed = refused.iter().find(|data| is_refused(data));
    assert_eq!(response.batch_item_failures.len(), usize::from(first_failed.is_some()), "{report:?}");
    let done = report.changed + report.outdated + report.ignored + report.invalid + report.failed;
    assert_eq!(done, event.records.len() as u64, "{report:?}");

    consumer.letters.are_refused = false;
    if let Some(failure) = response.batch_item_failures.first() {
        let number = failure.item_identifier.as_deref().unwrap_or_default();
        let place = numbers.iter().position(|known| *known == number).expect("a record of the event");
        let mut rest = event.clone();
        rest.records.drain(..place);
        let (response, _) = block_on(handle(&consumer, rest, StillClock.now() + TIMEOUT)).expect("an answer");
        assert!(response.batch_item_failures.is_empty(), "{response:?}");
    }
    let sent = consumer.letters.sent.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Records with the same number are repeated from the first of them on.
    let are_distinct = numbers.iter().collect::<std::collections::BTreeSet<_>>().len() == numbers.len();
    assert!(!are_distinct || sent == refused, "each refused record is one letter, in order");
    true
}

/// Returns the bytes of the records that cannot be applied.
fn refused_records(event: &KinesisEvent) -> Vec<Vec<u8>> {
    let mut book = LimitBook::default();
    let data = event.records.iter().map(|record| record.kinesis.data.0.clone());
    data.filter(|data| !parse_limit_event(data).is_ok_and(|event| book.apply(&event).is_ok())).collect()
}

/// A queue that refuses the letters of records with a `!`, if it is to refuse any.
struct Letters {
    are_refused: bool,
    sent: Mutex<Vec<Vec<u8>>>,
}

fn is_refused(data: &[u8]) -> bool {
    data.contains(&b'!')
}

impl LimitLetters for Letters {
    async fn send(&self, letter: LimitLetter<'_>) -> Result<(), QueueError> {
        assert!(!letter.code.is_empty() && !letter.reason.is_empty(), "{letter:?}");
        if self.are_refused && is_refused(&letter.record.data) {
            return Err(QueueError::no_answer());
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(letter.record.data.clone());
        Ok(())
    }
}
