//! `loadgate plans show`, `loadgate plans list`: shows plans.

use std::process::ExitCode;

use loadgate::wire::PlanVersionView;

use super::put::view;
use crate::limit_store::{LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// Number of plans that are read at a time.
const PAGE: u16 = 100;

/// Show a plan version with its limits as a JSON object
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The plan's id
    #[arg(value_parser = id)]
    plan: String,

    /// The version [default: the latest]
    version: Option<u64>,

    #[command(flatten)]
    store: LimitStoreArgs,
}

/// List all plans with their latest versions, one JSON object a line, in the order of their ids
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct ListArgs {
    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let plan = args.store.plans("could not read the plan", async |plans| plans.plan(&args.plan, args.version).await)?;
    print(&view(&plan))?;
    Ok(ExitCode::SUCCESS)
}

pub fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let listed = args.store.plans("could not read the plans", async |plans| {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = plans.plans(after.as_deref(), PAGE).await?;
            listed.extend(page.plans);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(listed),
            }
        }
    })?;
    if listed.is_empty() {
        print_status("there are no plans");
    }
    listed.iter().try_for_each(|plan| print(&PlanVersionView::from(plan)))?;
    Ok(ExitCode::SUCCESS)
}
