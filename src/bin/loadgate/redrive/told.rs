//! What was found in a dead-letter queue, for people and for programs.

use std::fmt::Write;

use indicatif::HumanCount;
use loadgate::entry::redrive::{Cause, Letters, Report};
use serde_json::json;

/// For people.
pub fn as_text(report: &Report, is_done: bool, drops_invalid: bool) -> String {
    let mut text = match report.seen {
        0 => "no letters; those that somebody else has received come back after their visibility time-out\n".to_owned(),
        1 => "1 letter\n".to_owned(),
        seen => format!("{} letters\n", HumanCount(seen)),
    };
    for (cause, letters) in &report.by_cause {
        let (what, fate) = (named(*cause), fate(*cause, drops_invalid));
        let _ = writeln!(text, "  {:>8}  {what}: {fate}", HumanCount(letters.count).to_string());
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
    if !report.is_through {
        text.push_str("the queue may have more: run it again, or raise --max\n");
        text.push_str(
            "a customer of whom ten letters stay shows none behind them; --drop-invalid takes invalid ones out\n",
        );
    }
    if report.not_given_back > 0 {
        let _ = writeln!(text, "{} could not be given back, and can be seen again in 5 minutes", report.not_given_back);
    }
    text
}

/// For programs: one object on one line.
pub fn as_json(report: &Report, is_done: bool) -> String {
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
        "failed": report.failed,
        "failures": report.failures,
        "not_given_back": report.not_given_back,
        "is_through": report.is_through,
    });
    format!("{object}\n")
}

/// The cause's name, for programs. That of an invalid letter is its code.
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

/// What is done with it.
const fn fate(cause: Cause, drops_invalid: bool) -> &'static str {
    match cause {
        Cause::NotPublished => "published from the stored decision",
        Cause::NotDecided => "back to the input queue",
        Cause::Duplicate | Cause::AlteredDuplicate => "deleted",
        Cause::Corrupt => "stays; correct the record by hand",
        Cause::Invalid(_) if drops_invalid => "into the file",
        Cause::Invalid(_) => "stays; --drop-invalid FILE takes it out",
    }
}
