//! `loadgate plans put`: makes limits the latest version of a plan.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use loadgate::config::{LimitsFileError, read_limits_text};
use loadgate::domain::Limits;
use loadgate::limits::{Author, PutPlan, StoredPlan};
use loadgate::wire::{PlanView, parse_limits, parse_limits_json};

use crate::input::{Contents, Input};
use crate::limit_store::{BaseArgs, ByArgs, LimitStoreArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure, print_status};

/// Put a plan: the limits of a file become its latest version, which is shown as a JSON object
///
/// A version never changes. The same limits as those of the latest version make no new one.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// The plan's id
    #[arg(value_parser = id)]
    plan: String,

    /// File with the limits: TOML as for `replay --limits`, or JSON of the same shape. `-` or none is standard input
    file: Option<PathBuf>,

    #[command(flatten)]
    base: BaseArgs,

    #[command(flatten)]
    by: ByArgs,

    #[command(flatten)]
    store: LimitStoreArgs,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let limits = limits(args)?;
    let put = args.store.plans("could not put the plan", async |plans| {
        plans.put_plan(&args.plan, limits, &args.base.precondition(), &args.by.author()).await
    })?;
    match &put {
        PutPlan::Created(_) => print_status("the plan is new"),
        PutPlan::Changed(_) => print_status("the plan has a new version"),
        PutPlan::Unchanged(_) => print_status("nothing has changed: the latest version has the same limits"),
    }
    print(&view(put.plan()))?;
    Ok(ExitCode::SUCCESS)
}

/// Converts a plan version for standard output.
pub fn view(StoredPlan { plan, limits, created_at, created_by: Author(by) }: &StoredPlan) -> PlanView {
    PlanView::new(plan, limits, *created_at, by)
}

fn limits(args: &Args) -> Result<Limits, Failure> {
    let Input { name, raw, .. } = Input::open(args.file.as_deref(), Contents::Limits)?;
    let text = read_limits_text(raw).map_err(|error| {
        let is_io = matches!(error, LimitsFileError::Read(_));
        let error = anyhow::Error::new(error).context(format!("'{name}'"));
        if is_io { Failure::Io(error) } else { Failure::Usage(error) }
    })?;
    // No TOML text begins with a brace.
    let is_json = text.trim_start().starts_with('{');
    let limits = if is_json { parse_limits_json(&text) } else { parse_limits(&text) };
    limits.with_context(|| format!("'{name}'")).map_err(Failure::Usage)
}
