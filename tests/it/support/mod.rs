//! Code that several tests share: attempts as lines, replays in this process, and local stand-ins for AWS.

pub mod cloud;
pub mod command;
pub mod consumer_harness;
pub mod lines;
pub mod oracle;
pub mod records;
pub mod secrecy;
pub mod stores;
pub mod stream;

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use loadgate::deciding::{Decider, PlanCache};
use loadgate::domain::{Currency, Limits, LoadError};
use loadgate::replay::{Replay, ReplayError, ReplayObserver, ReplayOutput, ReplayReport, Tally};
use loadgate::wire::Reasons;

pub fn line(id: &str, customer_id: &str, load_amount: &str, time: &str) -> String {
    let [id, customer_id] = [id, customer_id].map(serde_json::Value::from);
    format!(r#"{{"id":{id},"customer_id":{customer_id},"load_amount":"{load_amount}","time":"{time}"}}"#) + "\n"
}

/// Output of a replay.
#[derive(Debug)]
pub struct Replayed {
    pub decisions: String,
    pub rejects: Vec<u8>,
    /// Number and error code of each line that was reported as invalid.
    pub reported: Vec<(u64, &'static str)>,
    pub ended: Result<ReplayReport, ReplayError>,
}

pub struct Settings {
    pub limits: Limits,
    pub reasons: Reasons,
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { limits: Limits::default(), reasons: Reasons::Omitted, threads: 2 }
    }
}

pub fn replay(input: impl Read + Send, settings: Settings) -> Replayed {
    let (decisions, rejects, reported) = (Shared::default(), Shared::default(), Reported::default());
    let replay = Replay {
        limits: settings.limits.into(),
        currency: Currency::USD,
        reasons: settings.reasons,
        threads: NonZeroUsize::new(settings.threads).unwrap(),
        identity_key: *b"a key for a test",
    };
    let output = ReplayOutput::new(decisions.clone(), Some(Box::new(rejects.clone())), reported.clone());
    let ended = replay.run(input, output);
    let decisions = String::from_utf8(decisions.take()).unwrap();
    let reported = std::mem::take(&mut *reported.0.lock().unwrap());
    Replayed { decisions, rejects: rejects.take(), reported, ended }
}

/// A shared buffer: one clone is written, and another is read.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Reported(Arc<Mutex<Vec<(u64, &'static str)>>>);

impl ReplayObserver for Reported {
    fn invalid(&mut self, line: u64, error: &LoadError) {
        self.0.lock().unwrap().push((line, error.code()));
    }

    fn progressed(&mut self, _tally: &Tally) {}
}

/// Marker texts in the bodies of [`bodies_with_marks`]. No error message and no log may contain them.
pub const MARKS: [&str; 2] = ["7654321", "Jane"];

/// Returns invalid bodies: a value of every type, with marker texts, in every field and beside fields of every kind.
pub fn bodies_with_marks() -> Vec<String> {
    let values = [
        "7654321.25",
        "-7654321",
        "7654321e400",
        "76543210000000000000000",
        "[7654321, \"Jane\"]",
        "{\"Jane\": 7654321}",
        "\"Jane 7654321 \\ud800\"",
        "\"Jane 7654321 \\x\"",
        "\"Jane 7654321 \u{1}\"",
        "\"Jane 7654321",
        "Jane7654321",
        "true7654321",
    ];
    let others = ["\"Jane 7654321\"", "\"Jane \\udc00\"", "null", "7654321"];
    let mut bodies = Vec::new();
    for place in 0..4 {
        for value in values {
            for other in others {
                let at = |n| if n == place { value } else { other };
                bodies.push(format!(
                    r#"{{"id":{},"customer_id":{},"load_amount":{},"time":{}}}"#,
                    at(0),
                    at(1),
                    at(2),
                    at(3)
                ));
            }
            bodies.push(format!(r#"{{"Jane":{value},"id":"1"}}"#));
            bodies.push(value.to_owned());
        }
    }
    bodies
}

/// Returns a decider with the built-in limits and no limits of customers' own. Records live for a day.
pub fn decider<S, C>(store: S, clock: C) -> Decider<S, C> {
    let (limits, correlation_ttl) = (Limits::default(), TimeDelta::hours(24));
    let plans = PlanCache::default();
    Decider { store, clock, limits, plans, has_limit_table: false, currency: Currency::USD, correlation_ttl, log: None }
}
