//! Settling of one customer's dead letters, in order.

use crate::deciding::{Clock, Publisher, QueueError, Received, Receiver, Sender, Store, with_sources};
use crate::redrive::Redrive;
use crate::redrive::letters::{Letter, LetterContent};

/// Result of settling one customer's dead letters.
pub struct Settled {
    pub customer: String,
    /// The dead letters that have left the queue.
    pub done: Vec<Received>,
    pub failure: Option<String>,
    pub staying: Vec<Received>,
}

/// Settles one customer's dead letters in order, and deletes each. The first failure stops the customer.
pub async fn decide_all<S: Store, Q: Publisher, C: Clock, O: Sender, I: Receiver>(
    redrive: &Redrive<S, Q, C, O, I>,
    customer: String,
    letters: Vec<Letter>,
) -> Settled {
    let mut settled = Settled { customer, done: vec![], failure: None, staying: vec![] };
    for letter in letters {
        if settled.failure.is_some() {
            settled.staying.push(letter.received);
            continue;
        }
        match settle(redrive, &letter).await {
            Ok(()) => settled.done.push(letter.received),
            Err(what) => {
                settled.failure = Some(format!("{}: {what}", letter.received.message_id));
                settled.staying.push(letter.received);
            }
        }
    }
    settled
}

async fn settle<S: Store, Q: Publisher, C: Clock, O: Sender, I: Receiver>(
    redrive: &Redrive<S, Q, C, O, I>,
    letter: &Letter,
) -> Result<(), String> {
    let (delivery, action) = match &letter.content {
        LetterContent::Attempt { delivery, action } => {
            (delivery, action.as_ref().map_err(|error| with_sources(error))?)
        }
        LetterContent::Invalid(error) => return Err(error.to_string()),
    };
    let settled = redrive.redriver.perform(delivery, &letter.received.body, action).await;
    settled.map_err(|error| with_sources(&error))?;
    let deleted = redrive.letters.delete(std::slice::from_ref(&letter.received.receipt)).await.pop();
    deleted.unwrap_or_else(|| Err(QueueError::no_answer())).map_err(|error| {
        format!("done, but not deleted; it will be done again, which does no harm: {}", with_sources(&error))
    })
}
