//! Planning of one customer's deliveries: what must be read for it, and a pure function of what was read.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::deciding::ports::COMMIT_ACTIONS_MAX;
use crate::deciding::{
    Commit, Consistency, CorrelationRecord, Delivery, Lookup, MessageSource, Outcome, Publication, Snapshot,
    StoreError, UsageChange, UsageCheck, UsageKey, UsageRow, Writes, expiry, pending,
};
use crate::domain::{Day, Decision, EventKey, LimitUsage, Limits, StoredDecision, Week, WeekUsage, decide_in_week};

/// Result of planning the first deliveries of a group, as many as one commit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Outcomes in the order of the deliveries. Deliveries beyond them need another plan, from another read.
    pub outcomes: Vec<Outcome>,
    /// Number of leading outcomes that are already stored and need no commit.
    pub stored: usize,
    /// True when records of this customer were found in the store, in this read or the one before.
    pub has_stored: bool,
    /// The commit on which the other outcomes depend; `None` if there are no others.
    pub commit: Option<Commit>,
}

/// Data that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'s> {
    /// Records and rows that were read for the deliveries.
    pub snapshot: &'s Snapshot,
    /// True when records of the same customer's earlier deliveries were found in the store just before.
    pub has_stored: bool,
    /// The present instant.
    pub now: DateTime<Utc>,
}

/// Returns the consistency with which records must be read first. If a message was received before, its record may be
/// very recent, and must be found, so that it is published, or at least becomes pending, even if an earlier delivery
/// fails. For other messages, an eventually consistent read suffices, because the commit's condition detects a stale
/// one.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

/// Returns the keys that must be read before these deliveries can be decided.
pub fn lookup<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in deliveries {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}

/// Plans one customer's deliveries, in order.
///
/// # Errors
/// The error of the first delivery, when its record or usage row could not be read or parsed.
pub fn plan(
    limits: &Limits,
    correlation_ttl: TimeDelta,
    deliveries: &[Delivery],
    PlanInput { snapshot, has_stored, now }: PlanInput<'_>,
) -> Result<Plan, StoreError> {
    // DynamoDB's condition and this plan compare whole seconds; decisions are dated in milliseconds.
    let now = now.trunc_subsecs(3);
    let mut planner = Planner {
        limits,
        correlation_ttl,
        snapshot,
        now,
        seen: BTreeMap::new(),
        rows: BTreeMap::new(),
        records: vec![],
        has_stored,
    };
    let mut outcomes = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        if planner.is_full() {
            break;
        }
        match planner.outcome(delivery) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) if outcomes.is_empty() => return Err(error),
            // The deliveries before it proceed. The next plan starts with it, and fails with its error.
            Err(_) => break,
        }
    }
    let is_stored = |outcome: &&Outcome| !matches!(outcome, Outcome::Decided(_));
    let stored = outcomes.iter().take_while(is_stored).count();
    let has_stored = planner.has_stored;
    Ok(Plan { outcomes, stored, has_stored, commit: planner.commit(deliveries) })
}

struct Planner<'a> {
    limits: &'a Limits,
    correlation_ttl: TimeDelta,
    snapshot: &'a Snapshot,
    now: DateTime<Utc>,
    /// Events whose decision is published for an earlier delivery of this plan, with that delivery's fingerprint.
    /// Events of ignored duplicates are not included, because a later message of the batch may be the one that
    /// brought the event first.
    seen: BTreeMap<EventKey, String>,
    /// Usage of each week: as read, and after the deliveries planned so far.
    rows: BTreeMap<Week, (UsageRow, WeekUsage)>,
    records: Vec<CorrelationRecord>,
    /// True when some of the customer's events were found already decided, in this read or the one before.
    has_stored: bool,
}

impl Planner<'_> {
    /// Returns true when the commit may have no room for the record and the row of another delivery.
    fn is_full(&self) -> bool {
        self.records.len() + self.rows.len() + 2 > COMMIT_ACTIONS_MAX
    }

    fn outcome(&mut self, delivery: &Delivery) -> Result<Outcome, StoreError> {
        let event = delivery.event();
        if let Some(fingerprint) = self.seen.get(&event) {
            return Ok(Outcome::Ignored { is_altered: *fingerprint != delivery.fingerprint() });
        }
        let stored = self.snapshot.records.get(&event).map(Result::as_ref).transpose().map_err(StoreError::clone)?;
        match stored.filter(|record| !record.is_expired(self.now)) {
            Some(record) => {
                self.has_stored = true;
                let outcome = judge_seen(delivery, record);
                if outcome.record().is_some() {
                    self.seen.insert(event, record.fingerprint.clone());
                }
                Ok(outcome)
            }
            None => self.decide(delivery, event),
        }
    }

    fn decide(&mut self, delivery: &Delivery, event: EventKey) -> Result<Outcome, StoreError> {
        let key = delivery.week();
        let (before, usage) = self.row(&key)?;
        let (decision, after) = decide_in_week(self.limits, &usage, &delivery.attempt);
        self.rows.insert(key.week, (before, after));
        let record = self.record(delivery, event, decision, &usage);
        self.seen.insert(record.decision.key.clone(), record.fingerprint.clone());
        self.records.push(record.clone());
        Ok(Outcome::Decided(record))
    }

    fn row(&self, key: &UsageKey) -> Result<(UsageRow, WeekUsage), StoreError> {
        if let Some(row) = self.rows.get(&key.week) {
            return Ok(*row);
        }
        let row = self.snapshot.usage.get(key).cloned().transpose()?.unwrap_or_default();
        Ok((row, row.usage))
    }

    fn record(
        &self,
        delivery: &Delivery,
        event: EventKey,
        decision: Decision<'_>,
        usage: &WeekUsage,
    ) -> CorrelationRecord {
        let day = Day::of(delivery.attempt.time);
        let decision = StoredDecision {
            key: event,
            verdict: decision.into(),
            load_amount: delivery.load_amount.clone(),
            time: delivery.time.clone(),
            decided_at: self.now,
            usage: LimitUsage::after(decision, &delivery.attempt, self.limits, |limit| usage.used(limit, day)),
        };
        let expires_at = expiry(self.now, self.correlation_ttl);
        let record = CorrelationRecord {
            decision,
            message_id: delivery.source.message_id.clone(),
            fingerprint: delivery.fingerprint(),
            publication: Publication::Confirmed,
            expires_at,
        };
        // A message that was received before may be on its way to the dead-letter queue, so its record is pending
        // from the start.
        if delivery.source.is_redelivery { pending(&record, self.now) } else { record }
    }

    fn commit(mut self, deliveries: &[Delivery]) -> Option<Commit> {
        let customer_id = deliveries.first()?.customer_id().to_owned();
        let (mut usage, mut checks) = (Vec::new(), Vec::new());
        for (week, (before, after)) in self.rows {
            if before.usage != after {
                usage.push(UsageChange { week, before, after });
            } else if self.has_stored {
                // A read of records and rows together may see half of a transaction: a record without its load in the
                // row. So a row is checked if such a record was found. Otherwise the row is consistent by itself, and
                // a decline that relies on it needs no check, because usage only grows.
                checks.push(UsageCheck { week, version: before.version });
            }
        }
        let is_lone = self.records.len() == 1 && usage.is_empty() && checks.is_empty();
        let writes = match self.records.pop()? {
            record if is_lone => Writes::Record(Box::new(record)),
            last => {
                self.records.push(last);
                Writes::Transaction { records: self.records, usage, checks }
            }
        };
        Some(Commit { customer_id, writes, now: self.now })
    }
}

/// Returns the outcome of a delivery whose event has already been decided.
pub fn judge_seen(delivery: &Delivery, record: &CorrelationRecord) -> Outcome {
    let MessageSource { message_id, moved_from, .. } = &delivery.source;
    let is_same_message = record.message_id == *message_id || Some(&record.message_id) == moved_from.as_ref();
    if is_same_message || record.is_pending() {
        Outcome::Redelivered { record: record.clone(), is_same_message }
    } else {
        Outcome::Ignored { is_altered: record.fingerprint != delivery.fingerprint() }
    }
}
