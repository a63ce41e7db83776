//! Cost of a decision by the longest window in force.

use std::io::{Error, Result};

use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::DynamoDb;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::config::TableNames;
use loadgate::domain::{Limit, Limits, Measure, RollingHours, Window, Zone};

use crate::designs::Loadgate;
use crate::input::{BATCH, Case};
use crate::meter::{Cost, Costs, Meter};
use crate::shared::server::Server;
use crate::shared::table::Table;

/// Costs under one window.
pub(crate) struct Row {
    window: &'static str,
    /// An accepted attempt alone, a declined one alone, and each of ten accepted ones of one customer.
    pub(crate) costs: [Cost; 3],
}

/// Measures decisions under each window, in the order of the table.
pub(crate) async fn measured(server: &Server) -> Result<Vec<Row>> {
    let zone = |name| Zone::named(name).map(Window::Day).ok_or_else(|| Error::other("no such zone"));
    let week = Zone::named("Asia/Tokyo").map(Window::Week).ok_or_else(|| Error::other("no such zone"))?;
    let hours = |hours| RollingHours::new(hours).map(Window::Rolling).ok_or_else(|| Error::other("no such length"));
    let cases = [
        ("UTC day and week, no limit table", None, false),
        ("UTC day and week, with a limit table", None, true),
        ("`day` of another zone", Some(zone("Europe/London")?), true),
        ("`week` of another zone", Some(week), true),
        ("`rolling`, 24 hours", Some(hours(24)?), true),
        ("`month`", Some(Window::Month(Zone::UTC)), true),
        ("`rolling`, 744 hours", Some(hours(744)?), true),
        ("`lifetime`, in the fence's first hour", Some(Window::Lifetime), true),
    ];
    let mut rows = Vec::new();
    for (number, (window, long, has_limit_table)) in cases.into_iter().enumerate() {
        rows.push(Row { window, costs: costs(server, number, long, has_limit_table).await? });
    }
    Ok(rows)
}

async fn costs(server: &Server, number: usize, long: Option<Window>, has_limit_table: bool) -> Result<[Cost; 3]> {
    let meter = Meter::before(&server.url).await?;
    let sdk = aws::load(Some(&meter.url)).await;
    let names = TableNames {
        correlation: format!("window-{number}-records"),
        load: format!("window-{number}-usage"),
        limit: has_limit_table.then(|| format!("window-{number}-limits")),
        log: None,
    };
    Tables::new(&sdk, names.clone()).create().await.map_err(Error::other)?;
    let loadgate = Loadgate::with(DynamoDb::new(&sdk, names), limits(long)?, has_limit_table);
    let cases =
        [Case::lone("accepted", "$1.00", None)?, Case::lone("declined", "$5000.01", None)?, Case::group(BATCH)?];
    let mut costs = [Cost::default(); 3];
    for (cost, case) in costs.iter_mut().zip(&cases) {
        let (sum, _) = crate::run(&loadgate, &meter, case, &mut Costs::new()).await?;
        *cost = sum / case.divisor() as f64;
    }
    Ok(costs)
}

/// Returns the built-in limits, and one with this window that declines nothing.
fn limits(long: Option<Window>) -> Result<Limits> {
    let mut limits: Vec<Limit> = Limits::default().iter().cloned().collect();
    limits.extend(long.map(|window| Limit {
        code: "LONG".to_owned(),
        measure: Measure::Amount,
        window,
        max: u64::MAX,
    }));
    Limits::new(limits).map_err(Error::other)
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = Table::new(["longest window", "accepted alone", "declined alone", "each of ten accepted"]);
    for Row { window, costs } in rows {
        let [accepted, declined, ten] = costs.each_ref().map(crate::report::cell);
        table.row(&[(*window).to_owned(), accepted, declined, ten]);
    }
    table.markdown()
}
