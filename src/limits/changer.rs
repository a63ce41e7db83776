//! Changes of customers' own limits at their request: read, decide by the cooling-off rule, write conditionally.

use super::{
    AnswerStore, CustomerWrite, KeptAnswer, LimitPointer, LimitReader, LimitStore, LimitWrite, PointerWrite,
    Precondition, ReportedLimit, StoredLimit, TRIES, VersionedLimit,
};
use crate::deciding::backoff::Backoff;
use crate::deciding::{Cause, Clock, Remedy, Store, StoreError, remedy};
use crate::domain::{
    Cents, ChangeEffect, ChangeError, ChangeKind, ChangeRecord, ChangeRequest, CoolingOff, Currency, LimitProgress,
    Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod,
};

/// Changes customers' own limits. Any number of changers may share a store, also with appliers of limit events.
#[derive(Clone, Copy, Debug)]
pub struct LimitChanger<'r, S, C> {
    /// The store.
    pub store: &'r S,
    /// The clock.
    pub clock: &'r C,
    /// The currency of the deployment.
    pub currency: Currency,
    /// The cooling-off rule.
    pub cooling_off: CoolingOff,
}

/// A limit to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLimit {
    /// The id of the limit. Nobody has used it.
    pub limit_id: String,
    /// The customer.
    pub user_id: String,
    /// The period.
    pub period: OwnPeriod,
    /// The maximum, in hundredths of the currency.
    pub value: Cents,
    /// The currency of the maximum.
    pub currency: Currency,
}

/// Reason why a limit is not created or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LimitChangeError {
    /// There is no limit with this id.
    #[error("there is no limit with this id")]
    Unknown,
    /// The limit has another version than the change is based on.
    #[error("the limit has changed since the version that the request is based on; read it again")]
    Stale,
    /// The currency is not that of the deployment.
    #[error("the currency is not that of the deployment, so that the limit would never be enforced")]
    OtherCurrency,
    /// The customer has the most limits allowed.
    #[error("the customer has the most limits allowed: 32 that are neither canceled nor ended, or 500 in all")]
    TooMany,
    /// The limit's state does not allow the change.
    #[error(transparent)]
    Refused(#[from] ChangeError),
    /// The request's key has an answer already: that of an earlier request, or of an earlier try whose answer was lost.
    #[error("the key came with an earlier request")]
    Repeated(Box<KeptAnswer>),
    /// The store failed. The change may have been made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps the answer that is made from a limit. `None` if the caller gave no key.
pub type Keep<'k> = &'k (dyn Fn(&LimitProgress) -> Option<KeptAnswer> + Sync);

/// A change that is ready to be written.
struct Prepared {
    write: LimitWrite,
    shown: LimitProgress,
}

impl<S: Store + LimitStore + AnswerStore, C: Clock> LimitChanger<'_, S, C> {
    /// Creates a limit that is active at once, and returns it with its progress.
    ///
    /// # Errors
    /// [`LimitChangeError`]. After an error of the store, the limit may have been created.
    pub async fn create(&self, new: &NewLimit, by: &str, keep: Keep<'_>) -> Result<LimitProgress, LimitChangeError> {
        if new.currency != self.currency {
            return Err(LimitChangeError::OtherCurrency);
        }
        let (mut tries, now, mut written) = (TRIES, self.now(), None);
        let limit = created(new, now);
        loop {
            match self.try_create(&limit, now, &mut written, by, keep).await {
                Err(LimitChangeError::Store(error)) => self.again(error, &mut tries, written.as_ref()).await?,
                made => return made,
            }
        }
    }

    async fn try_create(
        &self,
        limit: &OwnLimit,
        now: Millis,
        written: &mut Option<Prepared>,
        by: &str,
        keep: Keep<'_>,
    ) -> Result<LimitProgress, LimitChangeError> {
        let stored = LimitStore::read(self.store, &limit.limit_id, &limit.user_id).await?;
        match written {
            // An earlier try has created the limit, and its answer was lost.
            Some(Prepared { write, shown }) if self.is_written(write).await? => return Ok(shown.clone()),
            _ if stored.pointer.is_some() => {
                return Err(StoreError::Conflict(Cause::new("the id of the new limit is taken; try again")).into());
            }
            _ => {}
        }
        if !stored.customer.has_room_for(limit, now) {
            return Err(LimitChangeError::TooMany);
        }
        let pointer = PointerWrite { before: stored.pointer.clone(), after: LimitPointer::new(limit.user_id.clone()) };
        let mut prepared = self.prepare(ChangeKind::Created, limit.clone(), &stored, now, by, keep).await?;
        prepared.write.pointer = Some(pointer);
        self.write(written.insert(prepared)).await
    }

    /// Changes a limit whose version is as required, and returns it with its progress. Where nothing is required, the change
    /// is based on the version that is read first.
    ///
    /// # Errors
    /// [`LimitChangeError`]. After an error of the store, the change may have been made.
    pub async fn change(
        &self,
        limit_id: &str,
        request: ChangeRequest,
        base: &Precondition,
        by: &str,
        keep: Keep<'_>,
    ) -> Result<LimitProgress, LimitChangeError> {
        let (mut tries, now) = (TRIES, self.now());
        let (mut base, mut written) = (base.clone(), None);
        loop {
            match self.try_change(limit_id, request, now, &mut base, &mut written, by, keep).await {
                Err(LimitChangeError::Store(error)) => self.again(error, &mut tries, written.as_ref()).await?,
                made => return made,
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    async fn try_change(
        &self,
        limit_id: &str,
        request: ChangeRequest,
        now: Millis,
        base: &mut Precondition,
        written: &mut Option<Prepared>,
        by: &str,
        keep: Keep<'_>,
    ) -> Result<LimitProgress, LimitChangeError> {
        let pointer = self.store.read_pointer(limit_id).await?.ok_or(LimitChangeError::Unknown)?;
        let stored = LimitStore::read(self.store, limit_id, &pointer.user_id).await?;
        let known = stored.customer.limits.get(limit_id).cloned().ok_or(LimitChangeError::Unknown)?;
        if let Some(Prepared { write, shown }) = written
            && self.is_written(write).await?
        {
            // An earlier try has made the change, and its answer was lost.
            return Ok(shown.clone());
        }
        let version = known.version_at(now);
        if !base.holds(Some(version)) {
            return Err(LimitChangeError::Stale);
        }
        if matches!(base, Precondition::Unset | Precondition::Any) {
            *base = Precondition::Is(vec![version]);
        }
        let limit = match known.limit.change(request, now, self.cooling_off)? {
            ChangeEffect::Changed(limit) => *limit,
            ChangeEffect::Unchanged => {
                let reported = stored.pointer.map_or(0, |pointer| pointer.reported);
                return Ok(self.reader().progress_at(&ReportedLimit { known, reported }, now).await?);
            }
        };
        let prepared = self.prepare(kind(request, &limit), limit, &stored, now, by, keep).await?;
        self.write(written.insert(prepared)).await
    }

    async fn write(&self, Prepared { write, shown }: &Prepared) -> Result<LimitProgress, LimitChangeError> {
        self.store.write(write).await?;
        Ok(shown.clone())
    }

    /// Waits before another try, after an error of the store.
    ///
    /// # Errors
    /// The error if no other try helps, and [`LimitChangeError::Repeated`] if the request has an answer meanwhile: of another
    /// try, or of another request with the same key.
    async fn again(
        &self,
        error: StoreError,
        tries: &mut Backoff,
        written: Option<&Prepared>,
    ) -> Result<(), LimitChangeError> {
        if remedy(&error) == Remedy::GiveUp || !tries.again(self.clock).await {
            return Err(error.into());
        }
        let answer = written.and_then(|it| it.write.customer.as_ref()?.answer.as_ref());
        let Some(answer) = answer else { return Ok(()) };
        // An error of this read is one more of the tries.
        let kept = self.store.read_answer(&answer.key).await.ok().flatten();
        match kept.filter(|kept| kept.expires_at() > self.clock.now()) {
            Some(kept) => Err(LimitChangeError::Repeated(Box::new(kept))),
            None => Ok(()),
        }
    }

    /// Returns true if a write was made. Its record shows that for good, also if the limit has changed again.
    async fn is_written(&self, write: &LimitWrite) -> Result<bool, StoreError> {
        let Some(CustomerWrite { change, .. }) = &write.customer else { return Ok(false) };
        let page = self.store.read_changes(&write.limit_id, change.version.checked_sub(1), 1).await?;
        Ok(page.changes.first() == Some(change))
    }

    /// Prepares the write of a changed limit, and the answer.
    async fn prepare(
        &self,
        kind: ChangeKind,
        limit: OwnLimit,
        stored: &StoredLimit,
        now: Millis,
        by: &str,
        keep: Keep<'_>,
    ) -> Result<Prepared, StoreError> {
        let before = stored.customer.get(&limit.limit_id).map(|limit| limit.settled(now));
        let reported = stored.pointer.as_ref().map_or(0, |pointer| pointer.reported);
        let (limit_id, user_id) = (limit.limit_id.clone(), limit.user_id.clone());
        let read_version = stored.customer.version;
        let version = read_version.saturating_add(1);
        let mut after = stored.customer.clone();
        after.define(limit.clone(), now);
        let shown = ReportedLimit { known: VersionedLimit { limit: limit.clone(), version }, reported };
        let shown = self.reader().progress_at(&shown, now).await?;
        let change = ChangeRecord { version, kind, changed_at: now, changed_by: by.to_owned(), before, after: limit };
        let customer = Some(CustomerWrite { read_version, after, change, answer: keep(&shown) });
        Ok(Prepared { write: LimitWrite { limit_id, user_id, pointer: None, customer }, shown })
    }

    fn reader(&self) -> LimitReader<'_, S, C> {
        LimitReader { store: self.store, clock: self.clock, currency: self.currency }
    }

    fn now(&self) -> Millis {
        Millis::of(self.clock.now())
    }
}

/// Returns a new limit.
fn created(new: &NewLimit, now: Millis) -> OwnLimit {
    OwnLimit {
        limit_id: new.limit_id.clone(),
        user_id: new.user_id.clone(),
        brand_id: None,
        kind: OwnLimitKind::Deposit,
        period: new.period,
        currency: new.currency,
        value: new.value,
        status: OwnLimitStatus::Active,
        active_from: now,
        active_until: None,
        raises: vec![],
        pending: None,
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
