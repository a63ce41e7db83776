//! Handlers of customers' links to plans.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::author::By;
use super::super::extract::{Body, Id, NoParameters, Parameters};
use super::super::precondition::{Preconditions, with_etag};
use super::super::problem::json;
use super::super::{Api, Problem};
use crate::limits::{Link, PlanError};
use crate::wire::api::{ProblemView, read_plan_version};
use crate::wire::{LinkView, PlanVersionView};

/// Link a plan version to a customer
///
/// The plan's limits apply in place of those of the customer's programme or of the deployment. A link by hand comes after
/// all links by jobs that have begun before it.
#[utoipa::path(
    put,
    path = "/customers/{customerId}/plan",
    operation_id = "putLink",
    tag = "plans",
    params(
        ("customerId" = String, Path, description = "The customer's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The `ETag` of the link that the change is based on"),
        ("if-none-match" = Option<String>, Header, description = "`*`: only if no plan is linked"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    request_body(content = inline(PlanVersionView), content_type = "application/json"),
    responses(
        (status = 200, body = LinkView, description = "The link",
            headers(("etag" = String, description = "The link's number, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "There is no such plan version"),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The link is not as the request requires, or has been changed meanwhile"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn put_link(
    State(api): State<Api>,
    Id(customer_id): Id,
    _: Parameters<NoParameters>,
    Preconditions(precondition): Preconditions,
    By(by): By,
    Body(body): Body,
) -> Result<Response, Problem> {
    let plan = read_plan_version(&body)?;
    let link = api.plans.put_link(&customer_id, &plan, &precondition, &by).await?;
    link_answer(&customer_id, &link)
}

/// Read the link of a customer
#[utoipa::path(
    get,
    path = "/customers/{customerId}/plan",
    operation_id = "getLink",
    tag = "plans",
    params(("customerId" = String, Path, description = "The customer's id", max_length = 128)),
    responses(
        (status = 200, body = LinkView, description = "The link",
            headers(("etag" = String, description = "The link's number, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "No plan is linked to the customer"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_link(
    State(api): State<Api>,
    Id(customer_id): Id,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    link_answer(&customer_id, &api.plans.link(&customer_id).await?)
}

/// Remove the link of a customer
///
/// The default plan of its programme applies again, or the deployment's limits.
#[utoipa::path(
    delete,
    path = "/customers/{customerId}/plan",
    operation_id = "deleteLink",
    tag = "plans",
    params(
        ("customerId" = String, Path, description = "The customer's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The `ETag` of the link that the change is based on"),
        ("x-loadgate-by" = Option<String>, Header, description = "The author of the change; not behind an API Gateway")
    ),
    responses(
        (status = 204, description = "No plan is linked to the customer any more"),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "No plan was linked to the customer"),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The link is not as the request requires, or has been changed meanwhile"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn delete_link(
    State(api): State<Api>,
    Id(customer_id): Id,
    _: Parameters<NoParameters>,
    Preconditions(precondition): Preconditions,
    By(by): By,
) -> Result<Response, Problem> {
    api.plans.unlink(&customer_id, &precondition, &by).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn link_answer(customer_id: &str, link: &Link) -> Result<Response, Problem> {
    let plan = link.plan.as_ref().ok_or(PlanError::UnknownLink)?;
    let by = link.linked_by.as_ref().map(|by| by.0.as_str());
    Ok(with_etag(json(&LinkView::new(customer_id, plan, link.number, link.linked_at, by)), link.number))
}
