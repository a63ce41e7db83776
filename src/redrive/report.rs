//! Report of a redrive.

use std::collections::BTreeMap;

use crate::redrive::letters::{Letter, LetterContent};
use crate::redrive::redriver::Action;

/// Maximum number of dead letters named for each cause, and of failures listed.
const NAMED_MAX: usize = 3;

/// Reason why a dead letter is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its event has been decided, but the decision is not known to be published.
    NotPublished,
    /// Its event has not been decided.
    NotDecided,
    /// Its event has been decided for another message, and the decision is published.
    Duplicate,
    /// As [`Cause::Duplicate`], but its amount or time differs from those of the attempt that was decided.
    AlteredDuplicate,
    /// Its stored record cannot be parsed.
    Corrupt,
    /// It is not a valid load attempt. This is the error's code.
    Invalid(&'static str),
}

/// The dead letters of one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// Their number.
    pub count: u64,
    /// The message ids of the first few, at most three.
    pub message_ids: Vec<String>,
}

/// Dead letters found, and the results of processing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Number of dead letters seen.
    pub seen: u64,
    /// Dead letters seen, by cause.
    pub by_cause: BTreeMap<Cause, Letters>,
    /// Number of dead letters that were settled and have left the queue.
    pub done: u64,
    /// Number of those that were invalid, and are in the archive.
    pub archived: u64,
    /// Number of invalid dead letters that were moved to a group of their own, where they delay no other.
    pub regrouped: u64,
    /// Number of failures. Each stopped a customer, or left a dead letter where it was.
    pub failed: u64,
    /// The first failures: a message id, and a description.
    pub failures: Vec<String>,
    /// Number of dead letters that could not be made visible. They become visible when their visibility time-out
    /// ends.
    pub not_given_back: u64,
    /// True when the queue had no more to show, and the redrive was neither limited nor interrupted.
    pub is_complete: bool,
    /// Number of groups with ten staying dead letters. The queue shows none behind them.
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
