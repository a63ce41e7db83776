//! Preconditions in the headers of requests, and the `ETag` of answers.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use super::Problem;
use crate::wire::api::ProblemCode;

pub use crate::limits::Precondition;

/// Precondition of a request.
pub struct Preconditions(pub Precondition);

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Preconditions, Problem> {
        precondition(&parts.headers).map(Preconditions)
    }
}

fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    match (joined(headers, &IF_MATCH)?, joined(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(Precondition::Unset),
        (Some(value), None) if value == "*" => Ok(Precondition::Any),
        (Some(value), None) => {
            let versions: Option<_> = value.split(',').map(|tag| version(tag.trim())).collect();
            versions.map(Precondition::Is).ok_or_else(unreadable)
        }
        (None, Some(value)) if value == "*" => Ok(Precondition::None),
        (_, Some(_)) => Err(unreadable()),
    }
}

/// Returns the value of a header that may stand in several lines; `None` without one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().map(str::trim));
    let values = values.collect::<Result<Vec<_>, _>>().map_err(|_| unreadable())?;
    Ok((!values.is_empty()).then(|| values.join(",")))
}

fn unreadable() -> Problem {
    let detail = "If-Match takes * or ETags of earlier answers, such as \"7\", and If-None-Match takes *; not both";
    Problem::new(ProblemCode::BadPrecondition, detail)
}

/// Reads an `ETag`: a number in double quotes, as [`etag`] writes it.
fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    digits.parse().ok().filter(|version: &u64| version.to_string() == digits)
}

/// Adds a version as the `ETag` of an answer.
pub fn with_etag(mut answer: Response, version: u64) -> Response {
    answer.headers_mut().extend(HeaderValue::try_from(etag(version)).ok().map(|tag| (ETAG, tag)));
    answer
}

/// Returns the `ETag` of a version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}
