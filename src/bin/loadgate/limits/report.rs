//! Report of applied limit events, as text or as JSON.

use std::fmt::Write;
use std::time::Duration;

use indicatif::HumanCount;
use loadgate::runtime::limit_events::LimitEventCounts;
use serde::Serialize;

use crate::progress::per_second;
use crate::summary::as_ms;

/// Counts of limit events by their effect.
#[derive(Serialize)]
pub struct Report {
    events: u64,
    changed: u64,
    outdated: u64,
    ignored: u64,
    invalid: u64,
    #[serde(rename = "elapsed_ms", serialize_with = "as_ms")]
    elapsed: Duration,
    events_per_second: u64,
}

impl Report {
    pub fn new(counts: LimitEventCounts, elapsed: Duration) -> Report {
        let LimitEventCounts { changed, outdated, ignored, invalid } = counts;
        let events = counts.events();
        Report { events, changed, outdated, ignored, invalid, elapsed, events_per_second: per_second(events, elapsed) }
    }

    /// Returns the report as text.
    pub fn text(&self) -> String {
        let rows = [
            ("events", self.events, ""),
            ("changed", self.changed, "  changed a limit or its reported progress"),
            ("outdated", self.outdated, "  their limit has taken the same or a later event"),
            ("ignored", self.ignored, "  of types without an effect"),
            ("invalid", self.invalid, ""),
        ];
        let mut text = String::new();
        for (name, count, note) in rows {
            let _ = writeln!(text, "{name:<16}{:>14}{note}", HumanCount(count).to_string());
        }
        let _ = write!(text, "{:.2?}, {} events per second", self.elapsed, HumanCount(self.events_per_second));
        text
    }
}
