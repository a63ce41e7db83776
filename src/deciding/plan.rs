//! Planning of one customer's deliveries: a pure function of what was read for it.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::deciding::ports::COMMIT_ACTIONS_MAX;
use crate::deciding::usage::Usage;
use crate::deciding::{
    Commit, Consistency, CorrelationRecord, Delivery, FencedUsage, MessageSource, Outcome, Publication, Run, Snapshot,
    StoreError, Writes, expiry, pending,
};
use crate::domain::{
    EventKey, Limit, LimitOrigin, LimitUsage, LimitsInForce, Millis, StoredDecision, decide, judge_shadow,
};

/// Result of planning the first deliveries of a group, as many as one commit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Outcomes in the order of the deliveries. Deliveries beyond them need another plan, from another read.
    pub outcomes: Vec<Outcome>,
    /// True when records of this customer were found in the store, in this read or the one before.
    pub has_stored: bool,
    /// The commit on which the outcomes depend; `None` if all of them are stored already.
    pub commit: Option<Commit>,
}

/// Planner of one customer's deliveries, in two steps: those that are stored already, which wait for nothing, and the
/// others.
#[derive(Debug)]
pub struct Planner<'s> {
    snapshot: &'s Snapshot,
    correlation_ttl: TimeDelta,
    now: DateTime<Utc>,
    /// The run under which new decisions are logged; `None` if they are not.
    run: Option<&'s Run>,
    /// Events whose decision is published for an earlier delivery of this plan, with that delivery's fingerprint.
    /// Events of ignored duplicates are not included, because a later message of the batch may be the one that
    /// brought the event first.
    seen: BTreeMap<EventKey, String>,
    /// True when some of the customer's events were found already decided, in this read or the one before.
    has_stored: bool,
}

/// A plan in progress.
struct Deciding<'l> {
    limits: LimitsInForce<'l>,
    origin: &'l LimitOrigin,
    usage: Usage<'l>,
    records: Vec<CorrelationRecord>,
}

/// Returns the consistency with which records must be read first. If a message was received before, its record may be
/// very recent, and must be found, so that it is published, or at least becomes pending, even if an earlier delivery
/// fails. For other messages, an eventually consistent read suffices, because the commit's condition detects a stale
/// one.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

impl<'s> Planner<'s> {
    /// Creates a planner. `has_stored` is true when records of the same customer's earlier deliveries were found in the
    /// store just before.
    pub fn new(
        snapshot: &'s Snapshot,
        has_stored: bool,
        correlation_ttl: TimeDelta,
        now: DateTime<Utc>,
    ) -> Planner<'s> {
        // DynamoDB's condition and this plan compare whole seconds; decisions are dated in milliseconds.
        Planner { snapshot, correlation_ttl, now: now.trunc_subsecs(3), run: None, seen: BTreeMap::new(), has_stored }
    }

    /// Logs new decisions under a run, if there is one.
    #[must_use]
    pub fn logged_under(self, run: Option<&'s Run>) -> Planner<'s> {
        Planner { run, ..self }
    }

    /// Returns true when records of this customer were found in the store, in this read or the one before.
    pub const fn has_stored(&self) -> bool {
        self.has_stored
    }

    /// Returns the outcomes of the leading deliveries whose events are stored already.
    pub fn stored(&mut self, deliveries: &[Delivery]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match self.known(delivery) {
                Ok(Some(outcome)) => outcomes.push(outcome),
                Ok(None) | Err(_) => break,
            }
        }
        outcomes
    }

    /// Plans deliveries, in order. `origin` is that of the limits that are not the customer's own. `fenced` is the customer's usage if it was read together with the fence, and
    /// `None` if the snapshot's rows are enough.
    ///
    /// # Errors
    /// The error of the first delivery, when its record or usage row could not be read or parsed.
    pub fn decide(
        mut self,
        deliveries: &[Delivery],
        limits: LimitsInForce<'_>,
        origin: &LimitOrigin,
        fenced: Option<FencedUsage>,
    ) -> Result<Plan, StoreError> {
        let usage = Usage::new(self.snapshot, fenced);
        let mut deciding = Deciding { limits, origin, usage, records: vec![] };
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            if deciding.is_full() {
                break;
            }
            match self.outcome(delivery, &mut deciding) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) if outcomes.is_empty() => return Err(error),
                // The deliveries before it proceed. The next plan starts with it, and fails with its error.
                Err(_) => break,
            }
        }
        let customer_id = deliveries.first().map(|delivery| delivery.customer_id().to_owned()).unwrap_or_default();
        let commit = deciding.commit(customer_id, self.has_stored, self.now);
        Ok(Plan { outcomes, has_stored: self.has_stored, commit })
    }

    fn outcome(&mut self, delivery: &Delivery, deciding: &mut Deciding<'_>) -> Result<Outcome, StoreError> {
        if let Some(outcome) = self.known(delivery)? {
            return Ok(outcome);
        }
        deciding.usage.need(&delivery.week())?;
        let at = Millis::of(delivery.attempt.time);
        let history = deciding.usage.history();
        let decision = decide(deciding.limits, &delivery.attempt, |_, limit| history.used(limit, at));
        let base = deciding.limits.base;
        let known = |limit: &Limit| deciding.usage.known(limit, at);
        let shadow = judge_shadow(base, &delivery.attempt, known).into();
        let mut usage =
            LimitUsage::after(decision, &delivery.attempt, deciding.limits, |limit| history.used(limit, at));
        usage.extend(LimitUsage::shadow_after(decision, &delivery.attempt, base, known));
        if decision.is_accepted() {
            deciding.usage.add(at, delivery.attempt.amount);
        }
        let decision = StoredDecision {
            key: delivery.event(),
            verdict: decision.into(),
            load_amount: delivery.load_amount.clone(),
            time: delivery.time.clone(),
            decided_at: self.now,
            usage,
            origin: deciding.origin.clone(),
            shadow,
            log: self.run.map(|run| run.position(delivery.index, self.now)),
        };
        let record = self.record(delivery, decision);
        self.seen.insert(record.decision.key.clone(), record.fingerprint.clone());
        deciding.records.push(record.clone());
        Ok(Outcome::Decided(record))
    }

    /// Returns the outcome of a delivery whose event is decided already, here or in the store.
    fn known(&mut self, delivery: &Delivery) -> Result<Option<Outcome>, StoreError> {
        let event = delivery.event();
        if let Some(fingerprint) = self.seen.get(&event) {
            return Ok(Some(Outcome::Ignored { is_altered: *fingerprint != delivery.fingerprint() }));
        }
        let stored = self.snapshot.records.get(&event).map(Result::as_ref).transpose().map_err(StoreError::clone)?;
        let Some(record) = stored.filter(|record| !record.is_expired(self.now)) else { return Ok(None) };
        self.has_stored = true;
        let outcome = judge_seen(delivery, record);
        if outcome.record().is_some() {
            self.seen.insert(event, record.fingerprint.clone());
        }
        Ok(Some(outcome))
    }

    fn record(&self, delivery: &Delivery, decision: StoredDecision) -> CorrelationRecord {
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
}

impl Deciding<'_> {
    /// Returns true when the commit may have no room for the record and the row of another delivery.
    fn is_full(&self) -> bool {
        self.records.len() + self.usage.actions() + 2 > COMMIT_ACTIONS_MAX
    }

    fn commit(mut self, customer_id: String, has_stored: bool, now: DateTime<Utc>) -> Option<Commit> {
        let (usage, checks, fence) = self.usage.changes(has_stored, now);
        let is_lone = self.records.len() == 1 && usage.is_empty() && checks.is_empty() && fence.is_none();
        let writes = match self.records.pop()? {
            record if is_lone => Writes::Record(Box::new(record)),
            last => {
                self.records.push(last);
                Writes::Transaction { records: self.records, usage, checks, fence }
            }
        };
        Some(Commit { customer_id, writes, now })
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
