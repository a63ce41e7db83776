//! Changes of limits, as the handlers request them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Problem;
use super::reads::Read;
use crate::deciding::{Clock, Decider, Store};
use crate::domain::{ChangeError, ChangeRequest, CoolingOff, LimitProgress};
use crate::limits::{
    AnswerStore, Author, Keep, KeptAnswer, LimitChangeError, LimitChanger, LimitStore, NewLimit, Precondition,
    RequestKey,
};
use crate::wire::api::ProblemCode;

/// Answer to a change of a limit.
pub type LimitAnswer<'r, T> = BoxFuture<'r, Result<T, LimitChangeError>>;

/// Changes of customers' own limits, and the answers that are kept with changes.
pub trait LimitRequests: Send + Sync {
    /// Creates a limit, and returns it with its progress.
    fn create_limit<'r>(
        &'r self,
        new: &'r NewLimit,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress>;

    /// Changes a limit whose version is as required, and returns it with its progress.
    fn change_limit<'r>(
        &'r self,
        limit_id: &'r str,
        request: ChangeRequest,
        base: &'r Precondition,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress>;

    /// Returns the answer that is kept under a key and has not expired.
    fn kept_answer<'r>(&'r self, key: &'r RequestKey) -> Read<'r, Option<KeptAnswer>>;
}

/// Limits in a decider's store.
#[derive(Clone, Debug)]
pub struct StoreLimits<S, C> {
    /// The decider.
    pub decider: Decider<S, C>,
    /// The rule for changes of own limits.
    pub cooling_off: CoolingOff,
}

impl<S, C> StoreLimits<S, C> {
    fn changer(&self) -> LimitChanger<'_, S, C> {
        let (store, clock) = (&self.decider.store, &self.decider.clock);
        LimitChanger { store, clock, currency: self.decider.currency, cooling_off: self.cooling_off }
    }
}

impl<S: Store + LimitStore + AnswerStore, C: Clock> LimitRequests for StoreLimits<S, C> {
    fn create_limit<'r>(
        &'r self,
        new: &'r NewLimit,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async move { self.changer().create(new, by, keep).await }.boxed()
    }

    fn change_limit<'r>(
        &'r self,
        limit_id: &'r str,
        request: ChangeRequest,
        base: &'r Precondition,
        by: &'r Author,
        keep: Keep<'r, LimitProgress>,
    ) -> LimitAnswer<'r, LimitProgress> {
        async move { self.changer().change(limit_id, request, base, by, keep).await }.boxed()
    }

    fn kept_answer<'r>(&'r self, key: &'r RequestKey) -> Read<'r, Option<KeptAnswer>> {
        self.decider.store.kept_answer(key, self.decider.clock.now()).boxed()
    }
}

impl From<LimitChangeError> for Problem {
    fn from(error: LimitChangeError) -> Problem {
        let code = match &error {
            LimitChangeError::Store(error) => return error.clone().into(),
            LimitChangeError::Unknown => ProblemCode::UnknownLimit,
            LimitChangeError::Changed => ProblemCode::PreconditionFailed,
            LimitChangeError::OtherCurrency => ProblemCode::OtherCurrency,
            LimitChangeError::TooMany => ProblemCode::TooManyLimits,
            LimitChangeError::Refused(ChangeError::Closed) => ProblemCode::LimitClosed,
            LimitChangeError::Refused(ChangeError::NotPending) => ProblemCode::NotPending,
            LimitChangeError::Refused(ChangeError::TooEarly) => ProblemCode::TooEarly,
            LimitChangeError::Refused(ChangeError::NeedsNone) => ProblemCode::NeedsNoConfirmation,
            // The handler repeats the kept answer.
            LimitChangeError::Repeated => ProblemCode::KeyReused,
        };
        Problem::new(code, error.to_string())
    }
}
