//! Report of a batch.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::deciding::{Outcome, Units};
use crate::domain::StoredDecision;

/// Counts, costs and times of a batch, from which metrics are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// The run under which new decisions are logged; `None` if they are not.
    pub run_id: Option<String>,
    /// Attempts decided in this batch that are within every limit.
    pub accepted: u64,
    /// Attempts decided in this batch that are over at least one limit.
    pub declined: u64,
    /// Number of declines by each limit, by the limit's code. One attempt may break several limits.
    pub declined_by_reason: BTreeMap<String, u64>,
    /// Number of attempts that each shadow limit would have declined, by the limit's code.
    pub shadow_declined: BTreeMap<String, u64>,
    /// Duplicates, which are neither decided nor published.
    pub ignored: u64,
    /// Messages sent to the dead-letter queue.
    pub invalid: u64,
    /// Stored decisions that a redelivered message brought up again.
    pub redelivered: u64,
    /// Commits that lost to another writer.
    pub conflicts: u64,
    /// Decisions that the queue refused.
    pub publish_failures: u64,
    /// Messages reported as failed.
    pub failed: u64,
    /// Age of the oldest failed message, since it was sent. Zero if none has failed.
    pub oldest_unsettled: Duration,
    /// Capacity consumed.
    pub units: Units,
    /// Time spent reading. Stages of different customers may overlap.
    pub read_time: Duration,
    /// Time spent committing. See `read_time`.
    pub commit_time: Duration,
    /// Time spent publishing. See `read_time`.
    pub publish_time: Duration,
}

impl BatchReport {
    /// Counts messages that must be delivered again, by the instants at which they were sent.
    pub fn count_failed(&mut self, sent_at: impl IntoIterator<Item = Option<DateTime<Utc>>>, now: DateTime<Utc>) {
        for sent_at in sent_at {
            self.failed += 1;
            let age = sent_at.and_then(|sent_at| (now - sent_at).to_std().ok()).unwrap_or_default();
            self.oldest_unsettled = self.oldest_unsettled.max(age);
        }
    }

    /// Counts the outcome of one message. `begun` is the instant at which its batch began.
    pub fn count(&mut self, outcome: &Outcome, begun: DateTime<Utc>) {
        match outcome {
            Outcome::Decided(record) => self.count_decided(&record.decision),
            // This batch made the commit, and only the store's answer was lost.
            Outcome::Redelivered { record, is_same_message: true } if record.decision.decided_at >= begun => {
                self.count_decided(&record.decision);
            }
            Outcome::Redelivered { .. } => self.redelivered += 1,
            Outcome::Ignored { .. } => self.ignored += 1,
        }
    }

    fn count_decided(&mut self, decision: &StoredDecision) {
        for code in &decision.shadow.broken {
            *self.shadow_declined.entry(code.clone()).or_default() += 1;
        }
        if decision.verdict.is_accepted() {
            self.accepted += 1;
            return;
        }
        self.declined += 1;
        for reason in decision.verdict.reasons() {
            *self.declined_by_reason.entry(reason.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_oldest_of_failed_messages_counts_and_one_without_a_time_or_sent_later_is_new() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let mut report = BatchReport::default();
        report.count_failed([None, Some(now + TimeDelta::seconds(5))], now);
        assert_eq!((report.failed, report.oldest_unsettled), (2, Duration::ZERO));
        report.count_failed([5, 9, 7].map(|minutes| Some(now - TimeDelta::minutes(minutes))), now);
        assert_eq!((report.failed, report.oldest_unsettled), (5, Duration::from_mins(9)));
    }
}
