//! Requests that may be repeated: `Idempotency-Key`. The first answer is kept with the effect, for 24 hours, and repeated
//! byte for byte.

use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::precondition::etag;
use super::{Api, Problem};
use crate::deciding::digest_hex;
use crate::limits::{KeptAnswer, RequestKey};
use crate::wire::api::ProblemCode;

/// Header with the caller's key of a request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Maximum length of a key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The key of a request; `None` if the caller gave none.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<IdempotencyKey, Problem> {
        let Some(key) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(IdempotencyKey(None)) };
        let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
        let detail = format!("Idempotency-Key must have 1 to {KEY_BYTES_MAX} printable ASCII characters");
        let key = key.ok_or_else(|| Problem::new(ProblemCode::BadKey, detail))?;
        Ok(IdempotencyKey(Some(key.to_owned())))
    }
}

/// A request that has one effect, however often it is repeated with its key.
#[derive(Clone, Debug)]
pub struct Repeatable {
    key: Option<RequestKey>,
    /// Digest of the ids of the path and of the body.
    fingerprint: String,
}

/// An answer that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header `Location`.
    pub location: Option<String>,
    /// The version in the header `ETag`.
    pub version: Option<u64>,
    /// The body: JSON.
    pub body: String,
}

impl Repeatable {
    /// Creates a request. Keys are apart by `route`, the method and the path's pattern; `ids` are those of the path.
    pub fn new(IdempotencyKey(key): IdempotencyKey, route: &str, ids: &[&str], body: &[u8]) -> Repeatable {
        let parts: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes()).chain([body]).collect();
        let key = key.map(|key| RequestKey { route: route.to_owned(), key });
        Repeatable { key, fingerprint: digest_hex(&parts) }
    }

    /// Answers a request that is made once: with the first answer, if an earlier or a concurrent request with the same key has
    /// one. A concurrent one is the reason why `make` may fail: what it has changed is changed already.
    ///
    /// # Errors
    /// A [`Problem`]: that of `make`, or of the store, or if the key came with another request before.
    pub(super) async fn once<E: Into<Problem> + Send>(
        &self,
        api: &Api,
        make: impl Future<Output = Result<Answer, E>> + Send,
    ) -> Result<Response, Problem> {
        if let Some(first) = self.first_answer(api).await? {
            return Ok(first);
        }
        match make.await {
            Ok(answer) => Ok(answer.into_response()),
            Err(error) => self.first_answer(api).await?.ok_or_else(|| error.into()),
        }
    }

    async fn first_answer(&self, api: &Api) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let kept = api.limits.kept_answer(key).await?;
        kept.map(|kept| self.repeated(kept)).transpose()
    }

    /// Returns the answer that was kept for an earlier request with the same key, unless that was another request.
    fn repeated(&self, kept: KeptAnswer) -> Result<Response, Problem> {
        if kept.fingerprint != self.fingerprint {
            let detail = "the Idempotency-Key came with another request before; send a new key with a new request";
            return Err(Problem::new(ProblemCode::KeyReused, detail));
        }
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        Ok(respond(status, kept.location.as_deref(), kept.etag.as_deref(), kept.body))
    }

    /// Returns the answer as it is kept; `None` if the caller gave no key.
    pub fn keep(&self, answer: &Answer, answered_at: DateTime<Utc>) -> Option<KeptAnswer> {
        Some(KeptAnswer {
            key: self.key.clone()?,
            fingerprint: self.fingerprint.clone(),
            status: answer.status.as_u16(),
            location: answer.location.clone(),
            etag: answer.version.map(etag),
            body: answer.body.clone(),
            answered_at,
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        respond(self.status, self.location.as_deref(), self.version.map(etag).as_deref(), self.body)
    }
}

fn respond(status: StatusCode, location: Option<&str>, etag: Option<&str>, body: String) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [(LOCATION, location), (ETAG, etag)] {
        let value = value.and_then(|value| HeaderValue::try_from(value).ok());
        response.headers_mut().extend(value.map(|value| (name, value)));
    }
    response
}
