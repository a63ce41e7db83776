//! Messages for a FIFO queue.

/// The most messages in one request to a queue (the SQS API reference, `SendMessageBatch`).
pub const SEND_MAX: usize = 10;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its group: messages of one group keep their order.
    pub group_id: String,
    /// A second message with the same within five minutes is dropped by the queue.
    pub deduplication_id: String,
    /// Its body.
    pub body: String,
}

/// Returns true when SQS takes every character of a body (the SQS API reference, `SendMessage`, `MessageBody`).
pub fn can_be_body(text: &str) -> bool {
    let is_taken = |character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    !text.is_empty() && text.chars().all(is_taken)
}
