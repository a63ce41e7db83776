//! `loadgate plans link`, `loadgate plans unlink`: the plan of one customer.

use std::process::ExitCode;

use anyhow::anyhow;
use loadgate::domain::PlanVersion;
use loadgate::wire::LinkView;

use crate::limit_store::{BaseArgs, ByArgs, LimitStoreArgs, VersionArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// Link a plan version to a customer, or show the link, as a JSON object
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The customer's id
    #[arg(value_parser = id)]
    customer: String,

    /// The plan's id. Without it, nothing changes, and the present link is shown
    #[arg(value_parser = id, requires = "version")]
    plan: Option<String>,

    /// The version of the plan
    version: Option<u64>,

    #[command(flatten)]
    base: BaseArgs,

    #[command(flatten)]
    by: ByArgs,

    #[command(flatten)]
    store: LimitStoreArgs,
}

/// Remove the link of a customer: the default plan of its programme applies again, or the deployment's limits
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct UnlinkArgs {
    /// The customer's id
    #[arg(value_parser = id)]
    customer: String,

    #[command(flatten)]
    base: VersionArgs,

    #[command(flatten)]
    by: ByArgs,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let link = match (&args.plan, args.version) {
        (Some(plan_id), Some(version)) => {
            let plan = PlanVersion { plan_id: plan_id.clone(), version };
            args.store.plans("could not link the plan", async |plans| {
                plans.put_link(&args.customer, &plan, &args.base.precondition(), &args.by.author()).await
            })?
        }
        _ => args.store.plans("could not read the link", async |plans| plans.link(&args.customer).await)?,
    };
    let plan = link.plan.as_ref().ok_or_else(|| Failure::Io(anyhow!("no plan is linked to the customer")))?;
    let by = link.linked_by.as_ref().map(|by| by.0.as_str());
    print(&LinkView::new(&args.customer, plan, link.number, link.linked_at, by))?;
    Ok(ExitCode::SUCCESS)
}

pub fn unlink(args: &UnlinkArgs) -> Result<ExitCode, Failure> {
    args.store.plans("could not remove the link", async |plans| {
        plans.unlink(&args.customer, &args.base.precondition(), &args.by.author()).await
    })?;
    print_status("no plan is linked to the customer any more");
    Ok(ExitCode::SUCCESS)
}
