//! Dead letters of the stream of limit events: records that cannot be applied, with the reason.

use super::LimitRecord;
use crate::deciding::QueueError;
use crate::deciding::dead_letter::{CODE_ATTRIBUTE, REASON_ATTRIBUTE};

/// Message attribute that holds the id of the record's shard.
pub const SHARD_ID_ATTRIBUTE: &str = "shard_id";
/// Message attribute that holds the record's sequence number in the stream.
pub const SEQUENCE_NUMBER_ATTRIBUTE: &str = "sequence_number";
/// Message attribute that holds the number of the record's bytes, also of those that the letter does not have.
pub const RECORD_BYTES_ATTRIBUTE: &str = "record_bytes";

/// Maximum size of a record whose letter has all of it, in bytes. Base64 adds a third, and the largest message of SQS has 1 MiB
/// (the SQS developer guide, "Message quotas").
pub const WHOLE_BYTES_MAX: usize = 700 * 1024;

/// Number of bytes that the letter of a larger record has.
pub const PART_BYTES: usize = 256 * 1024;

/// A record that cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitLetter<'r> {
    /// The record.
    pub record: &'r LimitRecord,
    /// The error's code, for machines.
    pub code: &'r str,
    /// The error in one sentence.
    pub reason: &'r str,
}

impl LimitLetter<'_> {
    /// Returns the record's bytes: all of them, or the first [`PART_BYTES`] of a record larger than [`WHOLE_BYTES_MAX`].
    pub fn data(&self) -> &[u8] {
        let data = &self.record.data;
        if data.len() <= WHOLE_BYTES_MAX { data } else { data.get(..PART_BYTES).unwrap_or(data) }
    }

    /// Returns the attributes that describe the error and the record's place in the stream. None is empty.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let LimitRecord { shard_id, sequence_number, data, .. } = self.record;
        let all = [
            (CODE_ATTRIBUTE, self.code.to_owned()),
            (REASON_ATTRIBUTE, self.reason.to_owned()),
            (SHARD_ID_ATTRIBUTE, shard_id.clone()),
            (SEQUENCE_NUMBER_ATTRIBUTE, sequence_number.clone()),
            (RECORD_BYTES_ATTRIBUTE, data.len().to_string()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }
}

/// A queue for dead letters.
pub trait LimitLetters: Send + Sync {
    /// Sends a letter.
    ///
    /// # Errors
    /// [`QueueError`]. The letter may have been sent.
    fn send(&self, letter: LimitLetter<'_>) -> impl Future<Output = Result<(), QueueError>> + Send;
}
