//! What a batch came to.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::Units;
use crate::app::deciding::Outcome;
use crate::domain::StoredDecision;

/// Counts of a batch: what metrics are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Decided now: within every limit.
    pub accepted: u64,
    /// Decided now: over at least one limit.
    pub declined: u64,
    /// How often each limit declined, by its code. One attempt may break several.
    pub declined_by_reason: BTreeMap<String, u64>,
    /// Duplicates: not decided, not published.
    pub ignored: u64,
    /// Sent to the dead-letter queue.
    pub invalid: u64,
    /// Stored decisions that were asked for again.
    pub redelivered: u64,
    /// Commits that another writer's was ahead of.
    pub conflicts: u64,
    /// Decisions that the queue did not take.
    pub publish_failures: u64,
    /// Messages reported as failed.
    pub failed: u64,
    /// Capacity consumed.
    pub units: Units,
    /// Time spent reading, committing and publishing. Stages of different customers may overlap.
    pub read_time: Duration,
    /// See `read_time`.
    pub commit_time: Duration,
    /// See `read_time`.
    pub publish_time: Duration,
}

impl Report {
    /// Counts what became of a message of a batch that was begun at `begun`.
    pub fn count(&mut self, outcome: &Outcome, begun: DateTime<Utc>) {
        match outcome {
            Outcome::Decided(record) => self.count_decided(&record.decision),
            // Committed by this very batch: only the answer had not come.
            Outcome::Redelivered { record, is_same_message: true } if record.decision.decided_at >= begun => {
                self.count_decided(&record.decision);
            }
            Outcome::Redelivered { .. } => self.redelivered += 1,
            Outcome::Ignored { .. } => self.ignored += 1,
        }
    }

    fn count_decided(&mut self, decision: &StoredDecision) {
        if decision.accepted {
            self.accepted += 1;
            return;
        }
        self.declined += 1;
        for reason in &decision.reasons {
            *self.declined_by_reason.entry(reason.clone()).or_default() += 1;
        }
    }
}
