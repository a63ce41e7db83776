//! The handlers: here those of customers' limits, usage and decisions; plans, links and programmes have files of their own.

pub mod jobs;
pub mod limit_changes;
pub mod links;
pub mod plans;
pub mod programs;
pub mod runs;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;

use super::extract::{Body, Id, NoParameters, PageParameters, Parameters, UsageParameters, cursor};
use super::precondition::with_etag;
use super::problem::json;
use super::{Api, Problem};
use crate::deciding::{Cause, InForce, LimitInForce, LoadToCheck, StoreError};
use crate::domain::{Measure, Millis, PlanVersion, StoredDecision};
use crate::limits::LimitChangeError;
use crate::wire::LimitView;
use crate::wire::api::{
    CheckRequest, CheckView, CustomerUsageView, DecisionListView, DecisionView, ProblemCode, ProblemView, UsageView,
    read_check,
};

/// Read one limit of a customer's own
#[utoipa::path(
    get,
    path = "/user-limits/{limitId}",
    operation_id = "getLimit",
    tag = "limits",
    params(("limitId" = String, Path, description = "The limit's id", max_length = 128)),
    responses(
        (status = 200, body = LimitView, description = "The limit, with its progress now",
            headers(("etag" = String, description = "The limit's version, in double quotes"))),
        (status = 404, body = ProblemView, content_type = "application/problem+json",
            description = "Nobody has defined the limit, or it has left its customer"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_limit(
    State(api): State<Api>,
    Id(limit_id): Id,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let known = api.reads.limit(&limit_id).await?;
    let known = known.ok_or_else(|| Problem::from(LimitChangeError::Unknown))?;
    Ok(with_etag(json(&LimitView::new(&known)), known.version))
}

/// List a customer's own limits
#[utoipa::path(
    get,
    path = "/user-limits/user/{userId}",
    operation_id = "listLimits",
    tag = "limits",
    params(("userId" = String, Path, description = "The customer's id", max_length = 128)),
    responses(
        (status = 200, body = Vec<LimitView>,
            description = "The customer's own limits in the order of their ids, enforced or not: none for an unknown customer"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_limits(
    State(api): State<Api>,
    Id(user_id): Id,
    _: Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let known = api.reads.limits(&user_id).await?;
    Ok(json(&known.iter().map(LimitView::new).collect::<Vec<_>>()))
}

/// Read the usage of every limit in force
#[utoipa::path(
    get,
    path = "/customers/{customerId}/usage",
    operation_id = "getUsage",
    tag = "customers",
    params(
        ("customerId" = String, Path, description = "The customer's id", max_length = 128),
        ("at" = Option<String>, Query, description = "The instant, RFC 3339; the present if it is missing",
            example = "2026-01-05T10:00:00Z")
    ),
    responses(
        (status = 200, body = CustomerUsageView,
            description = "The limits that apply to a load at the instant, with their usage: zeros for an unknown customer"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_usage(
    State(api): State<Api>,
    Id(customer_id): Id,
    Parameters(parameters): Parameters<UsageParameters>,
) -> Result<Response, Problem> {
    let at = parameters.at()?.unwrap_or_else(|| api.reads.now());
    let InForce { limits, unjudged } = api.reads.usage(&customer_id, Millis::of(at)).await?;
    Ok(json(&CustomerUsageView::new(&customer_id, at, api.reads.currency(), views(&limits), unjudged)))
}

/// List the decisions that are still remembered
#[utoipa::path(
    get,
    path = "/customers/{customerId}/decisions",
    operation_id = "listDecisions",
    tag = "customers",
    params(
        ("customerId" = String, Path, description = "The customer's id", max_length = 128),
        ("limit" = Option<u16>, Query, description = "The maximum number of decisions", minimum = 1, maximum = 100,
            example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = DecisionListView,
            description = "Decisions in the order of their event ids: none for an unknown customer"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_decisions(
    State(api): State<Api>,
    Id(customer_id): Id,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let (limit, after) = (parameters.limit()?, parameters.after()?);
    let page = api.reads.decisions(&customer_id, after.as_deref(), limit).await?;
    let measures = measures(&api, &page.decisions).await?;
    let view = |decision: &StoredDecision| {
        let of_code = |code: &str| measures.get(&decision.origin.plan())?.get(code).copied();
        let view = DecisionView::new(decision, of_code);
        view.ok_or_else(|| {
            let what =
                "a remembered decision has an amount or a time that cannot be understood: correct the record by hand";
            StoreError::Corrupt(Cause::new(what))
        })
    };
    let decisions = page.decisions.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(json(&DecisionListView::new(&customer_id, decisions, page.next.as_deref().map(cursor))))
}

/// Check a load attempt: the decision that it would get now
///
/// Nothing is written. The event's id plays no part: an attempt whose event is decided already is ignored by the queue.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/check",
    operation_id = "check",
    tag = "customers",
    params(("customerId" = String, Path, description = "The customer's id", max_length = 128)),
    request_body(content = inline(CheckRequest), content_type = "application/json"),
    responses(
        (status = 200, body = CheckView, description = "The decision, and the usage as it would stand after it"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn check(
    State(api): State<Api>,
    Id(customer_id): Id,
    _: Parameters<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let CheckRequest { load_amount, time } = read_check(&body)?;
    let present = || api.reads.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let time = time.unwrap_or_else(|| present().into());
    let currency = api.reads.currency();
    let load = LoadToCheck::new(&customer_id, &load_amount, &time, currency)?;
    let checked = api.reads.check(&load).await?;
    let usage = views(&checked.limits);
    Ok(json(&CheckView::new(&checked.decision, load.amount(), load.time(), currency, usage)))
}

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenapi",
    tag = "api",
    responses(
        (status = 200, body = Object, description = "The OpenAPI document of this API"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn get_openapi(State(api): State<Api>) -> Response {
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (content_type, api.openapi.to_string()).into_response()
}

/// Answers every request that needs the table of limits, where there is none.
pub fn no_limit_table() -> Problem {
    let detail = "this program has no table of limits: set LOADGATE_LIMIT_TABLE where it runs";
    Problem::new(ProblemCode::NoLimitTable, detail)
}

/// Answers a request for a path that no handler has.
pub async fn unknown_path() -> Problem {
    Problem::new(ProblemCode::UnknownPath, "there is no such path; /openapi.json lists all")
}

/// Answers a request with a method that the path does not have.
pub async fn method_not_allowed() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed, "the path has no such method; the header Allow lists all")
}

fn views(limits: &[LimitInForce]) -> Vec<UsageView> {
    limits.iter().map(|limit| UsageView::new(&limit.usage, Some(limit.measure), &limit.origin)).collect()
}

/// Returns the measures of the limits of each plan version that some decisions were made under, by code; under no plan
/// version, those of the deployment's limits.
async fn measures<'d>(
    api: &Api,
    decisions: &'d [StoredDecision],
) -> Result<BTreeMap<Option<&'d PlanVersion>, BTreeMap<String, Measure>>, StoreError> {
    let mut measures = BTreeMap::new();
    for StoredDecision { origin, .. } in decisions {
        if let Entry::Vacant(place) = measures.entry(origin.plan()) {
            place.insert(api.reads.measures(origin).await?);
        }
    }
    Ok(measures)
}
