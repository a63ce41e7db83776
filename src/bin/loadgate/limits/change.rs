//! `loadgate limits set`, `remove`, `withdraw` and `confirm`: change a customer's own limit.

use std::process::ExitCode;

use anyhow::anyhow;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::{SystemClock, new_request_id};
use loadgate::config::{CURRENCY, ChangeConfig, INCREASE_DELAY_HOURS, INCREASE_NEEDS_CONFIRMATION};
use loadgate::domain::{Cents, ChangeRequest, LimitProgress, OwnPeriod};
use loadgate::limits::{KeptAnswer, LimitChangeError, LimitChanger, NewLimit};
use loadgate::wire::LimitView;

use crate::limit_store::{ByArgs, LimitStoreArgs, VersionArgs, id, print};
use crate::outcome::{EXIT_CODES, Failure};

/// Arguments of all changes.
#[derive(clap::Args)]
struct ChangeArgs {
    #[command(flatten)]
    base: VersionArgs,

    #[command(flatten)]
    by: ByArgs,

    /// Wait of an increase or a removal, in hours [env: `LOADGATE_INCREASE_DELAY_HOURS`] [default: 24]
    #[arg(long, value_name = "HOURS")]
    increase_delay_hours: Option<String>,

    /// Whether an increase or a removal must be confirmed after the wait: `true` or `false` [env:
    /// `LOADGATE_INCREASE_NEEDS_CONFIRMATION`] [default: false]
    #[arg(long, value_name = "BOOL")]
    increase_needs_confirmation: Option<String>,

    /// Currency of the deployment [env: `LOADGATE_CURRENCY`] [default: USD]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,

    #[command(flatten)]
    store: LimitStoreArgs,
}

/// Set the value of a customer's own limit, or create a limit
///
/// A lower value applies at once. A higher one waits for the cooling-off time: it is pending until then. A new limit applies
/// at once.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct SetArgs {
    /// Id of the limit to change
    #[arg(required_unless_present = "user_id", conflicts_with_all = ["user_id", "period"], value_parser = id)]
    limit: Option<String>,

    /// The customer for whom a limit is created
    #[arg(long, value_name = "CUSTOMER", requires = "period", conflicts_with = "if_version", value_parser = id)]
    user_id: Option<String>,

    /// Period of the new limit, such as `DAY` or `CALENDAR_MONTH`
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    period: Option<OwnPeriod>,

    /// The value in whole units of the currency, with at most two decimals
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    value: Cents,

    #[command(flatten)]
    change: ChangeArgs,
}

/// Remove a customer's own limit, after the cooling-off time
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RemoveArgs {
    /// Id of the limit
    #[arg(value_parser = id)]
    limit: String,

    #[command(flatten)]
    change: ChangeArgs,
}

/// Withdraw the pending change of a customer's own limit
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct WithdrawArgs {
    /// Id of the limit
    #[arg(value_parser = id)]
    limit: String,

    #[command(flatten)]
    change: ChangeArgs,
}

/// Confirm the pending change of a customer's own limit, after its wait
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct ConfirmArgs {
    /// Id of the limit
    #[arg(value_parser = id)]
    limit: String,

    #[command(flatten)]
    change: ChangeArgs,
}

pub fn set(args: &SetArgs) -> Result<ExitCode, Failure> {
    match (&args.limit, &args.user_id, args.period) {
        (Some(limit), _, _) => args.change.run(limit, ChangeRequest::Set(args.value)),
        (None, Some(user_id), Some(period)) => args.change.create(user_id, period, args.value),
        // The parser demands one of the two.
        (None, _, _) => Err(Failure::Usage(anyhow!("name a limit, or the customer and the period of a new one"))),
    }
}

pub fn remove(args: &RemoveArgs) -> Result<ExitCode, Failure> {
    args.change.run(&args.limit, ChangeRequest::Remove)
}

pub fn withdraw(args: &WithdrawArgs) -> Result<ExitCode, Failure> {
    args.change.run(&args.limit, ChangeRequest::Withdraw)
}

pub fn confirm(args: &ConfirmArgs) -> Result<ExitCode, Failure> {
    args.change.run(&args.limit, ChangeRequest::Confirm)
}

impl ChangeArgs {
    fn create(&self, user_id: &str, period: OwnPeriod, value: Cents) -> Result<ExitCode, Failure> {
        let config = self.config()?;
        let (limit_id, user_id) = (new_request_id(), user_id.to_owned());
        let new = NewLimit { limit_id, user_id, period, value, currency: config.currency };
        let by = self.by.author();
        self.changed(config, async |changer| changer.create(&new, &by, &no_answer).await)
    }

    fn run(&self, limit: &str, request: ChangeRequest) -> Result<ExitCode, Failure> {
        let (base, by) = (self.base.precondition(), self.by.author());
        self.changed(self.config()?, async |changer| changer.change(limit, request, &base, &by, &no_answer).await)
    }

    fn config(&self) -> Result<ChangeConfig, Failure> {
        let given = |name: &str| match name {
            INCREASE_DELAY_HOURS => self.increase_delay_hours.clone(),
            INCREASE_NEEDS_CONFIRMATION => self.increase_needs_confirmation.clone(),
            CURRENCY => self.currency.clone(),
            _ => None,
        };
        ChangeConfig::with(given).map_err(|error| Failure::Usage(error.into()))
    }

    /// Makes a change, and prints the limit.
    fn changed(
        &self,
        ChangeConfig { currency, cooling_off }: ChangeConfig,
        change: impl AsyncFnOnce(LimitChanger<'_, DynamoDb, SystemClock>) -> Result<LimitProgress, LimitChangeError>,
    ) -> Result<ExitCode, Failure> {
        let limit = self.store.requests("could not change the limit", async |store| {
            change(LimitChanger { store: &store, clock: &SystemClock, currency, cooling_off }).await
        })?;
        print(&LimitView::new(&limit))?;
        Ok(ExitCode::SUCCESS)
    }
}

const fn no_answer(_: &LimitProgress) -> Option<KeptAnswer> {
    None
}

fn period(text: &str) -> Result<OwnPeriod, String> {
    let known = OwnPeriod::ALL.into_iter().find(|known| known.name() == text);
    known.ok_or_else(|| format!("is none of {}", OwnPeriod::ALL.map(OwnPeriod::name).join(", ")))
}

fn amount(text: &str) -> Result<Cents, String> {
    Cents::of_units(text).ok_or_else(|| "is not an amount: 1 to 14 digits, and at most two after a point".to_owned())
}
