//! The tries of one change of an own limit, until it is made or refused.

use super::{
    AnswerStore, Author, CALLER_TRIES, CustomerWrite, Keep, LimitChangeError, LimitChanger, LimitPointer, LimitStore,
    LimitWrite, PointerWrite, Precondition, ReportedLimit, StoredLimit, VersionedLimit,
};
use crate::deciding::backoff::Backoff;
use crate::deciding::{Cause, Clock, Remedy, Store, StoreError, remedy};
use crate::domain::{
    ChangeEffect, ChangeKind, ChangeRecord, ChangeRequest, CoolingOff, LimitProgress, Millis, OwnLimit,
};

/// What is wanted of a limit.
pub(super) enum Wanted<'r> {
    /// That it exists.
    Creation(OwnLimit),
    /// That it is changed.
    Change { limit_id: &'r str, request: ChangeRequest, base: Precondition },
}

/// One change, over all its tries.
pub(super) struct Attempt<'r, S, C> {
    changer: &'r LimitChanger<'r, S, C>,
    wanted: Wanted<'r>,
    /// The instant of the change. It stays the same, so that each try would write the same record.
    now: Millis,
    by: &'r Author,
    keep: Keep<'r, LimitProgress>,
    tries: Backoff,
    /// What the last try has begun to write.
    written: Option<Prepared>,
}

/// A change that is ready to be written.
struct Prepared {
    write: LimitWrite,
    shown: LimitProgress,
}

impl<'r, S: Store + LimitStore + AnswerStore, C: Clock> Attempt<'r, S, C> {
    pub(super) const fn new(
        changer: &'r LimitChanger<'r, S, C>,
        wanted: Wanted<'r>,
        now: Millis,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> Attempt<'r, S, C> {
        Attempt { changer, wanted, now, by, keep, tries: CALLER_TRIES, written: None }
    }

    /// Makes the change, and returns the limit with its progress.
    pub(super) async fn settle(mut self) -> Result<LimitProgress, LimitChangeError> {
        loop {
            match self.try_once().await {
                Err(LimitChangeError::Store(error)) => self.again(error).await?,
                made => return made,
            }
        }
    }

    async fn try_once(&mut self) -> Result<LimitProgress, LimitChangeError> {
        let stored = self.read().await?;
        // This comes after the read: what the read has seen of an earlier try is not taken for somebody else's change.
        if let Some(Prepared { write, shown }) = &self.written
            && self.is_written(write).await?
        {
            return Ok(shown.clone());
        }
        let Some((kind, limit)) = self.wanted.effect(&stored, self.now, self.changer.cooling_off)? else {
            return self.unchanged(stored).await;
        };
        let prepared = self.prepare(kind, limit, &stored).await?;
        let Prepared { write, shown } = self.written.insert(prepared);
        self.changer.store.write(write).await?;
        Ok(shown.clone())
    }

    async fn read(&self) -> Result<StoredLimit, LimitChangeError> {
        let store = self.changer.store;
        match &self.wanted {
            Wanted::Creation(limit) => Ok(LimitStore::read(store, &limit.limit_id, &limit.user_id).await?),
            Wanted::Change { limit_id, .. } => {
                let pointer = store.read_pointer(limit_id).await?.ok_or(LimitChangeError::Unknown)?;
                Ok(LimitStore::read(store, limit_id, &pointer.user_id).await?)
            }
        }
    }

    /// Returns true if a write was made. Its record shows that for good, also if the limit has changed again.
    async fn is_written(&self, write: &LimitWrite) -> Result<bool, StoreError> {
        let Some(CustomerWrite { change, .. }) = &write.customer else { return Ok(false) };
        let page = self.changer.store.read_changes(&write.limit_id, change.version.checked_sub(1), 1).await?;
        Ok(page.changes.first() == Some(change))
    }

    /// Returns the limit that stays as it is, with its progress.
    async fn unchanged(&self, stored: StoredLimit) -> Result<LimitProgress, LimitChangeError> {
        let known = stored.customer.limits.get(self.wanted.limit_id()).ok_or(LimitChangeError::Unknown)?.clone();
        let reported = stored.pointer.map_or(0, |pointer| pointer.reported);
        Ok(self.changer.reader().progress_at(&ReportedLimit { known, reported }, self.now).await?)
    }

    /// Prepares the write of a changed limit, and the answer.
    async fn prepare(&self, kind: ChangeKind, limit: OwnLimit, stored: &StoredLimit) -> Result<Prepared, StoreError> {
        let StoredLimit { pointer, customer } = stored;
        let (limit_id, user_id) = (limit.limit_id.clone(), limit.user_id.clone());
        let before = customer.get(&limit_id).map(|limit| limit.settled(self.now));
        let reported = pointer.as_ref().map_or(0, |pointer| pointer.reported);
        let version = customer.version.saturating_add(1);
        let mut after = customer.clone();
        after.define(limit.clone(), self.now);
        let shown = ReportedLimit { known: VersionedLimit { limit: limit.clone(), version }, reported };
        let shown = self.changer.reader().progress_at(&shown, self.now).await?;
        let changed_by = self.by.0.clone();
        let change = ChangeRecord { version, kind, changed_at: self.now, changed_by, before, after: limit };
        let answer = (self.keep)(&shown);
        let customer = Some(CustomerWrite { read_version: customer.version, after, change, answer });
        let pointer = matches!(self.wanted, Wanted::Creation(_))
            .then(|| PointerWrite { before: pointer.clone(), after: LimitPointer::new(user_id.clone()) });
        Ok(Prepared { write: LimitWrite { limit_id, user_id, pointer, customer }, shown })
    }

    /// Waits before another try, after an error of the store.
    ///
    /// # Errors
    /// The error if no other try helps, and [`LimitChangeError::Repeated`] if the request has an answer meanwhile: of another
    /// try, or of another request with the same key.
    async fn again(&mut self, error: StoreError) -> Result<(), LimitChangeError> {
        if remedy(&error) == Remedy::GiveUp || !self.tries.again(self.changer.clock).await {
            return Err(error.into());
        }
        let written = self.written.as_ref().and_then(|it| it.write.customer.as_ref());
        let Some(answer) = written.and_then(|it| it.answer.as_ref()) else { return Ok(()) };
        // An error of this read is one more of the tries.
        let kept = self.changer.store.kept_answer(&answer.key, self.changer.clock.now()).await;
        if matches!(kept, Ok(Some(_))) { Err(LimitChangeError::Repeated) } else { Ok(()) }
    }
}

impl Wanted<'_> {
    fn limit_id(&self) -> &str {
        match self {
            Wanted::Creation(limit) => &limit.limit_id,
            Wanted::Change { limit_id, .. } => limit_id,
        }
    }

    /// Returns the kind of the change that brings about what is wanted, and the limit after it; `None` if nothing changes. A
    /// change that requires no version is from then on based on the one that was read.
    fn effect(
        &mut self,
        stored: &StoredLimit,
        now: Millis,
        rule: CoolingOff,
    ) -> Result<Option<(ChangeKind, OwnLimit)>, LimitChangeError> {
        match self {
            Wanted::Creation(_) if stored.pointer.is_some() => {
                Err(StoreError::Conflict(Cause::new("the id of the new limit is taken; try again")).into())
            }
            Wanted::Creation(limit) if !stored.customer.has_room_for(limit, now) => Err(LimitChangeError::TooMany),
            Wanted::Creation(limit) => Ok(Some((ChangeKind::Created, limit.clone()))),
            Wanted::Change { limit_id, request, base } => {
                let known = stored.customer.limits.get(*limit_id).ok_or(LimitChangeError::Unknown)?;
                let version = known.version_at(now);
                if !base.holds(Some(version)) {
                    return Err(LimitChangeError::Changed);
                }
                if matches!(base, Precondition::Unset | Precondition::Any) {
                    *base = Precondition::Is(vec![version]);
                }
                Ok(match known.limit.change(*request, now, rule)? {
                    ChangeEffect::Changed(limit) => Some((kind(*request, &limit), *limit)),
                    ChangeEffect::Unchanged => None,
                })
            }
        }
    }
}

/// Returns the kind of a change that leaves this limit.
const fn kind(request: ChangeRequest, after: &OwnLimit) -> ChangeKind {
    match request {
        ChangeRequest::Set(_) if after.pending.is_some() => ChangeKind::IncreaseRequested,
        ChangeRequest::Set(_) => ChangeKind::Lowered,
        ChangeRequest::Remove => ChangeKind::RemovalRequested,
        ChangeRequest::Withdraw => ChangeKind::Withdrawn,
        ChangeRequest::Confirm => ChangeKind::Confirmed,
    }
}
