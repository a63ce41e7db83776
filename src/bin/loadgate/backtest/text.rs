//! The report of a backtest as text for a terminal.

use std::fmt::Write;

use chrono::SecondsFormat;
use loadgate::backtest::{
    AffectedCustomer, BacktestReport, CandidateReport, DayGroup, Example, Flip, FlipReport, LimitsReport, PerFlip,
    Total, amount, group_days, grouped, percent, visible,
};

/// Maximum number of rows of days. Each row is one day, or several consecutive days.
const DAY_ROWS_MAX: u16 = 14;

/// Maximum number of examples of a flip, and of customers. The JSON and the page have more.
const SHOWN_MAX: usize = 5;

/// Width of the names, without the space before the counts.
const NAME_WIDTH_MIN: usize = 28;

/// Returns the report as text.
pub fn report(report: &BacktestReport) -> String {
    let BacktestReport { decided, ignored, invalid, .. } = report;
    let [decided, ignored, invalid] = [*decided, *ignored, *invalid].map(|count| grouped(u128::from(count)));
    let mut text = format!("{decided} attempts decided, {ignored} ignored (already decided), {invalid} invalid\n");
    let _ = writeln!(text, "amounts in {}", report.currency.code());
    let width = width(report);
    add_decisions(&mut text, &report.base, width);
    for candidate in &report.candidates {
        add_decisions(&mut text, &candidate.decisions, width);
        add_flips(&mut text, candidate, width);
    }
    text
}

/// Returns the width of the longest name in the first column.
fn width(report: &BacktestReport) -> usize {
    let candidates = report.candidates.iter().map(|candidate| &candidate.decisions);
    let tables = std::iter::once(&report.base).chain(candidates);
    let codes = tables.flat_map(|table| &table.declined_by_reason).map(|(code, _)| code.len() + 4);
    codes.max().unwrap_or_default().max(NAME_WIDTH_MIN)
}

fn add_decisions(text: &mut String, table: &LimitsReport, width: usize) {
    let _ = writeln!(text, "\n{}", table.name);
    let decided = table.accepted.count.saturating_add(table.declined.count);
    let share = percent(u128::from(table.accepted.count), u128::from(decided));
    add_row(text, width, "  accepted", table.accepted, &share);
    add_row(text, width, "  declined", table.declined, "");
    for (code, total) in &table.declined_by_reason {
        add_row(text, width, &format!("    {code}"), *total, "");
    }
}

fn add_flips(text: &mut String, candidate: &CandidateReport, width: usize) {
    for flip in Flip::ALL {
        let FlipReport { total, customers, .. } = candidate.flips.get(flip);
        let customers = format!("customers: {}", grouped(u128::from(*customers)));
        add_row(text, width, &format!("  flips {}", words(flip)), *total, &customers);
    }
    if candidate.flipped_customers == 0 {
        return;
    }
    add_days(text, &group_days(&candidate.decisions.by_day, DAY_ROWS_MAX), width);
    let _ = writeln!(text, "  customers most affected, of {}", grouped(u128::from(candidate.flipped_customers)));
    candidate.most_affected.iter().take(SHOWN_MAX).for_each(|customer| add_customer(text, customer, width));
    for flip in Flip::ALL {
        let FlipReport { total, examples, .. } = candidate.flips.get(flip);
        if let Some(shown) = Some(examples.len().min(SHOWN_MAX)).filter(|shown| *shown > 0) {
            let all = grouped(u128::from(total.count));
            let _ = writeln!(text, "  flips {}: the first {shown} of {all}", words(flip));
            examples.iter().take(SHOWN_MAX).for_each(|example| add_example(text, example));
        }
    }
}

fn add_days(text: &mut String, days: &[DayGroup], width: usize) {
    let _ = writeln!(
        text,
        "  {:<1$} {2:>14} {3:>14} {4:>14}",
        "by UTC day",
        width - 2,
        "accepted",
        "to accepted",
        "to declined"
    );
    for DayGroup { first, last, figures } in days {
        let days = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let PerFlip { to_accepted, to_declined } = figures.flips;
        let counts = [figures.accepted, to_accepted, to_declined].map(|total| grouped(u128::from(total.count)));
        let [accepted, to_accepted, to_declined] = counts;
        let _ = writeln!(text, "    {days:<0$} {accepted:>14} {to_accepted:>14} {to_declined:>14}", width - 4);
    }
}

fn add_customer(text: &mut String, customer: &AffectedCustomer, width: usize) {
    let flips = Flip::ALL.map(|flip| {
        let total = customer.flips.get(flip);
        let amount = amount(u128::from(total.amount.get()));
        format!("{} {}, {amount}", grouped(u128::from(total.count)), words(flip))
    });
    let _ = writeln!(text, "    {:<1$} {2}", visible(&customer.customer_id), width - 4, flips.join("; "));
}

fn add_example(text: &mut String, example: &Example) {
    let [id, customer_id] = [&example.id, &example.customer_id].map(|id| visible(id));
    let (line, amount) = (example.line, amount(u128::from(example.amount.get())));
    let time = example.time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let reasons = [&example.base_reasons, &example.candidate_reasons].map(|codes| codes.join(", ")).concat();
    let _ = writeln!(text, "    line {line}: {id} of {customer_id}, {amount} at {time}: {reasons}");
}

fn add_row(text: &mut String, width: usize, name: &str, total: Total, note: &str) {
    let (count, amount) = (grouped(u128::from(total.count)), amount(total.cents));
    let row = format!("{name:<width$} {count:>14} {amount:>22}  {note}");
    let _ = writeln!(text, "{}", row.trim_end());
}

const fn words(flip: Flip) -> &'static str {
    match flip {
        Flip::ToAccepted => "to accepted",
        Flip::ToDeclined => "to declined",
    }
}
