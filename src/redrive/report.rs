//! The report of a redrive: dead letters by cause, and the results of the actions.

use std::collections::BTreeMap;

use crate::redrive::letters::{Letter, LetterContent};
use crate::redrive::redriver::Action;

/// Number of dead letters that are named for each cause, and of failures that are reported.
const NAMED_MAX: usize = 3;

/// Reason why a dead letter is in the queue.
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

/// The dead letters of one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// Their number.
    pub count: u64,
    /// The message ids of the first few.
    pub message_ids: Vec<String>,
}

/// Dead letters by cause, and the results of the actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Number of dead letters that were looked at.
    pub seen: u64,
    /// The same by cause.
    pub by_cause: BTreeMap<Cause, Letters>,
    /// Number of those that were settled, and have left the queue.
    pub done: u64,
    /// Number of these that were invalid, and are kept in the archive.
    pub archived: u64,
    /// Number of invalid dead letters that have got a group of their own, in which they hide nothing, and stay.
    pub regrouped: u64,
    /// Number of customers that were stopped, or dead letters not deleted, because something failed.
    pub failed: u64,
    /// The first failures: a message id, and what happened.
    pub failures: Vec<String>,
    /// Number of dead letters that could not be given back, and come back by themselves.
    pub not_given_back: u64,
    /// True when the queue had nothing more to give: neither was enough seen, nor was it interrupted.
    pub is_complete: bool,
    /// Of how many groups ten dead letters stay, so that the queue shows none behind them.
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
