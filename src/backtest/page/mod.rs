//! The report as one page: no script, no address of anything else, and a policy that forbids both.
//!
//! Texts of the input and of the command line stand in text nodes alone, where both libraries escape them. Characters that change
//! how others are read are written as escapes.

mod candidate;
mod plot;
mod scale;
mod table;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::table::Head::{Number, Text};
use crate::backtest::day_groups::DayGroup;
use crate::backtest::figures::{Flip, PerFlip};
use crate::backtest::numbers::{amount, grouped, percent, visible};
use crate::backtest::report::{BacktestReport, CandidateReport, LimitsReport};

/// The page's only style.
const STYLE: &str = include_str!("style.css");

/// Returns the report as a page. `input` is the name of the attempts' file.
pub fn report_page(report: &BacktestReport, input: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { "Backtest of " (visible(input)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Backtest" }
                    p { "Decisions of other limits on the load attempts of " span.name { (visible(input)) } "." }
                    p.faint { (counts(report)) }
                }
                main {
                    (overview(report))
                    @for (number, candidate) in (1..).zip(&report.candidates) {
                        (candidate::section(number, &report.base, candidate))
                    }
                }
            }
        }
    };
    page.into_string()
}

/// Returns the page's policy: nothing may be loaded or run, and only this style applies.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn counts(report: &BacktestReport) -> String {
    let [decided, ignored, invalid] =
        [report.decided, report.ignored, report.invalid].map(|count| grouped(u128::from(count)));
    let currency = report.currency.code();
    format!(
        "{decided} attempts decided; {ignored} ignored, because they were decided before; {invalid} invalid. Amounts are in {currency}."
    )
}

fn overview(report: &BacktestReport) -> Markup {
    let heads = [
        Text("Limits"),
        Number("Accepted"),
        Number("of decided"),
        Number("Amount"),
        Number("Flips to accepted"),
        Number("Amount"),
        Number("Flips to declined"),
        Number("Amount"),
        Number("Customers"),
    ];
    let rows = html! {
        tr {
            th.name scope="row" { (report.base.name) }
            (accepted(&report.base))
            @for _ in 0..5 { td { "–" } }
        }
        @for (number, candidate) in (1..).zip(&report.candidates) {
            tr {
                th.name scope="row" { a href={ "#candidate-" (number) } { (visible(&candidate.decisions.name)) } }
                (accepted(&candidate.decisions))
                (flips(candidate))
            }
        }
    };
    html! {
        h3 { "Overview" }
        (table::of("Decisions of all limits. A flip is an attempt that a candidate decides otherwise than the base.", &heads, &rows))
    }
}

fn accepted(table: &LimitsReport) -> Markup {
    let decided = table.accepted.count.saturating_add(table.declined.count);
    html! {
        td { (grouped(u128::from(table.accepted.count))) }
        td { (percent(u128::from(table.accepted.count), u128::from(decided))) }
        td { (amount(table.accepted.cents)) }
    }
}

fn flips(candidate: &CandidateReport) -> Markup {
    let PerFlip { to_accepted, to_declined } = &candidate.flips;
    html! {
        @for flip in [to_accepted, to_declined] {
            td { (grouped(u128::from(flip.total.count))) }
            td { (amount(flip.total.cents)) }
        }
        td { (grouped(u128::from(candidate.flipped_customers))) }
    }
}

/// Returns the text of a group's days.
fn days(group: &DayGroup) -> String {
    let DayGroup { first, last, .. } = group;
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// Returns the words for a flip.
const fn words(flip: Flip) -> &'static str {
    match flip {
        Flip::ToAccepted => "to accepted",
        Flip::ToDeclined => "to declined",
    }
}
