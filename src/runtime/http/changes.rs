//! What the handlers ask for, whatever the store: changes.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Problem;
use super::reads::{Read, Reads, StoreService};
use crate::deciding::{Clock, RecordReader, Store};
use crate::domain::{ChangeError, ChangeRequest, LimitProgress};
use crate::limits::{AnswerStore, Keep, KeptAnswer, LimitChangeError, LimitChanger, LimitStore, NewLimit, RequestKey};
use crate::wire::api::ProblemCode;

/// Result of a change.
pub type Change<'r, T> = BoxFuture<'r, Result<T, LimitChangeError>>;

/// Changes of customers' own limits, and the answers that are kept with changes.
pub trait LimitChanges: Send + Sync {
    /// Creates a limit, and returns it with its progress.
    fn create_limit<'r>(&'r self, new: &'r NewLimit, by: &'r str, keep: Keep<'r>) -> Change<'r, LimitProgress>;

    /// Changes a limit that has one of the versions `base`, and returns it with its progress.
    fn change_limit<'r>(
        &'r self,
        limit_id: &'r str,
        request: ChangeRequest,
        base: Option<&'r [u64]>,
        by: &'r str,
        keep: Keep<'r>,
    ) -> Change<'r, LimitProgress>;

    /// Returns the answer that is kept under a key. It may have expired.
    fn kept_answer<'r>(&'r self, key: &'r RequestKey) -> Read<'r, Option<KeptAnswer>>;
}

/// Everything that the handlers ask for. It keeps the types of stores out of them.
pub trait Service: Reads + LimitChanges {}

impl<T: Reads + LimitChanges> Service for T {}

impl<S, C> StoreService<S, C> {
    fn changer(&self) -> LimitChanger<'_, S, C> {
        let (store, clock) = (&self.decider.store, &self.decider.clock);
        LimitChanger { store, clock, currency: self.decider.currency, cooling_off: self.cooling_off }
    }
}

impl<S: Store + LimitStore + RecordReader + AnswerStore, C: Clock> LimitChanges for StoreService<S, C> {
    fn create_limit<'r>(&'r self, new: &'r NewLimit, by: &'r str, keep: Keep<'r>) -> Change<'r, LimitProgress> {
        async move { self.changer().create(new, by, keep).await }.boxed()
    }

    fn change_limit<'r>(
        &'r self,
        limit_id: &'r str,
        request: ChangeRequest,
        base: Option<&'r [u64]>,
        by: &'r str,
        keep: Keep<'r>,
    ) -> Change<'r, LimitProgress> {
        async move {
            if !self.decider.has_own_limits {
                return Err(LimitChangeError::Unknown);
            }
            self.changer().change(limit_id, request, base, by, keep).await
        }
        .boxed()
    }

    fn kept_answer<'r>(&'r self, key: &'r RequestKey) -> Read<'r, Option<KeptAnswer>> {
        self.decider.store.read_answer(key).boxed()
    }
}

impl From<LimitChangeError> for Problem {
    fn from(error: LimitChangeError) -> Problem {
        let code = match &error {
            LimitChangeError::Store(error) => return error.clone().into(),
            LimitChangeError::Unknown => ProblemCode::UnknownLimit,
            LimitChangeError::Stale => ProblemCode::PreconditionFailed,
            LimitChangeError::OtherCurrency => ProblemCode::OtherCurrency,
            LimitChangeError::TooMany => ProblemCode::TooManyLimits,
            LimitChangeError::Refused(ChangeError::Closed) => ProblemCode::LimitClosed,
            LimitChangeError::Refused(ChangeError::NotPending) => ProblemCode::NotPending,
            LimitChangeError::Refused(ChangeError::TooEarly) => ProblemCode::TooEarly,
            LimitChangeError::Refused(ChangeError::NeedsNone) => ProblemCode::NeedsNoConfirmation,
            // A handler repeats the kept answer.
            LimitChangeError::Repeated(_) => ProblemCode::KeyReused,
        };
        Problem::new(code, error.to_string())
    }
}
