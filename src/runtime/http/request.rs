//! What every request gets: an id, a check of its token, a time-out, and an answer to each error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tracing::Instrument;

use super::Problem;
use crate::deciding::with_sources;
use crate::wire::api::ProblemCode;

/// Header with the id of a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Route of the check of a load.
const CHECK_ROUTE: &str = "/customers/{customerId}/check";

/// Maximum length of a request's id, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Settings for all requests.
#[derive(Clone, Debug)]
pub struct RequestSettings {
    /// Time-out of a request.
    pub timeout: Duration,
    /// The tokens that requests must have.
    pub access: Access,
    /// Returns a new id for a request.
    pub new_id: fn() -> String,
}

/// Tokens that requests must have. Reading and changing are separate permissions: neither token serves for both.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token of requests that read; `None` if none is required.
    pub read: Option<BearerToken>,
    /// The token of requests that change something. Without it, nobody may change anything where reading requires a token.
    pub write: Option<BearerToken>,
    /// True if something else decides who may send requests, such as an API Gateway. Otherwise a change without a write token
    /// must not come from a web page: a browser lets every page send requests to the machine that it runs on.
    pub is_guarded: bool,
}

/// A secret that a caller must know.
#[derive(Clone)]
pub struct BearerToken(String);

impl BearerToken {
    /// Creates a token.
    pub const fn new(token: String) -> BearerToken {
        BearerToken(token)
    }

    /// Returns true if a request has the token. The time of the comparison does not depend on how much of it is right.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(token.ct_eq(self.0.as_bytes()))
    }
}

impl Access {
    /// Returns the problem of a request that is not allowed.
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let is_change = is_change(request);
        if is_change && self.write.is_none() {
            self.check_without_token(request.headers())?;
        }
        let token = if is_change { &self.write } else { &self.read };
        if token.as_ref().is_none_or(|token| token.is_in(request.headers())) {
            return Ok(());
        }
        let detail = "the request has no valid token; send the header Authorization: Bearer with the read token, or with the \
                      write token for a change";
        Err(Problem::new(ProblemCode::Unauthorized, detail))
    }

    /// Returns the problem of a change that is not allowed where there is no write token.
    fn check_without_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let detail = if self.read.is_some() {
            "changes are not allowed here, because no write token is configured"
        } else if headers.contains_key(ORIGIN) && !self.is_guarded {
            "a web page may not change anything here, because no write token is configured"
        } else {
            return Ok(());
        };
        Err(Problem::new(ProblemCode::ReadOnly, detail))
    }
}

/// Returns true if a request may change something. The check of a load is sent with POST, and changes nothing.
fn is_change(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !is_read && route != CHECK_ROUTE
}

/// Keeps the token out of logs.
impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

/// Answers a request.
pub async fn answer(State(settings): State<Arc<RequestSettings>>, request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers()).unwrap_or_else(settings.new_id);
    let span = tracing::info_span!("request", request_id);
    finished(&settings, request_id, request, next).instrument(span).await
}

async fn finished(settings: &RequestSettings, request_id: String, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (method, route) = (request.method().clone(), route.as_ref().map_or("none", MatchedPath::as_str));
    let mut answer = handled(settings, request, next).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        let problem = answer.extensions_mut().remove::<Problem>();
        let problem = problem.unwrap_or_else(|| Problem::of_status(answer.status()));
        let allow = answer.headers_mut().remove(ALLOW);
        log(&problem);
        answer = problem.answer(request_id.clone(), allow);
    }
    tracing::debug!(method = method.as_str(), route, status = answer.status().as_u16(), "answered");
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // An id consists of characters that a header may have.
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    answer
}

async fn handled(settings: &RequestSettings, request: Request, next: Next) -> Response {
    if let Err(problem) = settings.access.check(&request) {
        return problem.into_response();
    }
    tokio::time::timeout(settings.timeout, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!("there was no answer within {} s; try again later", settings.timeout.as_secs());
        Problem::new(ProblemCode::Timeout, detail).into_response()
    })
}

/// Logs a problem that is not the caller's.
fn log(problem: &Problem) {
    if problem.status().is_server_error() {
        let error =
            problem.source.as_ref().map_or_else(|| problem.detail.clone(), |error| with_sources(error.as_ref()));
        tracing::error!(code = problem.code.name(), error, "not answered");
    }
}

/// Returns the id that the caller gave the request, if it is short and can stand in headers and logs.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+/".contains(&byte);
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_valid = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain);
    is_valid.then(|| id.to_owned())
}
