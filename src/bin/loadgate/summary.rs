//! Summary of a replay, as text or as JSON.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use indicatif::HumanCount;
use loadgate::domain::Limits;
use loadgate::replay::ReplayReport;
use serde::Serialize;

use crate::outcome::{Failure, print_status};
use crate::progress::per_second;

/// Form of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryForm {
    /// Text
    Text,
    /// One JSON object on one line
    Json,
    /// No summary
    None,
}

/// Counts of a replay.
#[derive(Serialize)]
pub struct Summary<'a> {
    attempts: u64,
    accepted: u64,
    declined: u64,
    #[serde(serialize_with = "as_object")]
    declined_by_reason: Vec<(&'a str, u64)>,
    /// Attempts that a shadow limit would have declined; missing without shadow limits.
    #[serde(serialize_with = "as_object", skip_serializing_if = "Vec::is_empty")]
    shadow_declined: Vec<(&'a str, u64)>,
    ignored: u64,
    invalid: u64,
    /// The run under which new decisions are logged; missing if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    /// False if the reader of the decisions closed the pipe before the end of the input. Then the counts cover the
    /// blocks that were written completely.
    complete: bool,
    #[serde(rename = "elapsed_ms", serialize_with = "as_ms")]
    elapsed: Duration,
    attempts_per_second: u64,
}

fn as_object<S: serde::Serializer>(counts: &[(&str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().copied())
}

/// Writes a duration as whole milliseconds.
pub fn as_ms<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(elapsed.as_millis())
}

impl SummaryForm {
    /// Writes a summary to standard error, in this form.
    pub fn print(self, summary: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self {
            SummaryForm::Text => print_status(&text()),
            SummaryForm::Json => {
                let json = serde_json::to_string(summary).context("could not write the summary as JSON");
                print_status(&json.map_err(Failure::Io)?);
            }
            SummaryForm::None => {}
        }
        Ok(())
    }
}

impl<'a> Summary<'a> {
    pub fn new(report: &'a ReplayReport, limits: &'a Limits, elapsed: Duration) -> Summary<'a> {
        let tally = &report.tally;
        Summary {
            attempts: tally.attempts(),
            accepted: tally.accepted,
            declined: tally.declined,
            declined_by_reason: tally.declined_by_reason(limits).collect(),
            shadow_declined: tally.shadow_declined(limits).collect(),
            run_id: report.run_id.as_deref(),
            ignored: tally.ignored,
            invalid: tally.invalid,
            complete: report.is_complete,
            elapsed,
            attempts_per_second: per_second(tally.attempts(), elapsed),
        }
    }

    /// Returns the summary as text.
    pub fn text(&self) -> String {
        if !self.complete {
            return "stopped early: the reader of the decisions closed the pipe".to_owned();
        }
        let codes = self.declined_by_reason.iter().chain(&self.shadow_declined);
        let longest = codes.map(|(code, _)| code.len()).max().unwrap_or_default();
        let width = (longest + 3).max(16);
        let mut text = String::new();
        let mut count = |name: &str, count: u64, note: &str| {
            let _ = writeln!(text, "{name:<width$}{:>14}{note}", HumanCount(count).to_string());
        };
        count("attempts", self.attempts, "");
        count("accepted", self.accepted, "");
        count("declined", self.declined, "");
        for (code, declined) in &self.declined_by_reason {
            count(&format!("  {code}"), *declined, "");
        }
        for (code, fired) in &self.shadow_declined {
            count(&format!("  {code}"), *fired, "  in shadow: not declined");
        }
        count("ignored", self.ignored, "  already decided");
        count("invalid", self.invalid, "");
        if let Some(run_id) = self.run_id {
            let _ = writeln!(text, "{:<width$}{run_id}", "run");
        }
        let _ = write!(text, "{:.2?}, {} attempts per second", self.elapsed, HumanCount(self.attempts_per_second));
        text
    }
}
