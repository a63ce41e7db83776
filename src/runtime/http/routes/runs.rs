//! The handler of the decision log.

use axum::extract::State;
use axum::response::Response;

use crate::runtime::http::extract::{Id, PageParameters, Parameters, cursor};
use crate::runtime::http::problem::json;
use crate::runtime::http::{Api, Problem};
use crate::wire::api::{ProblemCode, ProblemView, RunDecisionListView};

/// List the logged decisions of a run
///
/// A run is one invocation of the function, one batch of the worker, or one replay. Its id is the `run_id` of each decision
/// that it has published.
#[utoipa::path(
    get,
    path = "/runs/{runId}/decisions",
    operation_id = "listRunDecisions",
    tag = "runs",
    params(
        ("runId" = String, Path, description = "The run's id", max_length = 128),
        ("limit" = Option<u16>, Query, description = "The maximum number of decisions", minimum = 1, maximum = 100,
            example = 50),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the answer before")
    ),
    responses(
        (status = 200, body = RunDecisionListView,
            description = "Decisions in the order of their sequence numbers: none for an unknown run"),
        (status = 501, body = ProblemView, content_type = "application/problem+json",
            description = "The program has no decision log"),
        (status = "default", body = ProblemView, content_type = "application/problem+json", description = "An error")
    )
)]
pub async fn list_run_decisions(
    State(api): State<Api>,
    Id(run_id): Id,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Response, Problem> {
    let (max, after) = (parameters.limit()?, parameters.after()?);
    let after = after.map(|after| after.parse().map_err(|_| PageParameters::bad_cursor())).transpose()?;
    let page = api.reads.run(&run_id, after, max).await?.ok_or_else(no_log)?;
    let next = page.next.map(|next| cursor(&next.to_string()));
    Ok(json(&RunDecisionListView::new(&run_id, &page.entries, next)))
}

fn no_log() -> Problem {
    let detail = "this program has no decision log: set LOADGATE_DECISION_LOG_TABLE where it runs";
    Problem::new(ProblemCode::NoDecisionLog, detail)
}
