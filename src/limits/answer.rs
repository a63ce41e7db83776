//! Answers that are kept, so that a repeated request gets the first one, and has no second effect.

use chrono::{DateTime, TimeDelta, Utc};

use crate::deciding::StoreError;

/// Time for which an answer is kept.
pub const ANSWER_KEPT: TimeDelta = TimeDelta::hours(24);

/// Key of a request that may be repeated. It is unique for its route only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The method and the path's pattern.
    pub route: String,
    /// The key that the caller gave.
    pub key: String,
}

/// An answer to a request, kept in the same write as the request's effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The key.
    pub key: RequestKey,
    /// Digest of the request's path and body.
    pub fingerprint: String,
    /// The HTTP status.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The body.
    pub body: String,
    /// The instant of the answer. One that is kept under the same key must have expired by then.
    pub answered_at: DateTime<Utc>,
}

impl KeptAnswer {
    /// Returns the instant from which the key may be used again.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.answered_at.checked_add_signed(ANSWER_KEPT).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// Makes the answer that is stored with a request's effect, from what the effect leaves; `None` without a key.
pub type Keep<'k, T> = &'k (dyn Fn(&T) -> Option<KeptAnswer> + Sync);

/// Storage of kept answers. They are written by the stores of what the requests change.
pub trait AnswerStore: Send + Sync {
    /// Reads the answer under a key, strongly consistent. It may have expired.
    fn read_answer(&self, key: &RequestKey) -> impl Future<Output = Result<Option<KeptAnswer>, StoreError>> + Send;

    /// Reads the answer under a key, strongly consistent; `None` also if it has expired at `now`.
    fn kept_answer(
        &self,
        key: &RequestKey,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<KeptAnswer>, StoreError>> + Send {
        async move { Ok(self.read_answer(key).await?.filter(|kept| kept.expires_at() > now)) }
    }
}
