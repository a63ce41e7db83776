//! Entries of the decision log.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::usage::OriginView;
use crate::domain::LogEntry;
use crate::wire::decision_message;

/// Some decisions of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunDecisionList)]
#[serde(rename_all = "camelCase")]
pub struct RunDecisionListView {
    /// The run.
    #[schema(example = "019b8d6c-5c00-7000-8000-0123456789ab")]
    run_id: String,
    /// The decisions, in the order of their sequence numbers.
    decisions: Vec<LogEntryView>,
    /// The parameter `cursor` of the next page; null if there is none.
    next_cursor: Option<String>,
}

/// A decision in the decision log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoggedDecision)]
#[serde(rename_all = "camelCase")]
pub struct LogEntryView {
    /// Place of the attempt in the run: in its batch, from 0, or in its file, from 1.
    seq: u64,
    /// The message that brought the attempt. In a replay, it consists of the run's name and the line.
    message_id: String,
    /// Where the limits that are not the customer's own come from.
    origin: OriginView,
    /// The decision, byte for byte as it is published. Its amounts are integers, in hundredths of the currency.
    #[schema(value_type = Object)]
    decision: Box<RawValue>,
}

impl RunDecisionListView {
    /// Combines some decisions of a run with the cursor of the next page.
    pub fn new(run_id: &str, entries: &[LogEntry], next_cursor: Option<String>) -> RunDecisionListView {
        let decisions = entries.iter().map(LogEntryView::new).collect();
        RunDecisionListView { run_id: run_id.to_owned(), decisions, next_cursor }
    }
}

impl LogEntryView {
    /// Converts an entry.
    pub fn new(entry: &LogEntry) -> LogEntryView {
        LogEntryView {
            seq: entry.position.seq,
            message_id: entry.message_id.clone(),
            origin: (&entry.decision.origin).into(),
            // A message is always JSON.
            decision: RawValue::from_string(decision_message(&entry.decision)).unwrap_or_default(),
        }
    }
}
