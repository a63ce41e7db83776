//! Changes of customers' own limits at their request: read, decide by the cooling-off rule, write conditionally.

use super::change_attempt::{Attempt, Wanted};
use super::{AnswerStore, Author, Keep, LimitReader, LimitStore, Precondition};
use crate::deciding::{Clock, Store, StoreError};
use crate::domain::{
    Cents, ChangeError, ChangeRequest, CoolingOff, Currency, LimitProgress, Millis, OWN_LIMITS_KEPT_MAX,
    OWN_LIMITS_MAX, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod,
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
    Changed,
    /// The currency is not that of the deployment.
    #[error("the currency is not that of the deployment, so that the limit would never be enforced")]
    OtherCurrency,
    /// The customer has the most limits allowed.
    #[error(
        "the customer has the most limits allowed: {OWN_LIMITS_MAX} that are neither canceled nor ended, or \
         {OWN_LIMITS_KEPT_MAX} in all"
    )]
    TooMany,
    /// The limit's state does not allow the change.
    #[error(transparent)]
    Refused(#[from] ChangeError),
    /// The request's key has an answer already: that of an earlier request, or of an earlier try whose answer was lost.
    #[error("the key came with an earlier request")]
    Repeated,
    /// The store failed. The change may have been made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store + LimitStore + AnswerStore, C: Clock> LimitChanger<'_, S, C> {
    /// Creates a limit that is active at once, and returns it with its progress.
    ///
    /// # Errors
    /// [`LimitChangeError`]. After an error of the store, the limit may have been created.
    pub async fn create(
        &self,
        new: &NewLimit,
        by: &Author,
        keep: Keep<'_, LimitProgress>,
    ) -> Result<LimitProgress, LimitChangeError> {
        if new.currency != self.currency {
            return Err(LimitChangeError::OtherCurrency);
        }
        let now = self.now();
        Attempt::new(self, Wanted::Creation(created(new, now)), now, by, keep).settle().await
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
        by: &Author,
        keep: Keep<'_, LimitProgress>,
    ) -> Result<LimitProgress, LimitChangeError> {
        let wanted = Wanted::Change { limit_id, request, base: base.clone() };
        Attempt::new(self, wanted, self.now(), by, keep).settle().await
    }

    pub(super) const fn reader(&self) -> LimitReader<'_, S, C> {
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
