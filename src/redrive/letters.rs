//! Dead letters, with the action that each needs.

use std::collections::BTreeMap;

use crate::deciding::dead_letter::origin;
use crate::deciding::{Clock, Delivery, Publisher, Received, Sender, Store, StoreError, read_delivery_of};
use crate::domain::{Currency, LoadError};
use crate::redrive::redriver::{Action, Redriver};

/// A message of a dead-letter queue.
pub struct Letter {
    pub received: Received,
    pub content: LetterContent,
}

/// Content of a dead letter, by the present rules. Input that was invalid before may be valid now.
pub enum LetterContent {
    /// A load attempt. Its action is an error when its event's record cannot be parsed.
    Attempt { delivery: Box<Delivery>, action: Result<Action, StoreError> },
    /// Anything else.
    Invalid(LoadError),
}

impl Letter {
    pub fn new((received, content): (Received, LetterContent)) -> Letter {
        Letter { received, content }
    }

    /// Returns the error of an invalid dead letter.
    pub const fn invalid(&self) -> Option<(&Received, &LoadError)> {
        match &self.content {
            LetterContent::Invalid(error) => Some((&self.received, error)),
            LetterContent::Attempt { .. } => None,
        }
    }
}

/// Reads dead letters, and determines the action that each needs.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn judge<S: Store, Q: Publisher, C: Clock, O: Sender>(
    redriver: &Redriver<S, Q, C, O>,
    received: &[Received],
) -> Result<Vec<LetterContent>, StoreError> {
    let read: Vec<_> = received.iter().map(|letter| read(letter, redriver.currency)).collect();
    let valid: Vec<&Delivery> = read.iter().filter_map(|delivery| delivery.as_ref().ok()).collect();
    let actions = redriver.actions(&valid).await?;
    let content = |delivery: Result<Delivery, LoadError>| match delivery {
        Ok(delivery) => LetterContent::Attempt { action: actions.action(&delivery), delivery: Box::new(delivery) },
        Err(error) => LetterContent::Invalid(error),
    };
    Ok(read.into_iter().map(content).collect())
}

/// Returns true when the dead letter is alone in its group, so that it delays no other.
pub fn has_own_group(letter: &Received) -> bool {
    letter.group_id == letter.message_id || origin(letter).is_some()
}

/// Reads a dead letter as the message that it was before.
fn read(letter: &Received, currency: Currency) -> Result<Delivery, LoadError> {
    let (message_id, group_id) = origin(letter).unwrap_or((&letter.message_id, &letter.group_id));
    read_delivery_of(0, letter, message_id, group_id, currency)
}

/// Sorts dead letters by customer, in order.
pub fn by_customer(letters: Vec<Letter>) -> BTreeMap<String, Vec<Letter>> {
    let mut customers = BTreeMap::<String, Vec<Letter>>::new();
    for letter in letters {
        let customer = match &letter.content {
            LetterContent::Attempt { delivery, .. } => delivery.customer_id().to_owned(),
            LetterContent::Invalid(_) => letter.received.group_id.clone(),
        };
        customers.entry(customer).or_default().push(letter);
    }
    customers
}
