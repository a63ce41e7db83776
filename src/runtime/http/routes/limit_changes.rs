//! The handlers that change customers' own limits.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::{ChangeRequest, Currency, LimitProgress, OwnPeriod};
use crate::limits::{Author, KeptAnswer, LimitChangeError, NewLimit, Precondition};
use crate::runtime::http::author::By;
use crate::runtime::http::extract::{Body, Id, NoParameters, PageParameters, Parameters, cursor};
use crate::runtime::http::precondition::Preconditions;
use crate::runtime::http::problem::json;
use crate::runtime::http::repeat::{Answer, IdempotencyKey, Repeatable};
use crate::runtime::http::{Api, Problem};
use crate::wire::api::{BodyError, ChangeListView, Fields, NewLimitRequest, NewValueRequest, ProblemView};
use crate::wire::{LimitView, limit_progress_json};

/// Create a limit of a customer's own
///
/// The limit is of type `DEPOSIT` and active at once. With the header `Idempotency-Key`, a repeated request gets the first
/// answer.
#[utoipa::path(
    post,
    path = "/user-limits",
    operation_id = "createLimit",
    tag = "limits",
    params(
        ("idempotency-key" = Option<String>, Header, description = "Any text, new for each limit", max_length = 128),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    request_body(content = inline(NewLimitRequest), content_type = "application/json"),
    responses(
        (status = 201, body = LimitView, description = "The limit",
            headers(("etag" = String, description = "The limit's version, in double quotes"),
                ("location" = String, description = "The limit's path"))),
        (status = 409, body = ProblemView, content_type = "application/problem+json",
            description = "The customer has the most limits allowed"),
        (status = 422, body = ProblemView, content_type = "application/problem+json",
            description = "The currency is not that of the deployment, or the key came with another request"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn create_limit(
    State(api): State<Api>,
    key: IdempotencyKey,
    By(by): By,
    _: Parameters<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let new = read_new(&body, (api.new_id)())?;
    let request = Repeatable::new(key, "POST /user-limits", &[], &body);
    let keep = |shown: &LimitProgress| request.keep(&created(shown), api.reads.now());
    let make = async { api.limits.create_limit(&new, &by, &keep).await.map(|shown| created(&shown)) };
    request.once(&api, make).await
}

/// Change the value of a limit
///
/// A lower value applies at once, and drops what is pending. An equal one changes nothing. A higher one waits for the
/// cooling-off time: it is `pending` until then.
#[utoipa::path(
    patch,
    path = "/user-limits/{limitId}",
    operation_id = "setLimit",
    tag = "limits",
    params(
        ("limitId" = String, Path, description = "The limit's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The version that the change is based on, in double quotes"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    request_body(content = inline(NewValueRequest), content_type = "application/json"),
    responses(
        (status = 200, body = LimitView, description = "The limit",
            headers(("etag" = String, description = "The limit's version, in double quotes"))),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The limit has another version"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn set_limit(
    State(api): State<Api>,
    Id(limit_id): Id,
    Preconditions(base): Preconditions,
    By(by): By,
    _: Parameters<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let fields = Fields::read(&body)?;
    fields.only(&["value"])?;
    let value = fields.amount("value")?;
    change(&api, &limit_id, ChangeRequest::Set(value), base, &by).await
}

/// Remove a limit
///
/// The removal waits for the cooling-off time. After it, the limit is `CANCELED`.
#[utoipa::path(
    delete,
    path = "/user-limits/{limitId}",
    operation_id = "removeLimit",
    tag = "limits",
    params(
        ("limitId" = String, Path, description = "The limit's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The version that the change is based on, in double quotes"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    responses(
        (status = 200, body = LimitView, description = "The limit",
            headers(("etag" = String, description = "The limit's version, in double quotes"))),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The limit has another version"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn remove_limit(
    State(api): State<Api>,
    Id(limit_id): Id,
    Preconditions(base): Preconditions,
    By(by): By,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    change(&api, &limit_id, ChangeRequest::Remove, base, &by).await
}

/// Withdraw the pending change of a limit
#[utoipa::path(
    delete,
    path = "/user-limits/{limitId}/pending",
    operation_id = "withdrawPending",
    tag = "limits",
    params(
        ("limitId" = String, Path, description = "The limit's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The version that the change is based on, in double quotes"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    responses(
        (status = 200, body = LimitView, description = "The limit",
            headers(("etag" = String, description = "The limit's version, in double quotes"))),
        (status = 409, body = ProblemView, content_type = "application/problem+json", description = "No change is pending"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn withdraw(
    State(api): State<Api>,
    Id(limit_id): Id,
    Preconditions(base): Preconditions,
    By(by): By,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    change(&api, &limit_id, ChangeRequest::Withdraw, base, &by).await
}

/// Confirm the pending change of a limit, after its wait
#[utoipa::path(
    post,
    path = "/user-limits/{limitId}/pending/confirm",
    operation_id = "confirmPending",
    tag = "limits",
    params(
        ("limitId" = String, Path, description = "The limit's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The version that the change is based on, in double quotes"),
        ("idempotency-key" = Option<String>, Header, description = "Any text, new for each change", max_length = 128),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    responses(
        (status = 200, body = LimitView, description = "The limit",
            headers(("etag" = String, description = "The limit's version, in double quotes"))),
        (status = 409, body = ProblemView, content_type = "application/problem+json",
            description = "No change is pending, its wait is not over, or it needs no confirmation"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn confirm(
    State(api): State<Api>,
    Id(limit_id): Id,
    Preconditions(base): Preconditions,
    key: IdempotencyKey,
    By(by): By,
    _: Parameters<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request = Repeatable::new(key, "POST /user-limits/{limitId}/pending/confirm", &[&limit_id], &body);
    let keep = |shown: &LimitProgress| request.keep(&changed(shown), api.reads.now());
    let confirm = api.limits.change_limit(&limit_id, ChangeRequest::Confirm, &base, &by, &keep);
    request.once(&api, async { confirm.await.map(|shown| changed(&shown)) }).await
}

/// List the changes of a limit: who changed what, when, from what to what
#[utoipa::path(
    get,
    path = "/user-limits/{limitId}/changes",
    operation_id = "listChanges",
    tag = "limits",
    params(
        ("limitId" = String, Path, description = "The limit's id", max_length = 128),
        ("limit" = Option<u16>, Query, description = "The maximum number of changes", minimum = 1, maximum = 100,
            example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = ChangeListView, description = "Changes in the order of their versions"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_changes(
    State(api): State<Api>,
    Id(limit_id): Id,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let (max, after) = (parameters.limit()?, parameters.after()?);
    let after = after.map(|after| after.parse().map_err(|_| PageParameters::bad_cursor())).transpose()?;
    let page = api.reads.change_page(&limit_id, after, max).await?;
    let page = page.ok_or_else(|| Problem::from(LimitChangeError::Unknown))?;
    let next = page.next.map(|next| cursor(&next.to_string()));
    Ok(json(&ChangeListView::new(&limit_id, &page.changes, next)))
}

async fn change(
    api: &Api,
    limit_id: &str,
    request: ChangeRequest,
    base: Precondition,
    by: &Author,
) -> Result<Response, Problem> {
    let keep = |_: &LimitProgress| -> Option<KeptAnswer> { None };
    let shown = api.limits.change_limit(limit_id, request, &base, by, &keep).await?;
    Ok(changed(&shown).into_response())
}

fn changed(shown: &LimitProgress) -> Answer {
    let (status, version) = (StatusCode::OK, Some(shown.version));
    Answer { status, location: None, version, body: limit_progress_json(shown) }
}

/// Returns the answer to the creation of a limit. Ids that loadgate makes need no encoding in a path.
fn created(shown: &LimitProgress) -> Answer {
    let location = Some(format!("/user-limits/{}", shown.limit.limit_id));
    Answer { status: StatusCode::CREATED, location, ..changed(shown) }
}

/// The periods as an error names them.
const PERIODS: &str = "CALENDAR_DAY, CALENDAR_WEEK, CALENDAR_MONTH, DAY, WEEK, MONTH, INDEFINITE or INSTANCE";

/// Reads the body that creates a limit with this id.
fn read_new(body: &[u8], limit_id: String) -> Result<NewLimit, BodyError> {
    let fields = Fields::read(body)?;
    fields.only(&["userId", "period", "value", "currencyCode"])?;
    let (user_id, period, value) = (fields.id("userId")?, fields.string("period")?, fields.amount("value")?);
    let currency = fields.string("currencyCode")?;
    let bad_value = |field, expected| BodyError::BadValue { field, expected };
    let known = OwnPeriod::ALL.into_iter().find(|known| known.name() == period);
    let period = known.ok_or_else(|| bad_value("period", PERIODS))?;
    let currency =
        Currency::parse(&currency).ok_or_else(|| bad_value("currencyCode", "three capital letters, such as USD"))?;
    Ok(NewLimit { limit_id, user_id, period, value, currency })
}
