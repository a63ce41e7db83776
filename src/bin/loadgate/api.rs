//! `loadgate api`: reads limits, usage and decisions over HTTP, and changes limits.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::{SystemClock, new_request_id, new_run_id};
use loadgate::config::{
    API_LISTEN, API_READ_TOKEN_FILE, API_WRITE_TOKEN_FILE, ApiConfig, CURRENCY, LIMITS, TTL_HOURS_DEFAULT, read_token,
};
use loadgate::deciding::{Decider, DecisionLog, PlanCache};
use loadgate::runtime::http::{Access, BearerToken, REQUEST_TIMEOUT, RequestSettings, Services, openapi, router};
use loadgate::telemetry::init_logs;
use tokio::net::TcpListener;

use crate::job_queue::JobQueueArgs;
use crate::outcome::Failure;
use crate::serve::{Bounds, serve};
use crate::signals::stop_signal;
use crate::standard_output;
use crate::store_kind::{Connection, StoreChoice};

/// Text of the exit codes for `--help`.
const API_EXIT_CODES: &str = "\
Exit codes:
  0  it was stopped, and has answered the requests that were under way
  1  it could not start, or was stopped at once
  2  the command line or the configuration is wrong";

const BOUNDS: Bounds = Bounds {
    connections_max: 256,
    keep_alive: true,
    head_timeout: Duration::from_secs(30),
    age_max: Duration::from_mins(10),
    answer_timeout: REQUEST_TIMEOUT,
};

/// Read limits, usage and decisions over HTTP, check load attempts, and change limits, until stopped
///
/// The limits in force are those of `LOADGATE_LIMITS`, or the built-in ones. On SIGTERM or SIGINT it finishes the requests
/// under way, and ends. On a second signal it ends at once.
///
/// Reading and changing are separate permissions. Where a token for reading is required and none for changes is given, nobody
/// may change anything.
#[derive(clap::Args)]
#[command(after_help = API_EXIT_CODES)]
pub struct Args {
    /// Address to listen on. On any other than this machine's own, a token is required
    #[arg(long, value_name = "ADDRESS", env = API_LISTEN, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// File with a token of 16 or more characters. Each request that reads must have it in the header `Authorization: Bearer`
    #[arg(long, value_name = "FILE", env = API_READ_TOKEN_FILE)]
    read_token_file: Option<PathBuf>,

    /// File with another token. Each request that changes something must have it instead
    #[arg(long, value_name = "FILE", env = API_WRITE_TOKEN_FILE)]
    write_token_file: Option<PathBuf>,

    #[command(flatten)]
    store: StoreChoice,

    #[command(flatten)]
    queue: JobQueueArgs,

    /// TOML file with the limits in force, or its text [env: `LOADGATE_LIMITS`] [default: the built-in limits]
    #[arg(long, value_name = "FILE")]
    limits: Option<String>,

    /// Currency of the deployment [env: `LOADGATE_CURRENCY`] [default: USD]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,

    /// Print the OpenAPI document, and serve nothing
    #[arg(long)]
    openapi: bool,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.openapi {
        return print_openapi();
    }
    let config = config(args)?;
    let (access, cooling_off) = (args.access()?, config.cooling_off);
    init_logs(Some(&config.log_level));
    let served = open(args, config).and_then(|(decider, connection)| {
        // No function works on the jobs of a file.
        let queue = if args.store.is_file() { None } else { connection.runtime.block_on(args.queue.open())? };
        let settings = RequestSettings { timeout: REQUEST_TIMEOUT, access, new_id: new_request_id };
        let services = Services::over(decider, cooling_off, queue);
        let served = connection.runtime.block_on(serve_api(args.listen, services, settings));
        connection.close();
        served
    });
    if let Err(failure) = &served {
        tracing::error!(error = failure.to_string(), "not started");
        return Ok(failure.exit_code());
    }
    Ok(ExitCode::SUCCESS)
}

fn print_openapi() -> Result<ExitCode, Failure> {
    standard_output::require()?;
    let written = std::io::stdout().write_all(openapi().as_bytes());
    written.context("could not write to standard output").map_err(Failure::Io)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the settings: the arguments, and the environment.
fn config(args: &Args) -> Result<ApiConfig, Failure> {
    let given = |name: &str| match name {
        LIMITS => args.limits.clone(),
        CURRENCY => args.currency.clone(),
        _ => None,
    };
    let config = ApiConfig::with(given).map_err(|error| Failure::Usage(error.into()))?;
    Ok(ApiConfig { tables: args.store.names()?, ..config })
}

impl Args {
    /// Returns the tokens that requests must have.
    fn access(&self) -> Result<Access, Failure> {
        let (read, write) = (token(self.read_token_file.as_deref())?, token(self.write_token_file.as_deref())?);
        let access = Access { read, write, is_guarded: false };
        if access.read.is_none() && !self.listen.ip().is_loopback() {
            return Err(Failure::Usage(anyhow!(
                "{} can be reached from other machines, and no token protects it: give --read-token-file, or set \
                 {API_READ_TOKEN_FILE}",
                self.listen
            )));
        }
        Ok(access)
    }
}

/// Reads the token in a file, if one is given.
fn token(file: Option<&Path>) -> Result<Option<BearerToken>, Failure> {
    // A variable that is set to nothing counts as not set.
    let Some(path) = file.filter(|path| *path != Path::new("")) else { return Ok(None) };
    let token = read_token(path).with_context(|| format!("'{}'", path.display())).map_err(Failure::Usage)?;
    Ok(Some(BearerToken::new(token)))
}

/// Opens the store and checks that it is usable.
fn open(args: &Args, config: ApiConfig) -> Result<(Decider<DynamoDb, SystemClock>, Connection), Failure> {
    let (has_limit_table, has_log) = (config.tables.limit.is_some(), config.tables.log.is_some());
    let (store, connection) = args.store.open(config.tables)?;
    let decider = Decider {
        store,
        clock: SystemClock,
        limits: config.limits,
        plans: PlanCache::default(),
        has_limit_table,
        currency: config.currency,
        correlation_ttl: TimeDelta::hours(TTL_HOURS_DEFAULT),
        log: has_log.then_some(DecisionLog { retention: None, new_run_id }),
    };
    let connected = connection.runtime.block_on(Box::pin(decider.store.connect_reads(decider.has_fences())));
    connected.context("could not use the store").map_err(Failure::Io)?;
    Ok((decider, connection))
}

async fn serve_api(listen: SocketAddr, services: Services, settings: RequestSettings) -> Result<(), Failure> {
    let stop = stop_signal(log_first_signal, log_second_signal);
    let stop = stop.context("could not listen to signals").map_err(Failure::Io)?;
    let listener = TcpListener::bind(listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = listener.with_context(|| format!("could not listen on {listen}")).map_err(Failure::Io)?;
    tracing::info!(listen = address.to_string(), "started");
    serve(listener, router(services, settings), BOUNDS, stop).await;
    tracing::info!("stopped");
    Ok(())
}

fn log_first_signal() {
    tracing::info!("stopping: requests under way are finished");
}

fn log_second_signal() {
    tracing::error!("stopped at once; requests under way have no answer");
}
