//! Versions that a change is based on: `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use super::Problem;
use crate::wire::api::ProblemCode;

/// What a request demands of the stored version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the change is based on the version that the server reads.
    Unset,
    /// There is a version (`If-Match: *`).
    Exists,
    /// The version is one of these (`If-Match: "7"`).
    Is(Vec<u64>),
    /// There is none (`If-None-Match: *`).
    Absent,
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Precondition, Problem> {
        let values = |name: HeaderName| parts.headers.get_all(name).iter().collect::<Vec<_>>();
        match (values(IF_MATCH).as_slice(), values(IF_NONE_MATCH).as_slice()) {
            ([], []) => Ok(Precondition::Unset),
            ([], [any]) if *any == "*" => Ok(Precondition::Absent),
            ([any], []) if *any == "*" => Ok(Precondition::Exists),
            (tags, []) => match tags.iter().map(|tags| versions(tags)).collect::<Option<Vec<_>>>() {
                Some(versions) => Ok(Precondition::Is(versions.concat())),
                None => Err(unreadable()),
            },
            (_, _) => Err(unreadable()),
        }
    }
}

impl Precondition {
    /// Returns the versions that a change of something that exists may be based on; `None` for the one that is read.
    ///
    /// # Errors
    /// A [`Problem`] if the request demands that there is no version.
    pub fn versions(self) -> Result<Option<Vec<u64>>, Problem> {
        match self {
            Precondition::Unset | Precondition::Exists => Ok(None),
            Precondition::Is(versions) => Ok(Some(versions)),
            Precondition::Absent => Err(unreadable()),
        }
    }
}

/// Returns the versions of a list of entity tags. `None` if it has anything else. A weak tag matches nothing here.
fn versions(tags: &HeaderValue) -> Option<Vec<u64>> {
    let tags = tags.to_str().ok()?.split(',').map(str::trim);
    let version = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    tags.map(version).collect()
}

fn unreadable() -> Problem {
    let detail = "send the ETag of an earlier answer as If-Match, such as \"7\"; If-None-Match: * is for creating a plan or \
                  a link";
    Problem::new(ProblemCode::BadPrecondition, detail)
}

/// Returns the header `ETag` of a version.
pub fn etag(version: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{version}\"")).ok()
}

/// Name of whoever makes a request, for the record of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author(pub String);

/// Header in which a caller of `loadgate api` names whoever it acts for.
pub const AUTHOR: HeaderName = HeaderName::from_static("x-loadgate-by");

/// Author of requests that name nobody.
const NOBODY: &str = "api";

/// Maximum length of an author's name, in bytes. An IAM ARN may have so many.
const AUTHOR_BYTES_MAX: usize = 2048;

impl<S: Send + Sync> FromRequestParts<S> for Author {
    type Rejection = Infallible;

    /// The gateway's caller is known by its signature. A name that cannot be stored is left out.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Author, Infallible> {
        if let Some(author) = parts.extensions.get::<Author>() {
            return Ok(author.clone());
        }
        let name = parts.headers.get(AUTHOR).and_then(|name| name.to_str().ok()).map(str::trim);
        let name = name.filter(|name| (1..=AUTHOR_BYTES_MAX).contains(&name.len()));
        Ok(Author(name.unwrap_or(NOBODY).to_owned()))
    }
}
