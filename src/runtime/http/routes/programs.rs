//! Handlers of programmes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::extract::{Body, Id, Ids, NoParameters, Parameters};
use super::super::precondition::{Preconditions, with_etag};
use super::super::problem::json;
use super::super::{Api, Problem};
use crate::limits::Program;
use crate::wire::api::{ProblemView, read_plan_version};
use crate::wire::{DefaultPlanView, EnrollmentView, PlanVersionView};

/// Set the default plan of a programme
///
/// It applies to all customers of the programme that have no plan of their own, within 30 s. The programme is created if it
/// does not exist.
#[utoipa::path(
    put,
    path = "/programs/{programId}/default-plan",
    operation_id = "putDefaultPlan",
    tag = "programs",
    params(
        ("programId" = String, Path, description = "The programme's id", max_length = 128),
        ("if-match" = Option<String>, Header, description = "The `ETag` of the programme that the change is based on"),
        ("if-none-match" = Option<String>, Header, description = "`*`: only if there is no such programme")
    ),
    request_body(content = inline(PlanVersionView), content_type = "application/json"),
    responses(
        (status = 200, body = DefaultPlanView, description = "The default plan",
            headers(("etag" = String, description = "The programme's own version, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "There is no such plan version"),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The programme is not as the request requires, or has been changed meanwhile"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn put_default_plan(
    State(api): State<Api>,
    Id(program_id): Id,
    _: Parameters<NoParameters>,
    Preconditions(precondition): Preconditions,
    Body(body): Body,
) -> Result<Response, Problem> {
    let plan = read_plan_version(&body)?;
    let program = api.plans.put_default_plan(&program_id, &plan, &precondition).await?;
    Ok(program_answer(&program_id, &program))
}

/// Read the default plan of a programme
#[utoipa::path(
    get,
    path = "/programs/{programId}/default-plan",
    operation_id = "getDefaultPlan",
    tag = "programs",
    params(("programId" = String, Path, description = "The programme's id", max_length = 128)),
    responses(
        (status = 200, body = DefaultPlanView, description = "The default plan: nulls if the programme has none",
            headers(("etag" = String, description = "The programme's own version, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "There is no such programme"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_default_plan(
    State(api): State<Api>,
    Id(program_id): Id,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(program_answer(&program_id, &api.plans.program(&program_id).await?))
}

/// Enrol a customer in a programme
///
/// A customer is in one programme at most: it leaves another one. The programme is created if it does not exist.
#[utoipa::path(
    put,
    path = "/programs/{programId}/customers/{customerId}",
    operation_id = "enroll",
    tag = "programs",
    params(
        ("programId" = String, Path, description = "The programme's id", max_length = 128),
        ("customerId" = String, Path, description = "The customer's id", max_length = 128)
    ),
    responses(
        (status = 200, body = EnrollmentView, description = "The customer is in the programme"),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The customer's programme has been changed meanwhile"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn enroll(
    State(api): State<Api>,
    Ids(program_id, customer_id): Ids,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let before = api.plans.enroll(&program_id, &customer_id).await?;
    Ok(json(&EnrollmentView::new(&program_id, &customer_id, before)))
}

/// Remove a customer from a programme
///
/// A plan that is linked to the customer stays linked.
#[utoipa::path(
    delete,
    path = "/programs/{programId}/customers/{customerId}",
    operation_id = "removeFromProgram",
    tag = "programs",
    params(
        ("programId" = String, Path, description = "The programme's id", max_length = 128),
        ("customerId" = String, Path, description = "The customer's id", max_length = 128)
    ),
    responses(
        (status = 204, description = "The customer is not in the programme, or was not"),
        (status = 412, body = ProblemView, content_type = "application/problem+json",
            description = "The customer's programme has been changed meanwhile"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn remove(
    State(api): State<Api>,
    Ids(program_id, customer_id): Ids,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    api.plans.remove(&program_id, &customer_id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn program_answer(program_id: &str, program: &Program) -> Response {
    let view = DefaultPlanView::new(program_id, program.default_plan.as_ref(), program.version);
    with_etag(json(&view), program.version)
}
