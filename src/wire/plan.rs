//! JSON shapes of plans, programmes and links, over HTTP and in the command's output.

use serde::Serialize;

use super::limits::LimitJson;
use super::text::instant;
use crate::domain::{Limits, Millis, PlanVersion};

/// A plan version with its limits. It never changes.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Plan))]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The plan's id.
    #[cfg_attr(feature = "http", schema(example = "standard"))]
    plan_id: String,
    /// The version, from 1. The header `ETag` has it too.
    #[cfg_attr(feature = "http", schema(example = 3))]
    version: u64,
    /// The limits, in the order in which a decision names them.
    limit: Vec<LimitJson>,
    /// The instant at which the version was created.
    #[cfg_attr(feature = "http", schema(example = "2026-01-05T10:00:00.000Z"))]
    created_at: Option<String>,
    /// The version's author: an IAM ARN, or the name that the caller gave.
    #[cfg_attr(feature = "http", schema(example = "ann"))]
    created_by: String,
}

/// A reference to a plan version.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = PlanVersion))]
#[serde(rename_all = "camelCase")]
pub struct PlanVersionView {
    /// The plan's id.
    #[cfg_attr(feature = "http", schema(example = "standard", max_length = 128))]
    plan_id: String,
    /// The version, from 1.
    #[cfg_attr(feature = "http", schema(example = 3, minimum = 1))]
    version: u64,
}

/// Some plans, each with its latest version.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = PlanList))]
#[serde(rename_all = "camelCase")]
pub struct PlanListView {
    /// The plans, in the order of their ids.
    plans: Vec<PlanVersionView>,
    /// The parameter `cursor` of the next page; null if there is none.
    next_cursor: Option<String>,
}

/// The link of a customer to a plan version.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Link))]
#[serde(rename_all = "camelCase")]
pub struct LinkView {
    /// The customer.
    #[cfg_attr(feature = "http", schema(example = "u-1"))]
    customer_id: String,
    /// The plan's id.
    #[cfg_attr(feature = "http", schema(example = "standard"))]
    plan_id: String,
    /// The version of the plan.
    #[cfg_attr(feature = "http", schema(example = 3))]
    version: u64,
    /// Number of the link among all links, unlinks and jobs of the deployment. The header `ETag` has it too.
    #[cfg_attr(feature = "http", schema(example = 17))]
    link_number: u64,
    /// The instant of the link.
    #[cfg_attr(feature = "http", schema(example = "2026-01-05T10:00:00.000Z"))]
    linked_at: Option<String>,
    /// The link's author: an IAM ARN, the name that the caller gave, or a job.
    #[cfg_attr(feature = "http", schema(example = "ann"))]
    linked_by: Option<String>,
}

/// The default plan of a programme.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = DefaultPlan))]
#[serde(rename_all = "camelCase")]
pub struct DefaultPlanView {
    /// The programme's id.
    #[cfg_attr(feature = "http", schema(example = "gold"))]
    program_id: String,
    /// The plan's id; null if the programme has no default plan.
    #[cfg_attr(feature = "http", schema(example = "standard"))]
    plan_id: Option<String>,
    /// The version of the plan; null if the programme has no default plan.
    #[cfg_attr(feature = "http", schema(example = 3))]
    version: Option<u64>,
    /// The programme's own version, which grows with each change. The header `ETag` has it too.
    #[cfg_attr(feature = "http", schema(example = 2))]
    program_version: u64,
}

/// A customer's programme after its enrolment.
#[allow(clippy::struct_field_names)]
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Enrollment))]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentView {
    /// The programme.
    #[cfg_attr(feature = "http", schema(example = "gold"))]
    program_id: String,
    /// The customer.
    #[cfg_attr(feature = "http", schema(example = "u-1"))]
    customer_id: String,
    /// The programme before; null if there was none. It equals `programId` if nothing has changed.
    previous_program_id: Option<String>,
}

impl PlanView {
    /// Converts a plan version.
    pub fn new(plan: &PlanVersion, limits: &Limits, created_at: Millis, created_by: &str) -> PlanView {
        PlanView {
            plan_id: plan.plan_id.clone(),
            version: plan.version,
            limit: LimitJson::all(limits),
            created_at: created_at.instant().map(instant),
            created_by: created_by.to_owned(),
        }
    }
}

impl From<&PlanVersion> for PlanVersionView {
    fn from(PlanVersion { plan_id, version }: &PlanVersion) -> PlanVersionView {
        PlanVersionView { plan_id: plan_id.clone(), version: *version }
    }
}

impl PlanListView {
    /// Combines some plans with the cursor of the next page.
    pub fn new(plans: &[PlanVersion], next_cursor: Option<String>) -> PlanListView {
        PlanListView { plans: plans.iter().map(PlanVersionView::from).collect(), next_cursor }
    }
}

impl LinkView {
    /// Converts a link.
    pub fn new(
        customer_id: &str,
        plan: &PlanVersion,
        link_number: u64,
        linked_at: Option<Millis>,
        linked_by: Option<&str>,
    ) -> LinkView {
        LinkView {
            customer_id: customer_id.to_owned(),
            plan_id: plan.plan_id.clone(),
            version: plan.version,
            link_number,
            linked_at: linked_at.and_then(Millis::instant).map(instant),
            linked_by: linked_by.map(str::to_owned),
        }
    }
}

impl DefaultPlanView {
    /// Converts the default plan of a programme.
    pub fn new(program_id: &str, plan: Option<&PlanVersion>, program_version: u64) -> DefaultPlanView {
        DefaultPlanView {
            program_id: program_id.to_owned(),
            plan_id: plan.map(|plan| plan.plan_id.clone()),
            version: plan.map(|plan| plan.version),
            program_version,
        }
    }
}

impl EnrollmentView {
    /// Converts an enrolment.
    pub fn new(program_id: &str, customer_id: &str, previous_program_id: Option<String>) -> EnrollmentView {
        EnrollmentView { program_id: program_id.to_owned(), customer_id: customer_id.to_owned(), previous_program_id }
    }
}

/// Returns the JSON of a view.
pub fn view_json(view: &impl Serialize) -> String {
    // Strings, numbers and booleans can always be serialised.
    serde_json::to_string(view).unwrap_or_default()
}
