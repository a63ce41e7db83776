//! `loadgate backtest`: decides the load attempts of a file under other limits, and reports the difference.

mod files;
mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use loadgate::backtest::{Backtest, BacktestReport, Candidate, Candidates, report_json, report_page};
use loadgate::limits::AllLimits;
use loadgate::replay::ReplayError;

use crate::attempts::{AttemptArgs, limits, random_key, report_unshown};
use crate::customer_limits;
use crate::decompress::decompressed;
use crate::files::named;
use crate::input::{Contents, Input};
use crate::outcome::{EXIT_CODES, Failure, SOME_INVALID};
use crate::output::Output;
use crate::progress::ReplayProgress;

/// Show what other limits would have decided on the load attempts of a file
///
/// Compares candidates with the base, which is --limits. Each attempt is decided under the base and under each candidate, with
/// usage of its own. The report goes to standard output as text.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    #[command(flatten)]
    attempts: AttemptArgs,

    /// Compare the limits of a TOML file with the base, under this name; may be given up to 32 times
    #[arg(long = "candidate", value_name = "NAME=FILE", required = true, value_parser = candidate_file)]
    candidates: Vec<CandidateFile>,

    /// Write the report to a file as a page, which appears complete or not at all
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Write the report to a file as JSON, which appears complete or not at all; `-` is standard output, in place of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A candidate's name and limits file, as the command line has them.
#[derive(Clone, Debug)]
struct CandidateFile {
    name: String,
    path: PathBuf,
}

/// The open outputs of the report.
struct Outputs {
    page: Option<Output>,
    json: Option<Output>,
    text: Option<Output>,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let attempts = &args.attempts;
    let limits = attempts.limits()?;
    let candidates = candidates(&args.candidates)?;
    let input = Input::open(attempts.input.as_deref(), Contents::LoadAttempts)?;
    files::refuse_shared(args, &input)?;
    let outputs = Outputs::open(args)?;
    let mut rejects = attempts.create_rejects()?;
    let (own, invalid_events) = customer_limits::read_if_given(attempts, rejects.as_mut())?;
    let backtest = Backtest {
        base: AllLimits::new(limits, &own, attempts.currency),
        candidates,
        currency: attempts.currency,
        threads: attempts.threads(),
        identity_key: random_key()?,
    };
    let input_name = input.name.clone();
    let report = decide_all(args, &backtest, input, rejects)?;
    report_unshown(report.invalid, attempts.rejects.as_deref());
    outputs.write(&report, &input_name)?;
    let some_invalid = report.invalid + invalid_events > 0;
    Ok(if some_invalid { ExitCode::from(SOME_INVALID) } else { ExitCode::SUCCESS })
}

fn decide_all(
    args: &Args,
    backtest: &Backtest,
    input: Input,
    rejects: Option<Box<dyn Write + Send>>,
) -> Result<BacktestReport, Failure> {
    let progress = ReplayProgress::new(args.attempts.progress, input.bytes, false);
    let bar = progress.bar().clone();
    let ended = decompressed(bar.wrap_read(input.raw))
        .map_err(|source| ReplayError::Read { lines: 0, source })
        .and_then(|bytes| backtest.run(bytes, rejects, progress));
    bar.finish_and_clear();
    let rejects = args.attempts.rejects.as_deref();
    let rejects = rejects.map_or(String::new(), |path| format!(", rejects to '{}'", path.display()));
    ended.with_context(|| format!("backtesting '{}'{rejects}", input.name)).map_err(Failure::Io)
}

fn candidates(files: &[CandidateFile]) -> Result<Candidates, Failure> {
    let read = |file: &CandidateFile| Ok(Candidate { name: file.name.clone(), limits: limits(&file.path)? });
    let candidates = files.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    Candidates::new(candidates).map_err(|error| Failure::Usage(anyhow!(error)))
}

fn candidate_file(text: &str) -> Result<CandidateFile, String> {
    match text.split_once('=') {
        Some((name, path)) if !path.is_empty() => Ok(CandidateFile { name: name.to_owned(), path: path.into() }),
        _ => Err("not a name and a limits file: write NAME=FILE, such as tight=tight.toml".to_owned()),
    }
}

impl Outputs {
    fn open(args: &Args) -> Result<Outputs, Failure> {
        let is_json_on_stdout = args.json.is_some() && named(args.json.as_deref()).is_none();
        let text = if is_json_on_stdout { None } else { Some(Output::open(None)?) };
        let open = |path: Option<&Path>| path.map(|path| Output::open(Some(path))).transpose();
        Ok(Outputs { page: open(args.report.as_deref())?, json: open(args.json.as_deref())?, text })
    }

    fn write(self, report: &BacktestReport, input_name: &str) -> Result<(), Failure> {
        if let Some(page) = self.page {
            write(page, "the page", &report_page(report, input_name))?;
        }
        if let Some(json) = self.json {
            let text = report_json(report).context("could not write the report as JSON").map_err(Failure::Io)?;
            write(json, "the JSON", &text)?;
        }
        match self.text {
            Some(text) => write(text, "the report", &text::report(report)),
            None => Ok(()),
        }
    }
}

/// Writes a whole output. If the reader of standard output has closed the pipe, that is no error.
fn write(mut output: Output, name: &str, text: &str) -> Result<(), Failure> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Io(anyhow!(error).context(format!("could not write {name}")))),
        Ok(()) => output.finish(),
    }
}
