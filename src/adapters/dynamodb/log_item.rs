//! Conversion between entries of the decision log and DynamoDB items.
//!
//! | attribute | value |
//! |---|---|
//! | `RUN_ID` | the run |
//! | `SEQ` | the sequence number, in twenty digits, so that the order of texts is that of numbers |
//! | `EXPIRES_AT` | the instant from which the entry counts as absent, in epoch seconds: the table's TTL attribute |
//! | `MESSAGE_ID` | the message that brought the attempt |
//! | the others | the decision, as in its record |

use aws_sdk_dynamodb::types::AttributeValue::S;

use super::commit::epoch_seconds;
use super::decision_item::{epoch, from_decision, to_decision};
use super::item::{EXPIRES_AT, Item, MESSAGE_ID, RUN_ID, Reader, SEQ, item};
use crate::deciding::StoreError;
use crate::domain::{LogEntry, LogPosition};

/// Returns the key of an entry.
pub fn log_key(run_id: &str, seq: u64) -> Item {
    item([(RUN_ID, S(run_id.to_owned())), (SEQ, S(format!("{seq:020}")))])
}

/// Returns the sequence number of an item, or of a key.
pub fn seq_of(item: &Item) -> Option<u64> {
    item.get(SEQ)?.as_s().ok()?.parse().ok()
}

/// Converts an entry to an item.
pub fn from_log_entry(entry: &LogEntry) -> Item {
    let LogEntry { position, message_id, decision } = entry;
    let mut attributes = from_decision(decision);
    attributes.extend(log_key(&position.run_id, position.seq));
    attributes.extend(item([(MESSAGE_ID, S(message_id.clone())), (EXPIRES_AT, epoch_seconds(position.expires_at))]));
    attributes
}

/// Reads an entry from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_log_entry(item: &Item, table: &str) -> Result<LogEntry, StoreError> {
    let reader = Reader { item, table, keys: [RUN_ID, SEQ] };
    let position = LogPosition {
        run_id: reader.string(RUN_ID)?,
        seq: reader.get(SEQ, |_| seq_of(item))?,
        expires_at: reader.get(EXPIRES_AT, epoch)?,
    };
    let decision = to_decision(&reader, Some(position.clone()))?;
    Ok(LogEntry { position, message_id: reader.string(MESSAGE_ID)?, decision })
}
