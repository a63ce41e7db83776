//! Parts of requests: ids of paths, parameters, bodies.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{BODY_BYTES_MAX, Problem};
use crate::domain::{ID_BYTES_MAX, parse_time};
use crate::wire::api::ProblemCode;

/// Maximum number of entries in an answer.
const PAGE_MAX: u16 = 100;

/// Default number of entries in an answer.
const PAGE_DEFAULT: u16 = 50;

/// The only id of a path.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Problem> {
        let is_valid = |id: &str| is_id(id) && has_whole_escapes(parts.uri.path());
        let id = Path::<String>::from_request_parts(&mut parts.clone(), state).await.ok();
        let id = id.map(|Path(id)| id).filter(|id| is_valid(id));
        id.map(Id).ok_or_else(bad_id)
    }
}

/// The two ids of a path.
pub struct Ids(pub String, pub String);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Ids, Problem> {
        let ids = Path::<(String, String)>::from_request_parts(&mut parts.clone(), state).await.ok();
        let ids = ids.filter(|Path((first, second))| {
            [first, second].iter().all(|id| is_id(id)) && has_whole_escapes(parts.uri.path())
        });
        ids.map(|Path((first, second))| Ids(first, second)).ok_or_else(bad_id)
    }
}

/// The id and the version of a path. What is no version is one that does not exist: 0.
pub struct IdAndVersion(pub String, pub u64);

impl<S: Send + Sync> FromRequestParts<S> for IdAndVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<IdAndVersion, Problem> {
        let Ids(id, version) = Ids::from_request_parts(parts, state).await?;
        let version = version.parse().ok().filter(|known: &u64| known.to_string() == version);
        Ok(IdAndVersion(id, version.unwrap_or_default()))
    }
}

fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
}

fn bad_id() -> Problem {
    let detail = format!("an id has 1 to {ID_BYTES_MAX} bytes of UTF-8, percent-encoded in the path");
    Problem::new(ProblemCode::BadId, detail)
}

/// Returns true if two hexadecimal digits follow each percent sign.
fn has_whole_escapes(path: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    path.split('%').skip(1).all(|rest| is_hex(rest.as_bytes().first()) && is_hex(rest.as_bytes().get(1)))
}

/// The parameters of a request. One that is unknown, or is given twice, is an error.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Parameters<T>, Problem> {
        let parameters = Query::<T>::try_from_uri(&parts.uri);
        parameters.map(|Query(parameters)| Parameters(parameters)).map_err(|_| {
            Problem::new(
                ProblemCode::BadParameter,
                "a parameter is unknown, or is given twice; /openapi.json lists all",
            )
        })
    }
}

/// No parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parameters of a customer's usage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageParameters {
    at: Option<String>,
}

impl UsageParameters {
    /// Returns the instant; `None` if it is not given.
    pub fn at(&self) -> Result<Option<DateTime<Utc>>, Problem> {
        // In a query, a plus sign that is not encoded stands for a space.
        let at = self.at.as_deref().map(|at| parse_time(&at.replace(' ', "+")));
        let at = at.transpose().ok().filter(|at| at.is_none_or(|at| (0..=9999).contains(&at.year())));
        at.ok_or_else(|| {
            Problem::new(ProblemCode::BadAt, "at is not a time such as 2026-01-05T10:00:00Z of the years 0 to 9999")
        })
    }
}

/// Parameters of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    limit: Option<String>,
    cursor: Option<String>,
}

impl PageParameters {
    /// Returns the maximum number of entries.
    pub fn limit(&self) -> Result<u16, Problem> {
        let Some(limit) = &self.limit else { return Ok(PAGE_DEFAULT) };
        let limit = limit.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.ok_or_else(|| {
            Problem::new(ProblemCode::BadLimit, format!("limit is not a whole number from 1 to {PAGE_MAX}"))
        })
    }

    /// Returns the id behind which the list begins.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let id = base16ct::lower::decode_vec(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let id = id.filter(|id| is_id(id));
        id.map(Some).ok_or_else(PageParameters::bad_cursor)
    }

    /// Returns the problem of a cursor that no answer had.
    pub fn bad_cursor() -> Problem {
        Problem::new(ProblemCode::BadCursor, "cursor is not the nextCursor of an earlier answer")
    }
}

/// Returns the cursor of the list that begins behind an id.
pub fn cursor(id: &str) -> String {
    base16ct::lower::encode_string(id.as_bytes())
}

/// The body of a request.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body, Problem> {
        let body: Result<Bytes, BytesRejection> = Bytes::from_request(request, state).await;
        body.map(Body).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(ProblemCode::TooLong, format!("the body is longer than {BODY_BYTES_MAX} bytes"))
            } else {
                Problem::new(ProblemCode::BadRequest, "the body has not arrived whole")
            }
        })
    }
}
