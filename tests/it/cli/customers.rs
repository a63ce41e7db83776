//! `loadgate customers erase`.

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::command::{folder, loadgate};

#[test]
fn a_recently_decided_customer_is_counted_and_not_erased() {
    let (folder, input) = folder();
    let store = format!("sqlite:{}", folder.path().join("store.db").display());
    let log = ["--store", &store, "--decision-log-table", "Log"];
    loadgate(&["replay", "--decision-log-days", "9"]).args(log).arg(&input).assert().success();
    let found = "Log: 2 entries of the decision log found\nEventCorrelationTable: 2 decisions found\n\
                 DailyCustomerLoadTable: 1 usage rows, 0 fences found\n";
    let refused = "less than 15 minutes ago";
    for _ in 0..2 {
        let counted = loadgate(&["customers", "erase", "7"]).args(log).assert().success();
        counted.stdout(contains(found).and(contains(refused)).and(contains("point-in-time recovery for 35 days")));
        let erased = loadgate(&["customers", "erase", "7", "--go"]).args(log).assert().code(1);
        erased.stdout("").stderr(contains("nothing was deleted").and(contains(refused)));
    }
}

#[test]
fn an_unknown_customer_has_nothing_to_erase() {
    let (folder, _) = folder();
    let store = format!("sqlite:{}", folder.path().join("store.db").display());
    let nothing =
        "EventCorrelationTable: 0 decisions deleted\nDailyCustomerLoadTable: 0 usage rows, 0 fences deleted\n";
    let erased = loadgate(&["customers", "erase", "7", "--go", "--store", &store]).assert().success();
    erased.stdout(contains(nothing).and(contains("no table is named (--decision-log-table)")));
}
