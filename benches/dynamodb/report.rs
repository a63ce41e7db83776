//! Report of the figures: tables, a plot, and requirements.

use std::fmt::Write;
use std::io::Result;
use std::process::ExitCode;

use crate::input::{BATCH, Case};
use crate::meter::Cost;
use crate::shared::page::{folder, put};
use crate::shared::plot::{Plot, Series};
use crate::shared::table::Table;
use crate::windows::{self, Row};
use crate::{DESIGNS, Inputs, Measured};

/// A requirement, and true if it holds.
type Required = (String, bool);

/// Prints and publishes the report. Returns a failure if a requirement does not hold.
pub(crate) fn publish(inputs: &Inputs, embedded: &Measured, local: &Measured, windows: &[Row]) -> Result<ExitCode> {
    let mut required = required(embedded, local);
    required.extend(required_of_windows(windows));
    let mut text = String::from(LEGEND);
    for (title, first, cases, costs) in [
        ("Messages alone, and ten that are all declined, for each message:", "message", &inputs.lone, &embedded.lone),
        (
            "A batch of new attempts of one customer, all accepted, for each decision:",
            "attempts",
            &inputs.groups,
            &embedded.groups,
        ),
        (
            "Batches of ten with duplicates among them, for each distinct event:",
            "duplicates",
            &inputs.duplicates,
            &embedded.duplicates,
        ),
        (
            "Batches of ten with redeliveries among them, for each distinct event:",
            "redeliveries",
            &inputs.redeliveries,
            &embedded.redeliveries,
        ),
    ] {
        let _ = write!(text, "\n\n{title}\n\n{}", table(first, cases, costs));
    }
    let _ = write!(text, "\n\n{SERVERS}\n\n{}\n\nRequired:\n", operations(embedded, local));
    for (what, holds) in &required {
        let _ = write!(text, "\n- {what}: {}", if *holds { "holds" } else { "**does not hold**" });
    }
    plot(inputs, embedded)?;
    put("PERFORMANCE.md", "dynamodb", &text)?;
    put("PERFORMANCE.md", "windows", &windows::table(windows))?;
    Ok(if required.iter().all(|(_, holds)| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const LEGEND: &str = "Write units / read units / requests. `(+n)`: writes whose condition did not hold. DynamoDB \
    charges at least one unit for each, but no answer says so; they are not in the sum.";

const SERVERS: &str = "The same requests to both stand-ins, and the units that each says:";

fn table(first: &str, cases: &[Case], costs: &[[Cost; 4]]) -> String {
    let [loadgate, read_then_write, transaction, idempotency] = DESIGNS;
    let mut table = Table::new([first, loadgate, read_then_write, transaction, idempotency]);
    for (case, costs) in cases.iter().zip(costs) {
        let [a, b, c, d] = costs.each_ref().map(cell);
        table.row(&[case.name.clone(), a, b, c, d]);
    }
    table.markdown()
}

pub(crate) fn cell(cost: &Cost) -> String {
    let refused = if cost.refused > 0.0 { format!(" (+{:.2})", cost.refused) } else { String::new() };
    format!("{:.2}{refused} / {:.2} / {:.2}", cost.write_units, cost.read_units, cost.requests)
}

fn operations(embedded: &Measured, local: &Measured) -> String {
    let mut table = Table::new(["operation", "requests", "embedded", "DynamoDB Local", "the same"]);
    for (operation, cost) in &embedded.operations {
        let theirs = local.operations.get(operation).copied().unwrap_or_default();
        let units = |cost: &Cost| format!("{:.1}", cost.write_units + cost.read_units);
        let is_same = if *cost == theirs { "yes" } else { "no" }.to_owned();
        table.row(&[format!("`{operation}`"), cost.requests.to_string(), units(cost), units(&theirs), is_same]);
    }
    table.markdown()
}

fn plot(inputs: &Inputs, embedded: &Measured) -> Result<()> {
    let points = |design: usize| {
        let costs = embedded.groups.iter().filter_map(|costs| costs.get(design));
        inputs
            .groups
            .iter()
            .zip(costs)
            .map(|(case, cost)| (case.divisor() as f64 / crate::input::CUSTOMERS as f64, cost.write_units))
            .collect()
    };
    let series =
        DESIGNS.iter().enumerate().map(|(place, name)| Series { name: (*name).to_owned(), points: points(place) });
    Plot {
        title: "Write units for each decision",
        x_label: "new attempts of one customer in a batch, all accepted",
        y_label: "write units",
        series: series.collect(),
    }
    .write(&folder()?.join("units-by-group-size.svg"))
}

fn required(embedded: &Measured, local: &Measured) -> Vec<Required> {
    let all = |measured: &Measured| {
        let Measured { lone, groups, duplicates, redeliveries, .. } = measured;
        [lone, groups, duplicates, redeliveries].map(Clone::clone).concat()
    };
    let of = |costs: Option<&[Cost; 4]>| costs.map_or(f64::INFINITY, |[loadgate, ..]| loadgate.write_units);
    let is_cheaper = |[loadgate, _, transaction, _]: &[Cost; 4]| loadgate.write_units <= transaction.write_units;
    let round_trips = |(size, [loadgate, ..]): (usize, &[Cost; 4])| loadgate.requests * (size as f64) <= 2.0 + 1e-9;
    let same_requests = all(embedded)
        .iter()
        .flatten()
        .zip(all(local).iter().flatten())
        .all(|(one, other)| (one.requests, one.refused) == (other.requests, other.refused));
    vec![
        ("all designs decide the same, over both servers".to_owned(), true),
        ("loadgate's own report tells the units that passed by".to_owned(), true),
        ("both servers are asked and refuse the same".to_owned(), same_requests),
        ("an accepted attempt alone: at most 4 write units".to_owned(), of(embedded.lone.first()) <= 4.0),
        (format!("{BATCH} of one customer: at most 2.2 write units each"), of(embedded.groups.last()) <= 2.2),
        (
            "no group: more write units than with a transaction an event".to_owned(),
            embedded.groups.iter().all(is_cheaper),
        ),
        ("a group: at most two requests, whatever its size".to_owned(), (1..).zip(&embedded.groups).all(round_trips)),
        ("a declined attempt alone: at most 1 write unit".to_owned(), of(embedded.lone.get(1)) <= 1.0),
        ("a duplicate: no write unit".to_owned(), of(embedded.lone.get(3)) <= 0.0),
    ]
}

fn required_of_windows(windows: &[Row]) -> Vec<Required> {
    let at_most = |accepted: f64, declined: f64| {
        move |row: &Row| {
            let [accept, decline, _] = &row.costs;
            accept.write_units <= accepted && decline.write_units <= declined
        }
    };
    let (short, long) = windows.split_at(2.min(windows.len()));
    // A total of all time that is counted now makes a decline check the fence.
    let kept = long.get(..long.len().saturating_sub(1)).unwrap_or_default();
    vec![
        (
            "without a long window: 4 write units for an accept, 1 for a decline".to_owned(),
            short.iter().all(at_most(4.0, 1.0)),
        ),
        (
            "with a long window: 6 write units for an accept, 1 for a decline".to_owned(),
            !kept.is_empty() && kept.iter().all(at_most(6.0, 1.0)),
        ),
    ]
}
