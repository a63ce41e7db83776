//! Authors of changes.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;

use super::Problem;
use crate::limits::Author;
use crate::wire::api::ProblemCode;

/// Header with the author of a request's change. Behind an API Gateway, the caller's IAM ARN counts instead.
pub const BY: HeaderName = HeaderName::from_static("x-loadgate-by");

/// Author of a change whose request names none.
const DEFAULT: &str = "api";

/// Maximum length of an author that a request names, in bytes.
const BY_BYTES_MAX: usize = 128;

/// Author of a request's change.
pub struct By(pub Author);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<By, Problem> {
        if let Some(caller) = parts.extensions.get::<Author>() {
            return Ok(By(caller.clone()));
        }
        let mut values = parts.headers.get_all(BY).iter();
        let by = match (values.next(), values.next()) {
            (None, _) => Some(DEFAULT),
            (Some(value), None) => value.to_str().ok().filter(|by| is_name(by)),
            (Some(_), Some(_)) => None,
        };
        by.map(|by| By(Author(by.to_owned()))).ok_or_else(|| {
            let detail = format!("the header {BY} must be one name of 1 to {BY_BYTES_MAX} printable ASCII characters");
            Problem::new(ProblemCode::BadValue, detail)
        })
    }
}

fn is_name(by: &str) -> bool {
    (1..=BY_BYTES_MAX).contains(&by.len()) && by.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
