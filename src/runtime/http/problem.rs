//! Errors of requests.

use std::sync::Arc;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::deciding::StoreError;
use crate::domain::LoadError;
use crate::limits::PlanError;
use crate::wire::api::{BodyError, ProblemCode, ProblemView};

/// Content type of a problem.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Time after which a request may succeed that found the tables busy or without an answer, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// Error of a request: a code for programs, and a sentence that repeats no part of the request.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The code.
    pub code: ProblemCode,
    /// The sentence.
    pub detail: String,
    /// The underlying error, for the log only.
    pub source: Option<Arc<StoreError>>,
}

impl Problem {
    /// Creates a problem without an underlying error.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), source: None }
    }

    /// Returns the problem of an answer that no handler of ours made.
    pub(super) fn of_status(status: StatusCode) -> Problem {
        if status.is_server_error() {
            Problem::new(ProblemCode::Misconfigured, "the request could not be answered: this is a defect of loadgate")
        } else {
            Problem::new(ProblemCode::BadRequest, "the request is not one that loadgate can read")
        }
    }

    /// Returns the status.
    pub const fn status(&self) -> StatusCode {
        match self.code {
            ProblemCode::BadId
            | ProblemCode::BadParameter
            | ProblemCode::BadAt
            | ProblemCode::BadLimit
            | ProblemCode::BadCursor
            | ProblemCode::NotUtf8
            | ProblemCode::NotJson
            | ProblemCode::MissingField
            | ProblemCode::BadType
            | ProblemCode::BadAmount
            | ProblemCode::BadTime
            | ProblemCode::UnknownField
            | ProblemCode::BadValue
            | ProblemCode::BadPrecondition
            | ProblemCode::BadKey
            | ProblemCode::BadRequest => StatusCode::BAD_REQUEST,
            ProblemCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ProblemCode::ReadOnly => StatusCode::FORBIDDEN,
            ProblemCode::UnknownPath
            | ProblemCode::UnknownLimit
            | ProblemCode::UnknownPlan
            | ProblemCode::UnknownProgram
            | ProblemCode::UnknownLink
            | ProblemCode::UnknownJob => StatusCode::NOT_FOUND,
            ProblemCode::NoQueue | ProblemCode::NoLimitTable | ProblemCode::NoDecisionLog => {
                StatusCode::NOT_IMPLEMENTED
            }
            ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::JobEnded
            | ProblemCode::TooManyLimits
            | ProblemCode::LimitClosed
            | ProblemCode::NotPending
            | ProblemCode::TooEarly
            | ProblemCode::NeedsNoConfirmation => StatusCode::CONFLICT,
            ProblemCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            ProblemCode::OtherCurrency | ProblemCode::KeyReused | ProblemCode::EmptyPlan => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ProblemCode::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemCode::CorruptItem | ProblemCode::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            ProblemCode::StoreBusy | ProblemCode::StoreUnavailable | ProblemCode::QueueUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ProblemCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Returns the answer to the request with this id. `allow` lists the methods of the path, if the method is wrong.
    pub(super) fn answer(self, request_id: String, allow: Option<HeaderValue>) -> Response {
        let status = self.status();
        let view = ProblemView {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code,
            request_id,
        };
        let mut answer = (status, json(&view)).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        answer
    }
}

/// Carries the problem to the code that knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = self.status().into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let (code, detail) = match &error {
            StoreError::Conflict(_) | StoreError::Throttled(_) => {
                (ProblemCode::StoreBusy, "the tables are busy; try again later")
            }
            StoreError::Unavailable(_) => (ProblemCode::StoreUnavailable, "the tables do not answer; try again later"),
            StoreError::Corrupt(_) => (
                ProblemCode::CorruptItem,
                "a stored item cannot be understood; the log names it under this request's id",
            ),
            StoreError::Misconfigured(_) => (
                ProblemCode::Misconfigured,
                "loadgate cannot use its tables; the log has the reason under this request's id",
            ),
        };
        Problem { source: Some(Arc::new(error)), ..Problem::new(code, detail) }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Problem {
        let code = match error {
            LoadError::TooLong => ProblemCode::TooLong,
            LoadError::NotUtf8 { .. } => ProblemCode::NotUtf8,
            LoadError::NotJson { .. } => ProblemCode::NotJson,
            LoadError::MissingField { .. } => ProblemCode::MissingField,
            LoadError::BadType { .. } => ProblemCode::BadType,
            LoadError::BadId { .. } | LoadError::GroupMismatch => ProblemCode::BadId,
            LoadError::BadAmount(_) => ProblemCode::BadAmount,
            LoadError::BadTime(_) => ProblemCode::BadTime,
        };
        Problem::new(code, error.to_string())
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Problem {
        let code = match error {
            PlanError::Changed => ProblemCode::PreconditionFailed,
            PlanError::UnknownPlan => ProblemCode::UnknownPlan,
            PlanError::UnknownProgram => ProblemCode::UnknownProgram,
            PlanError::UnknownLink => ProblemCode::UnknownLink,
            PlanError::Store(error) => return error.into(),
        };
        Problem::new(code, error.to_string())
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        let code = match error {
            BodyError::NotUtf8 { .. } => ProblemCode::NotUtf8,
            BodyError::NotJson { .. } => ProblemCode::NotJson,
            BodyError::MissingField { .. } => ProblemCode::MissingField,
            BodyError::BadType { .. } => ProblemCode::BadType,
            BodyError::BadId { .. } => ProblemCode::BadId,
            BodyError::BadValue { .. } => ProblemCode::BadValue,
            BodyError::BadAmount { .. } => ProblemCode::BadAmount,
            BodyError::UnknownField => ProblemCode::UnknownField,
        };
        Problem::new(code, error.to_string())
    }
}

/// Returns a JSON answer. Strings, numbers and booleans can always be serialised.
pub(super) fn json(view: &impl serde::Serialize) -> Response {
    let text = serde_json::to_string(view).unwrap_or_default();
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}
