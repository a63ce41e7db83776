//! Handlers of plans.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::super::author::By;
use super::super::extract::{Body, Id, IdAndVersion, NoParameters, PageParameters, Parameters, cursor};
use super::super::precondition::{Preconditions, with_etag};
use super::super::problem::json;
use super::super::{Api, Problem};
use crate::domain::Limits;
use crate::limits::{Author, PutPlan, StoredPlan};
use crate::wire::api::{BodyError, ProblemCode, ProblemView};
use crate::wire::{LimitsJson, LimitsTextError, PlanListView, PlanView, parse_limits, parse_limits_json};

/// Put a plan: its limits become the latest version
///
/// A version never changes. The same limits as those of the latest version make no new one.
#[utoipa::path(
    put,
    path = "/limit-plans/{planId}",
    operation_id = "putPlan",
    tag = "plans",
    params(
        ("planId" = String, Path, description = "The plan's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The `ETag` of the latest version that the change is based on"),
        ("if-none-match" = Option<String>, Header, description = "`*`: only if there is no such plan"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    request_body(content(
        (inline(LimitsJson) = "application/json"),
        (String = "application/toml")
    )),
    responses(
        (status = 200, body = PlanView, description = "The latest version, new or as it was",
            headers(("etag" = String, description = "The version, in double quotes"))),
        (status = 201, body = PlanView, description = "The first version of a new plan",
            headers(("etag" = String, description = "The version, in double quotes"))),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The plan is not as the request requires, or has been changed meanwhile"),
        (status = 422, body = ProblemView, content_type = "application/problem+json", description = "The plan has no limit"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn put_plan(
    State(api): State<Api>,
    Id(plan_id): Id,
    _: Parameters<NoParameters>,
    Preconditions(precondition): Preconditions,
    By(by): By,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let limits = limits(&headers, &body)?;
    let put = api.plans.put_plan(&plan_id, limits, &precondition, &by).await?;
    let mut answer = plan_answer(put.plan());
    if matches!(put, PutPlan::Created(_)) {
        *answer.status_mut() = StatusCode::CREATED;
    }
    Ok(answer)
}

/// Read the latest version of a plan
#[utoipa::path(
    get,
    path = "/limit-plans/{planId}",
    operation_id = "getPlan",
    tag = "plans",
    params(("planId" = String, Path, description = "The plan's id", max_length = 128)),
    responses(
        (status = 200, body = PlanView, description = "The latest version",
            headers(("etag" = String, description = "The version, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json", description = "There is no such plan"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_plan(
    State(api): State<Api>,
    Id(plan_id): Id,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(plan_answer(&api.plans.plan(&plan_id, None).await?))
}

/// Read a version of a plan
#[utoipa::path(
    get,
    path = "/limit-plans/{planId}/versions/{version}",
    operation_id = "getPlanVersion",
    tag = "plans",
    params(
        ("planId" = String, Path, description = "The plan's id", max_length = 128),
        ("version" = u64, Path, description = "The version", minimum = 1)
    ),
    responses(
        (status = 200, body = PlanView, description = "The version; it never changes",
            headers(("etag" = String, description = "The version, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "There is no such plan, or no such version of it"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_plan_version(
    State(api): State<Api>,
    IdAndVersion(plan_id, version): IdAndVersion,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(plan_answer(&api.plans.plan(&plan_id, Some(version)).await?))
}

/// List the plans
#[utoipa::path(
    get,
    path = "/limit-plans",
    operation_id = "listPlans",
    tag = "plans",
    params(
        ("limit" = Option<u16>, Query, description = "The maximum number of plans", minimum = 1, maximum = 100, example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = PlanListView, description = "Plans in the order of their ids, each with its latest version"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_plans(
    State(api): State<Api>,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let (limit, after) = (parameters.limit()?, parameters.after()?);
    let page = api.plans.plans(after.as_deref(), limit).await?;
    Ok(json(&PlanListView::new(&page.plans, page.next.as_deref().map(cursor))))
}

fn plan_answer(StoredPlan { plan, limits, created_at, created_by: Author(by) }: &StoredPlan) -> Response {
    with_etag(json(&PlanView::new(plan, limits, *created_at, by)), plan.version)
}

/// Reads the limits of a body: TOML if its type says so, and JSON otherwise.
fn limits(headers: &HeaderMap, body: &[u8]) -> Result<Limits, Problem> {
    let text = str::from_utf8(body).map_err(|error| BodyError::NotUtf8 { at: error.valid_up_to() + 1 })?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_toml =
        ["application/toml", "text/toml", "text/x-toml"].iter().any(|toml| media_type.eq_ignore_ascii_case(toml));
    let limits = if is_toml { parse_limits(text) } else { parse_limits_json(text) };
    limits.map_err(|error| problem(&error))
}

fn problem(error: &LimitsTextError) -> Problem {
    let code = if error.has_no_limit { ProblemCode::EmptyPlan } else { ProblemCode::BadValue };
    Problem::new(code, error.plain())
}
