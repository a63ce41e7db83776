//! Reading and changing over HTTP: one router for `loadgate api` and for the Lambda behind an API Gateway.
//!
//! A handler parses its request, asks one of the [`Services`] and converts the answer. Every error is a [`Problem`];
//! `request.rs` gives each request its id and its time-out, and turns problems into answers.

mod author;
mod extract;
#[cfg(feature = "api-lambda")]
pub mod gateway;
mod job_requests;
mod limit_requests;
mod plan_requests;
mod precondition;
mod problem;
mod reads;
mod repeat;
mod request;
mod routes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::Next;
use axum::{Router, middleware};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::deciding::{Clock, Decider, LogReader, RecordReader, Store};
use crate::domain::CoolingOff;
use crate::limits::jobs::{JobQueue, JobStore};
use crate::limits::{AnswerStore, LimitStore, LinkStore, PlanStore, Plans, ProgramStore};

pub use author::BY;
pub use job_requests::{JobAnswer, JobRequests, StoreJobs};
pub use limit_requests::{LimitAnswer, LimitRequests, StoreLimits};
pub use plan_requests::{PlanAnswer, PlanRequests};
pub use precondition::Precondition;
pub use problem::Problem;
pub use reads::{Reads, StoreReads};
pub use request::{Access, BearerToken, REQUEST_ID, RequestSettings};

/// Maximum length of a request's body, in bytes. A load attempt has a few hundred.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Time-out of a request. One to DynamoDB takes at most 5 s; the function has 10 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// Everything that the handlers ask for. Traits keep the types of stores out of them.
#[derive(Clone)]
pub struct Services {
    /// Reading of limits, usage and decisions.
    pub reads: Arc<dyn Reads>,
    /// Changes of customers' own limits.
    pub limits: Arc<dyn LimitRequests>,
    /// Plans, programmes and links.
    pub plans: Arc<dyn PlanRequests>,
    /// Assignment jobs.
    pub jobs: Arc<dyn JobRequests>,
    /// False if the store has no table of limits. Then there are no own limits, plans, programmes and jobs.
    pub has_limit_table: bool,
}

impl Services {
    /// Creates services over a decider's store, with its limits and its clock, and the rule for changes of own limits. Without
    /// a queue of assignments, no job can be started.
    pub fn over<S, Q, C>(decider: Decider<S, C>, cooling_off: CoolingOff, queue: Option<Q>) -> Services
    where
        S: Store
            + LimitStore
            + AnswerStore
            + LogReader
            + RecordReader
            + PlanStore
            + ProgramStore
            + LinkStore
            + JobStore,
        S: Clone + 'static,
        Q: JobQueue + Clone + 'static,
        C: Clock + Clone + 'static,
    {
        let jobs = StoreJobs { store: decider.store.clone(), queue, clock: decider.clock.clone() };
        let plans = Plans { store: decider.store.clone(), clock: decider.clock.clone() };
        let limits = StoreLimits { decider: decider.clone(), cooling_off };
        let has_limit_table = decider.has_limit_table;
        let reads = StoreReads(decider);
        let (reads, limits, plans, jobs) = (Arc::new(reads), Arc::new(limits), Arc::new(plans), Arc::new(jobs));
        Services { reads, limits, plans, jobs, has_limit_table }
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

/// State of the handlers.
#[derive(Clone)]
struct Api {
    reads: Arc<dyn Reads>,
    limits: Arc<dyn LimitRequests>,
    plans: Arc<dyn PlanRequests>,
    jobs: Arc<dyn JobRequests>,
    /// Returns a new id.
    new_id: fn() -> String,
    /// The OpenAPI document.
    openapi: Arc<str>,
}

/// The OpenAPI document, without the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "loadgate",
        description = "Reads and changes customers' limits, and which plan applies to whom; reads their usage and the decisions \
                       about their loads.\n\n\
                       Amounts are decimal numbers with two decimals in strings, times are RFC 3339 with milliseconds. Ids have \
                       1 to 128 bytes of UTF-8 and are percent-encoded in paths; behind an API Gateway, ids with `/`, `?`, `#` \
                       or `%` answer 404. Every error is `application/problem+json` with a code. Every answer has the header \
                       `x-request-id`: the request's own if it has 1 to 64 letters, digits and `-_.=+/`, else a new one.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&BearerScheme),
    security(("bearer" = [])),
    tags(
        (name = "limits", description = "Customers' own limits"),
        (name = "plans", description = "Plans, and their links to customers"),
        (name = "programs", description = "Programmes: their default plans and their customers"),
        (name = "jobs", description = "Jobs that link every customer of a programme to a plan version"),
        (name = "customers", description = "The limits in force for a customer, and the decisions about its loads"),
        (name = "runs", description = "The decision log: one invocation, one batch of a worker or one replay is a run"),
        (name = "api", description = "The API itself")
    )
)]
struct Description;

/// Adds the bearer token.
struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut Document) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "The token of `loadgate api`, if it has one. Behind an API Gateway, requests are signed with AWS Signature \
             Version 4 instead."
                .to_owned(),
        );
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// Returns the router.
pub fn router(services: Services, settings: RequestSettings) -> Router {
    let Services { reads, limits, plans, jobs, has_limit_table } = services;
    let (router, document) = described(has_limit_table);
    router
        .method_not_allowed_fallback(routes::method_not_allowed)
        .fallback(routes::unknown_path)
        .with_state(Api { reads, limits, plans, jobs, new_id: settings.new_id, openapi: text(&document).into() })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(settings), request::answer))
}

/// Returns the OpenAPI document, as it is served.
pub fn openapi() -> String {
    text(&described(true).1)
}

fn described(has_limit_table: bool) -> (Router<Api>, Document) {
    let mut changing = changing();
    if !has_limit_table {
        changing = changing.route_layer(middleware::from_fn(async |_: Request, _: Next| routes::no_limit_table()));
    }
    OpenApiRouter::with_openapi(Description::openapi()).merge(reading()).merge(changing).split_for_parts()
}

/// The routes that read limits, usage and decisions.
fn reading() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(routes::get_limit))
        .routes(routes!(routes::limit_changes::list_changes))
        .routes(routes!(routes::list_limits))
        .routes(routes!(routes::get_usage))
        .routes(routes!(routes::list_decisions))
        .routes(routes!(routes::check))
        .routes(routes!(routes::runs::list_run_decisions))
        .routes(routes!(routes::get_openapi))
}

/// The routes that need the table of limits.
fn changing() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(routes::limit_changes::set_limit, routes::limit_changes::remove_limit))
        .routes(routes!(routes::limit_changes::create_limit))
        .routes(routes!(routes::limit_changes::withdraw))
        .routes(routes!(routes::limit_changes::confirm))
        .routes(routes!(routes::plans::list_plans))
        .routes(routes!(routes::plans::get_plan, routes::plans::put_plan))
        .routes(routes!(routes::plans::get_plan_version))
        .routes(routes!(routes::links::get_link, routes::links::put_link, routes::links::delete_link))
        .routes(routes!(routes::programs::get_default_plan, routes::programs::put_default_plan))
        .routes(routes!(routes::programs::enroll, routes::programs::remove))
        .routes(routes!(routes::jobs::start_job))
        .routes(routes!(routes::jobs::list_jobs))
        .routes(routes!(routes::jobs::get_job))
        .routes(routes!(routes::jobs::list_job_failures))
        .routes(routes!(routes::jobs::cancel_job))
}

fn text(document: &Document) -> String {
    // Everything in the document can be serialised.
    document.to_pretty_json().unwrap_or_default() + "\n"
}
