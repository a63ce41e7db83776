//! What was found in a dead-letter queue, and what was done about it.

use std::collections::BTreeMap;

use crate::redrive::letters::{Letter, LetterContent};
use crate::redrive::redriver::Action;

/// How many letters of a cause are named, and how many failures are told.
const NAMED_MAX: usize = 3;

/// Why a letter is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its event has been decided, and the decision is not known to be published.
    NotPublished,
    /// Its event has not been decided.
    NotDecided,
    /// Its event has been decided for another message, and published.
    Duplicate,
    /// The same, but it asks for another amount, or at another time, than the attempt that was decided.
    AlteredDuplicate,
    /// Its record in the store cannot be understood.
    Corrupt,
    /// It is no valid load attempt; this is its code.
    Invalid(&'static str),
}

/// The letters of one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// How many there are.
    pub count: u64,
    /// The message ids of the first few.
    pub message_ids: Vec<String>,
}

/// What was found, and what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// How many letters were looked at.
    pub seen: u64,
    /// The same by cause.
    pub by_cause: BTreeMap<Cause, Letters>,
    /// How many were settled, and have left the queue.
    pub done: u64,
    /// How many of these were invalid, and are kept in the archive.
    pub archived: u64,
    /// How many invalid letters have got a group of their own, in which they hide nothing, and stay.
    pub regrouped: u64,
    /// How many customers were stopped, or letters not deleted, because something failed.
    pub failed: u64,
    /// The first failures: a message id, and what happened.
    pub failures: Vec<String>,
    /// How many letters could not be given back, and come back by themselves.
    pub not_given_back: u64,
    /// Whether the queue had nothing more to give: neither was enough seen, nor was it interrupted.
    pub is_complete: bool,
    /// Of how many groups ten letters stay, so that the queue shows none behind them.
    pub full_groups: u64,
}

impl RedriveReport {
    pub(super) fn note(&mut self, letter: &Letter) {
        let cause = match &letter.content {
            LetterContent::Invalid(error) => Cause::Invalid(error.code()),
            LetterContent::Attempt { action: Ok(Action::Publish(_)), .. } => Cause::NotPublished,
            LetterContent::Attempt { action: Ok(Action::SendBack), .. } => Cause::NotDecided,
            LetterContent::Attempt { action: Ok(Action::Delete { is_altered: false }), .. } => Cause::Duplicate,
            LetterContent::Attempt { action: Ok(Action::Delete { is_altered: true }), .. } => Cause::AlteredDuplicate,
            LetterContent::Attempt { action: Err(_), .. } => Cause::Corrupt,
        };
        let letters = self.by_cause.entry(cause).or_default();
        letters.count += 1;
        if letters.message_ids.len() < NAMED_MAX {
            letters.message_ids.push(letter.received.message_id.clone());
        }
    }

    pub(super) fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < NAMED_MAX {
            self.failures.push(what);
        }
    }
}
