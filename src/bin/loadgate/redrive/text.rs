//! Report of a redrive, as text and as JSON.

use std::fmt::Write;

use indicatif::HumanCount;
use loadgate::adapters::sqs::QueueSettings;
use loadgate::redrive::{Cause, Letters, RedriveReport};
use serde_json::json;

/// Numbers of dead letters left in the queue. They are approximate, because SQS updates its counts late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Number of inspected dead letters that stay.
    pub staying: u64,
    /// Number of dead letters that were not inspected.
    pub not_seen: u64,
    /// Number of uninspected dead letters that another receiver holds.
    pub held_elsewhere: u64,
}

impl Left {
    /// Compares the inspected dead letters with the queue's own counts, if known.
    pub fn new(report: &RedriveReport, queue: Option<&QueueSettings>) -> Left {
        let staying = report.seen.saturating_sub(report.done);
        let (visible, in_flight) = queue.map_or((staying, 0), |queue| (queue.messages, queue.messages_in_flight));
        let not_seen = (visible + in_flight).saturating_sub(staying);
        let held_elsewhere = in_flight.saturating_sub(report.not_given_back).min(not_seen);
        Left { staying, not_seen, held_elsewhere }
    }

    /// Returns true if nothing is left to do.
    pub const fn is_empty(self) -> bool {
        self.staying == 0 && self.not_seen == 0
    }
}

/// Formats the report as text.
pub fn as_text(report: &RedriveReport, left: Left, is_done: bool, drops_invalid: bool) -> String {
    let mut text = match report.seen {
        0 => "no dead letters\n".to_owned(),
        1 => "1 dead letter\n".to_owned(),
        seen => format!("{} dead letters\n", HumanCount(seen)),
    };
    for (cause, letters) in &report.by_cause {
        let (what, action) = (named(*cause), action(*cause, drops_invalid));
        let _ = writeln!(text, "  {:>8}  {what}: {action}", HumanCount(letters.count).to_string());
        let more = if letters.count > letters.message_ids.len() as u64 { ", …" } else { "" };
        let _ = writeln!(text, "            {}{more}", letters.message_ids.join(", "));
    }
    let (done, archived) = (HumanCount(report.done), HumanCount(report.archived));
    let _ = match (report.seen, is_done) {
        (0, _) => Ok(()),
        (_, false) => writeln!(text, "nothing was changed; --go does it"),
        (_, true) if report.archived > 0 => {
            writeln!(text, "left the queue: {done}, of which into the file: {archived}")
        }
        (_, true) => writeln!(text, "left the queue: {done}"),
    };
    if report.regrouped > 0 {
        let regrouped = HumanCount(report.regrouped);
        let _ = writeln!(text, "{regrouped} invalid dead letters have a group of their own now, and hide no others");
    }
    push_not_seen(&mut text, report, left);
    if report.not_given_back > 0 {
        let _ = writeln!(
            text,
            "{} could not be returned to the queue, and become visible in 5 minutes",
            report.not_given_back
        );
    }
    text
}

/// Adds the number of dead letters that were not inspected, and the reason.
fn push_not_seen(text: &mut String, report: &RedriveReport, left: Left) {
    if left.not_seen == 0 {
        return;
    }
    let _ = writeln!(text, "about {} dead letters were not seen:", HumanCount(left.not_seen));
    let behind = left.not_seen - left.held_elsewhere;
    if left.held_elsewhere > 0 {
        let held = HumanCount(left.held_elsewhere);
        let _ = writeln!(
            text,
            "  {held} are received by another consumer, and become visible after their visibility time-out"
        );
    }
    if behind == 0 {
        return;
    }
    let _ = match (report.full_groups, report.is_complete) {
        (groups @ 1.., _) => writeln!(
            text,
            "  {} are behind dead letters that stay: the first ten of {} customers stay",
            HumanCount(behind),
            HumanCount(groups)
        ),
        (0, false) => {
            writeln!(
                text,
                "  {} come after the last one received; run the command again, or raise --max",
                HumanCount(behind)
            )
        }
        (0, true) => writeln!(
            text,
            "  {} have arrived meanwhile, are behind those that another consumer has, or are counted late; run the \
             command again in 5 minutes",
            HumanCount(behind)
        ),
    };
}

/// Formats the report as one JSON object on one line.
pub fn as_json(report: &RedriveReport, left: Left, is_done: bool) -> String {
    let cause = |(cause, letters): (&Cause, &Letters)| {
        let Letters { count, message_ids } = letters;
        json!({ "cause": name(*cause), "count": count, "message_ids": message_ids })
    };
    let object = json!({
        "is_dry_run": !is_done,
        "letters": report.seen,
        "by_cause": report.by_cause.iter().map(cause).collect::<Vec<_>>(),
        "done": report.done,
        "archived": report.archived,
        "regrouped": report.regrouped,
        "failed": report.failed,
        "failures": report.failures,
        "not_given_back": report.not_given_back,
        "not_seen": left.not_seen,
        "held_elsewhere": left.held_elsewhere,
        "is_through": report.is_complete && left.not_seen == 0,
    });
    format!("{object}\n")
}

/// Returns the cause's name in JSON. The name for an invalid dead letter is its error code.
fn name(cause: Cause) -> &'static str {
    match cause {
        Cause::NotPublished => "not_published",
        Cause::NotDecided => "not_decided",
        Cause::Duplicate => "duplicate",
        Cause::AlteredDuplicate => "altered_duplicate",
        Cause::Corrupt => "corrupt",
        Cause::Invalid(code) => code,
    }
}

fn named(cause: Cause) -> String {
    match cause {
        Cause::NotPublished => "decided, not known to be published".to_owned(),
        Cause::NotDecided => "not decided".to_owned(),
        Cause::Duplicate => "duplicate of a decided event".to_owned(),
        Cause::AlteredDuplicate => "duplicate of a decided event that asks for something else".to_owned(),
        Cause::Corrupt => "its record cannot be understood".to_owned(),
        Cause::Invalid(code) => format!("invalid, {code}"),
    }
}

/// Describes the action for a cause.
const fn action(cause: Cause, drops_invalid: bool) -> &'static str {
    match cause {
        Cause::NotPublished => "published from the stored decision",
        Cause::NotDecided => "back to the input queue",
        Cause::Duplicate | Cause::AlteredDuplicate => "deleted",
        Cause::Corrupt => "stays; correct the record by hand",
        Cause::Invalid(_) if drops_invalid => "into the file",
        Cause::Invalid(_) => "stays; --drop-invalid FILE takes it out",
    }
}
