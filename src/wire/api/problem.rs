//! Errors (RFC 9457).

use serde::Serialize;
use utoipa::ToSchema;

/// An error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct ProblemView {
    /// Always `about:blank`: the code tells errors apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The meaning of the status.
    #[schema(example = "Not Found")]
    pub title: &'static str,
    /// The status of the answer.
    #[schema(example = 404)]
    pub status: u16,
    /// One sentence that says what is wrong and what to do. It repeats no part of the request.
    #[schema(example = "there is no limit with this id")]
    pub detail: String,
    /// The error, for programs.
    pub code: ProblemCode,
    /// The id of the request, as in the header `x-request-id` and in the log.
    #[schema(example = "2f1c9a0be6f64d8fb7c0f1f8f1a2b3c4")]
    pub request_id: String,
}

/// Code of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProblemCode {
    /// 400: an id is empty, longer than 128 bytes, or not UTF-8.
    BadId,
    /// 400: a parameter is unknown, or is given twice.
    BadParameter,
    /// 400: `at` is not a time of the years 0 to 9999.
    BadAt,
    /// 400: `limit` is not a whole number from 1 to 100.
    BadLimit,
    /// 400: `cursor` is not one of an earlier answer.
    BadCursor,
    /// 400: the body is not UTF-8.
    NotUtf8,
    /// 400: the body is not one JSON object.
    NotJson,
    /// 400: a field of the body is missing.
    MissingField,
    /// 400: a field of the body has a value of another type.
    BadType,
    /// 400: `load_amount` is not an amount.
    BadAmount,
    /// 400: `time` is not an instant.
    BadTime,
    /// 400: a value is none that the field or the header can have, or the text of a plan is not valid.
    BadValue,
    /// 400: `If-Match` or `If-None-Match` cannot be understood.
    BadPrecondition,
    /// 400: the request is not valid HTTP, or its body has not arrived whole.
    BadRequest,
    /// 400: the body has a field that the request does not have.
    UnknownField,
    /// 400: `Idempotency-Key` does not have 1 to 128 printable ASCII characters.
    BadKey,
    /// 401: the bearer token is missing or wrong.
    Unauthorized,
    /// 403: changes are not allowed here, or not from a web page: no write token is configured.
    ReadOnly,
    /// 404: there is no such path.
    UnknownPath,
    /// 404: nobody has defined the limit, or it has left its customer.
    UnknownLimit,
    /// 404: there is no such plan, or no such version of it.
    UnknownPlan,
    /// 404: there is no such programme.
    UnknownProgram,
    /// 404: no plan is linked to the customer.
    UnknownLink,
    /// 404: there is no such job.
    UnknownJob,
    /// 405: the path has other methods. The header `Allow` lists them.
    MethodNotAllowed,
    /// 409: the customer has the most limits allowed.
    TooManyLimits,
    /// 409: the limit is canceled or has ended.
    LimitClosed,
    /// 409: no change waits.
    NotPending,
    /// 409: the pending change is confirmed before its wait is over.
    TooEarly,
    /// 409: the pending change needs no confirmation.
    NeedsNoConfirmation,
    /// 409: the job has ended.
    JobEnded,
    /// 412: what was to be changed is not as the request requires, or has been changed meanwhile. Nothing was written.
    PreconditionFailed,
    /// 413: the body is longer than 16 KiB.
    TooLong,
    /// 422: the currency is not that of the deployment.
    OtherCurrency,
    /// 422: the plan has no limit.
    EmptyPlan,
    /// 422: the `Idempotency-Key` came with another request before.
    KeyReused,
    /// 500: a stored item cannot be understood. The log names it.
    CorruptItem,
    /// 500: loadgate is configured wrongly, or has a defect. The log has the reason.
    Misconfigured,
    /// 501: the program has no queue of assignments, so that it cannot start jobs.
    NoQueue,
    /// 501: the program has no table of limits, so that there are no own limits, plans, programmes and jobs.
    NoLimitTable,
    /// 501: the program has no decision log.
    NoDecisionLog,
    /// 503: the queue of assignments does not answer. No job was started.
    QueueUnavailable,
    /// 503: the tables lack capacity, or change all the time. Try again after the time of `Retry-After`.
    StoreBusy,
    /// 503: the tables do not answer. Try again after the time of `Retry-After`.
    StoreUnavailable,
    /// 504: the answer took too long.
    Timeout,
}

impl ProblemCode {
    /// Returns the name in JSON.
    pub fn name(self) -> String {
        // A unit variant can always be serialised, as a string.
        serde_json::to_string(&self).unwrap_or_default().trim_matches('"').to_owned()
    }
}
