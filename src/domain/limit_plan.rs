//! Plans: named, versioned sets of limits. Also: the choice of the limits that apply to a customer before its own.

/// A version of a plan. Its limits never change, and it is never deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanVersion {
    /// The plan's id.
    pub plan_id: String,
    /// The version, from 1.
    pub version: u64,
}

/// Origin of the limits that apply to a customer before its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LimitOrigin {
    /// The limits of the deployment.
    #[default]
    Deployment,
    /// The plan version that is linked to the customer.
    Plan(PlanVersion),
    /// The default plan of the customer's programme.
    Program {
        /// The programme's id.
        program_id: String,
        /// The plan version that was its default.
        plan: PlanVersion,
    },
}

impl LimitOrigin {
    /// Chooses the limits that apply to a customer before its own: those of the linked plan version; without one, those of
    /// the default plan of the customer's programme; without one, those of the deployment.
    pub fn resolve(link: Option<&PlanVersion>, program_id: Option<&str>, default: Option<&PlanVersion>) -> LimitOrigin {
        match (link, program_id, default) {
            (Some(plan), _, _) => LimitOrigin::Plan(plan.clone()),
            (None, Some(program_id), Some(plan)) => {
                LimitOrigin::Program { program_id: program_id.to_owned(), plan: plan.clone() }
            }
            (None, Some(_), None) | (None, None, _) => LimitOrigin::Deployment,
        }
    }

    /// Returns the plan version; `None` for the limits of the deployment.
    pub const fn plan(&self) -> Option<&PlanVersion> {
        match self {
            LimitOrigin::Deployment => None,
            LimitOrigin::Plan(plan) | LimitOrigin::Program { plan, .. } => Some(plan),
        }
    }

    /// Returns the programme; `None` unless the limits are those of its default plan.
    pub fn program_id(&self) -> Option<&str> {
        match self {
            LimitOrigin::Deployment | LimitOrigin::Plan(_) => None,
            LimitOrigin::Program { program_id, .. } => Some(program_id),
        }
    }
}
