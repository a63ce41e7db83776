//! The bill of steady traffic, line by line: as it is without any setting, and with those that are recommended.

use std::io::{Error, Result};

use crate::cost::{Month, cents, dollars};
use crate::shared::table::Table;
use crate::sim::Outcome;
use crate::steady::latency;
use crate::table_of::time;

/// Maximum cost of a million decisions at 1,000 a second, in hundredths of a dollar: on demand, and with provisioned capacity.
const ON_DEMAND_MAX: u128 = 380;
const PROVISIONED_MAX: u128 = 300;

/// Retention of the decision log for which its cost is shown, in days.
const LOG_DAYS: u128 = 90;

/// Number of attempts in a request, as recommended.
const SENT_TOGETHER: u128 = 10;

/// Returns the table. `before` has 50 functions; `after` has what is recommended, with provisioned capacity.
pub(crate) fn table(before: &Outcome, after: &Outcome) -> Result<String> {
    let on_demand = Outcome { write_units_per_s: 0, ..after.clone_counts() };
    let months = [Month::of(before, 1), Month::of(&on_demand, SENT_TOGETHER), Month::of(after, SENT_TOGETHER)];
    let heads = ["dollars a month at 1,000/s, steady", "before", "recommended, on demand", "recommended, provisioned"];
    let mut table = Table::new(heads);
    let [one, two, three] = months.each_ref().map(Month::rows);
    for ((one, two), three) in one.into_iter().zip(two).zip(three) {
        table.row(&[one.0.to_owned(), dollars(one.1), dollars(two.1), dollars(three.1)]);
    }
    let mut line = |name: &str, cells: [String; 3]| {
        let [one, two, three] = cells;
        table.row(&[name.to_owned(), one, two, three]);
    };
    line("**all**", months.each_ref().map(|month| dollars(month.all())));
    line("for a million decisions", months.each_ref().map(Month::for_a_million));
    let with_log = |month: &Month| cents((month.all() + month.decision_log(LOG_DAYS)) * 1_000_000 / month.decisions);
    line("the same with the decision log, kept for 90 days", months.each_ref().map(with_log));
    line("p50", [before, after, after].map(|outcome| time(latency(outcome, 500))));
    line("p99", [before, after, after].map(|outcome| time(latency(outcome, 990))));
    let throttled = [before.throttled, 0, after.throttled].map(|count| count.to_string());
    line("throttled commits", throttled);
    let hundredths = |month: &Month| month.all() * 1_000_000 / month.decisions / 10_000_000_000;
    let [_, on_demand, provisioned] = months.each_ref().map(hundredths);
    if on_demand > ON_DEMAND_MAX || provisioned > PROVISIONED_MAX {
        return Err(Error::other(format!("a million decisions cost more than they may:\n{}", table.markdown())));
    }
    Ok(format!("{}\n\nRequired: at most 3.80 dollars for a million on demand, and 3.00 provisioned.", table.markdown()))
}
