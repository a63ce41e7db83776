//! `loadgate programs default`: the plan of all customers of a programme that have none of their own.

use std::process::ExitCode;

use loadgate::domain::PlanVersion;
use loadgate::wire::DefaultPlanView;

use crate::limit_store::{BaseArgs, LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Set the default plan of a programme, or show it, as a JSON object
///
/// It applies to all customers of the programme that have no plan of their own, within 30 s. The programme is created if it
/// does not exist.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The programme's id
    #[arg(value_parser = id)]
    program: String,

    /// The plan's id. Without it, nothing changes, and the present default is shown
    #[arg(value_parser = id, requires = "version")]
    plan: Option<String>,

    /// The version of the plan
    version: Option<u64>,

    #[command(flatten)]
    base: BaseArgs,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let program = match (&args.plan, args.version) {
        (Some(plan_id), Some(version)) => {
            let plan = PlanVersion { plan_id: plan_id.clone(), version };
            args.store.plans("could not set the default plan", async |plans| {
                plans.put_default_plan(&args.program, &plan, &args.base.precondition()).await
            })?
        }
        _ => args.store.plans("could not read the programme", async |plans| plans.program(&args.program).await)?,
    };
    print(&DefaultPlanView::new(&args.program, program.default_plan.as_ref(), program.version))?;
    Ok(ExitCode::SUCCESS)
}
