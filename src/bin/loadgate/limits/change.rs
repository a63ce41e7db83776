//! `loadgate limits set`, `remove`, `withdraw` and `confirm`: change a customer's own limit.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::value_parser;
use loadgate::adapters::{SystemClock, new_request_id};
use loadgate::config::{
    CURRENCY, INCREASE_DELAY_HOURS, INCREASE_DELAY_HOURS_DEFAULT, INCREASE_DELAY_HOURS_MAX,
    INCREASE_NEEDS_CONFIRMATION, cooling_off,
};
use loadgate::domain::{Cents, ChangeRequest, Currency, LimitProgress, OwnPeriod};
use loadgate::limits::{KeptAnswer, LimitChangeError, LimitChanger, NewLimit};
use loadgate::wire::limit_progress_json;

use crate::limit_store::{BaseArgs, ByArgs, LimitStoreArgs, id};
use crate::outcome::{EXIT_CODES, Failure};
use crate::standard_output;

/// Arguments of all changes.
#[derive(clap::Args)]
struct ChangeArgs {
    #[command(flatten)]
    base: BaseArgs,

    #[command(flatten)]
    by: ByArgs,

    /// Wait of an increase or a removal, in hours
    #[arg(long, value_name = "HOURS", env = INCREASE_DELAY_HOURS, default_value_t = INCREASE_DELAY_HOURS_DEFAULT, value_parser = value_parser!(i64).range(0..=INCREASE_DELAY_HOURS_MAX))]
    increase_delay_hours: i64,

    /// Whether an increase or a removal must be confirmed after the wait: `true` or `false`
    #[arg(long, value_name = "BOOL", env = INCREASE_NEEDS_CONFIRMATION, default_value_t = false, action = clap::ArgAction::Set)]
    increase_needs_confirmation: bool,

    /// Currency of the deployment
    #[arg(long, value_name = "CODE", env = CURRENCY, default_value = "USD", value_parser = crate::replay::currency)]
    currency: Currency,

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
    #[arg(long, value_name = "CUSTOMER", requires = "period", value_parser = id)]
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
        let (limit_id, user_id) = (new_request_id(), user_id.to_owned());
        let new = NewLimit { limit_id, user_id, period, value, currency: self.currency };
        let by = self.by.author();
        self.changed(async |changer| changer.create(&new, &by.0, &no_answer).await)
    }

    fn run(&self, limit: &str, request: ChangeRequest) -> Result<ExitCode, Failure> {
        let (base, by) = (self.base.precondition(), self.by.author());
        self.changed(async |changer| changer.change(limit, request, &base, &by.0, &no_answer).await)
    }

    /// Makes a change, and prints the limit.
    fn changed(
        &self,
        change: impl AsyncFnOnce(
            LimitChanger<'_, loadgate::adapters::dynamodb::DynamoDb, SystemClock>,
        ) -> Result<LimitProgress, LimitChangeError>,
    ) -> Result<ExitCode, Failure> {
        standard_output::require()?;
        let (store, connection) = self.store.open()?;
        let cooling_off = cooling_off(self.increase_delay_hours, self.increase_needs_confirmation);
        let changer = LimitChanger { store: &store, clock: &SystemClock, currency: self.currency, cooling_off };
        let answer = connection.runtime.block_on(change(changer));
        drop(store);
        connection.close();
        let limit = answer.context("could not change the limit").map_err(Failure::Io)?;
        writeln!(io::stdout(), "{}", limit_progress_json(&limit))
            .context("could not write to standard output")
            .map_err(Failure::Io)?;
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
