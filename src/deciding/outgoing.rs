//! Messages for a FIFO queue.

/// Maximum number of messages in one request to a queue (the SQS API reference, `SendMessageBatch`).
pub const SEND_MAX: usize = 10;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its group. Messages of one group keep their order.
    pub group_id: String,
    /// Its deduplication id. The queue drops a second message with the same id within five minutes.
    pub deduplication_id: String,
    /// Its body.
    pub body: String,
}

/// Returns true when SQS accepts every character of a body (the SQS API reference, `SendMessage`, `MessageBody`).
pub fn can_be_body(text: &str) -> bool {
    let is_taken = |character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    !text.is_empty() && text.chars().all(is_taken)
}
