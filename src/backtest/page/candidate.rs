//! The part of the page about one candidate.

use chrono::SecondsFormat;
use maud::{Markup, PreEscaped, html};

use super::table::Head::{Number, Text};
use super::{plot, table, words};
use crate::backtest::day_groups::{DayGroup, group_days};
use crate::backtest::figures::{Example, Flip, PerFlip, Total};
use crate::backtest::numbers::{amount, grouped, visible};
use crate::backtest::report::{CandidateReport, FlipReport, LimitsReport};
use crate::domain::{Limit, Measure, Window, Zone};

/// Maximum number of points, bars and rows by day. Each is one day, or several consecutive days.
const DAY_GROUPS_MAX: u16 = 60;

/// Returns the part about a candidate.
pub(super) fn section(number: usize, base: &LimitsReport, candidate: &CandidateReport) -> Markup {
    let groups = group_days(&candidate.decisions.by_day, DAY_GROUPS_MAX);
    html! {
        section id={ "candidate-" (number) } {
            h2 { (visible(&candidate.decisions.name)) }
            p { (summary(candidate)) }
            (plots(base, candidate, &groups))
            (reasons(base, &candidate.decisions))
            (days(candidate, &groups))
            (most_affected(candidate))
            @for flip in Flip::ALL { (examples(flip, candidate.flips.get(flip))) }
            (limits(&candidate.decisions))
        }
    }
}

fn summary(candidate: &CandidateReport) -> String {
    let PerFlip { to_accepted, to_declined } = candidate.flips.map_ref(|flip| {
        let [count, customers] = [flip.total.count, flip.customers].map(|count| grouped(u128::from(count)));
        format!("{count} attempts of {customers} customers ({})", amount(flip.total.cents))
    });
    format!("It accepts {to_accepted} that the base declines. It declines {to_declined} that the base accepts.")
}

fn plots(base: &LimitsReport, candidate: &CandidateReport, groups: &[DayGroup]) -> Markup {
    let base_groups = group_days(&base.by_day, DAY_GROUPS_MAX);
    let rows: Vec<(&str, [Total; 2])> = reason_rows(base, &candidate.decisions);
    let limits = [("base", "base"), ("candidate", "candidate")];
    html! {
        (figure("Accepted amount by day", plot::accepted_amounts(&base_groups, groups), limits))
        (figure("Flips by day", plot::flips(groups), Flip::ALL.map(|flip| (class(flip), words(flip)))))
        (figure("Declined attempts by reason", plot::reasons(&rows), limits))
    }
}

fn figure(title: &str, svg: String, keys: [(&str, &str); 2]) -> Markup {
    html! {
        h3 { (title) }
        figure {
            figcaption { @for (class, name) in keys { span.key { i class=(class) {} (name) } } }
            (PreEscaped(svg))
        }
    }
}

/// Returns the reasons of both tables with their totals, those of the base first.
fn reason_rows<'r>(base: &'r LimitsReport, candidate: &'r LimitsReport) -> Vec<(&'r str, [Total; 2])> {
    let [of_base, of_candidate] = [base, candidate].map(|table| &table.declined_by_reason);
    let find =
        |table: &[(String, Total)], code: &str| table.iter().find(|(known, _)| known == code).map(|(_, total)| *total);
    let only = of_candidate.iter().filter(|(code, _)| find(of_base, code).is_none());
    let codes = of_base.iter().chain(only).map(|(code, _)| code.as_str());
    codes.map(|code| (code, [of_base, of_candidate].map(|table| find(table, code).unwrap_or_default()))).collect()
}

fn reasons(base: &LimitsReport, candidate: &LimitsReport) -> Markup {
    let rows = html! {
        @for (code, totals) in reason_rows(base, candidate) {
            tr {
                th.name scope="row" { (visible(code)) }
                @for total in totals { (cells(total)) }
            }
        }
    };
    let heads = [Text("Reason"), Number("Base"), Number("Amount"), Number("Candidate"), Number("Amount")];
    let caption = "Declined attempts by reason. An attempt that would break several limits counts for each.";
    table::of(caption, &heads, &rows)
}

fn days(candidate: &CandidateReport, groups: &[DayGroup]) -> Markup {
    let rows = html! {
        @for group in groups {
            tr {
                th scope="row" { (super::days(group)) }
                (cells(group.figures.accepted))
                (cells(group.figures.declined))
                @for flip in Flip::ALL { (cells(*group.figures.flips.get(flip))) }
            }
        }
        @if let Some(later) = candidate.decisions.by_day.later() {
            tr {
                th scope="row" { "later days" }
                (cells(later.accepted))
                (cells(later.declined))
                @for flip in Flip::ALL { (cells(*later.flips.get(flip))) }
            }
        }
    };
    let heads = [
        Text("UTC day"),
        Number("Accepted"),
        Number("Amount"),
        Number("Declined"),
        Number("Amount"),
        Number("To accepted"),
        Number("Amount"),
        Number("To declined"),
        Number("Amount"),
    ];
    let caption = "Decisions and flips by UTC day. The JSON has each day, where a row is several.";
    html! { h3 { "By day" } (table::of(caption, &heads, &rows)) }
}

fn most_affected(candidate: &CandidateReport) -> Markup {
    if candidate.most_affected.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for customer in &candidate.most_affected {
            tr {
                th.name scope="row" { (visible(&customer.customer_id)) }
                @for flip in Flip::ALL {
                    @let total = customer.flips.get(flip);
                    (cells(Total { count: u64::from(total.count), cents: u128::from(total.amount.get()) }))
                }
            }
        }
    };
    let (shown, all) = (candidate.most_affected.len(), grouped(u128::from(candidate.flipped_customers)));
    let caption = format!("The {shown} customers with the largest flipped amounts, of {all} with a flip.");
    let heads = [Text("Customer"), Number("To accepted"), Number("Amount"), Number("To declined"), Number("Amount")];
    html! { h3 { "Customers most affected" } (table::of(&caption, &heads, &rows)) }
}

fn examples(flip: Flip, report: &FlipReport) -> Markup {
    if report.examples.is_empty() {
        return html! {};
    }
    let rows = html! { @for example in &report.examples { (example_row(flip, example)) } };
    let (shown, all) = (report.examples.len(), grouped(u128::from(report.total.count)));
    let caption = format!("The first {shown} of {all} flips {}, in the order of the input.", words(flip));
    let heads =
        [Text("Line"), Text("Event"), Text("Customer"), Number("Amount"), Text("Time"), Text("Declined because of")];
    html! { h3 { "Examples of flips " (words(flip)) } (table::of(&caption, &heads, &rows)) }
}

fn example_row(flip: Flip, example: &Example) -> Markup {
    let reasons = match flip {
        Flip::ToAccepted => &example.base_reasons,
        Flip::ToDeclined => &example.candidate_reasons,
    };
    html! {
        tr {
            th scope="row" { (example.line) }
            td.name.text { (visible(&example.id)) }
            td.name.text { (visible(&example.customer_id)) }
            td { (amount(u128::from(example.amount.get()))) }
            td.text { (example.time.to_rfc3339_opts(SecondsFormat::AutoSi, true)) }
            td.name.text { (reasons.join(", ")) }
        }
    }
}

fn limits(table: &LimitsReport) -> Markup {
    let rows = html! {
        @for limit in table.limits.iter() {
            tr {
                th.name scope="row" { (limit.code) }
                td.text { (window(&limit.window)) }
                td { (maximum(limit)) }
            }
        }
    };
    let heads = [Text("Code"), Text("Window"), Number("Maximum")];
    html! { h3 { "Its limits" } (table::of("Limits of this candidate, without customers' own.", &heads, &rows)) }
}

fn window(window: &Window) -> String {
    let in_zone = |period: &str, zone: &Zone| format!("{period}, {}", zone.name());
    match window {
        Window::Load => "one load".to_owned(),
        Window::Day(zone) => in_zone("day", zone),
        Window::Week(zone) => in_zone("week", zone),
        Window::Month(zone) => in_zone("month", zone),
        Window::Lifetime => "lifetime".to_owned(),
        Window::Rolling(hours) => format!("any {} hours", hours.get()),
        Window::Anchored(_) => "of a customer's own".to_owned(),
    }
}

fn maximum(limit: &Limit) -> String {
    match limit.measure {
        Measure::Amount => amount(u128::from(limit.max)),
        Measure::Count => format!("{} loads", grouped(u128::from(limit.max))),
    }
}

fn cells(total: Total) -> Markup {
    html! { td { (grouped(u128::from(total.count))) } td { (amount(total.cents)) } }
}

const fn class(flip: Flip) -> &'static str {
    match flip {
        Flip::ToAccepted => "to-accepted",
        Flip::ToDeclined => "to-declined",
    }
}
