//! Naive figures: computed from the decision lines that a replay writes for each table of limits. They share no code with the
//! library.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::oracle;

/// A decided attempt: its line's number, the attempt, and the reasons of one replay for each table, the base first.
struct Decided {
    line: usize,
    attempt: oracle::Attempt,
    reasons: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    count: u64,
    cents: u128,
}

/// Returns the report that a backtest must make, without the limits of its tables. `decisions` are the outputs of replays with
/// `--explain`, one for each table, the base first.
pub fn report(input: &str, names: &[&str], codes: &[Vec<String>], decisions: &[String]) -> Value {
    let (decided, ignored, invalid) = decided(input, decisions);
    let table = |place: usize| {
        let mut table = json!({
            "name": names[place],
            "accepted": sum(decided.iter().filter(|one| accepts(one, place))),
            "declined": sum(decided.iter().filter(|one| !accepts(one, place))),
            "declined_by_reason": by_reason(&decided, place, &codes[place]),
            "by_day": {"days": by_day(&decided, place), "later": null},
        });
        if place > 0 {
            let flips = [true, false].map(|to_accepted| flips(&decided, place, to_accepted));
            let customers: BTreeSet<&str> =
                flips.iter().flatten().map(|one| one.attempt.customer_id.as_str()).collect();
            table["flips"] = json!({"to_accepted": flip(&flips[0], place), "to_declined": flip(&flips[1], place)});
            table["flipped_customers"] = customers.len().into();
            table["most_affected_customers"] = most_affected(&flips);
        }
        table
    };
    json!({
        "version": 1, "currency": "USD", "decided": decided.len(), "ignored": ignored, "invalid": invalid,
        "base": table(0), "candidates": (1..names.len()).map(table).collect::<Vec<_>>(),
    })
}

/// Matches the lines of the input with the lines of each output.
fn decided(input: &str, decisions: &[String]) -> (Vec<Decided>, u64, u64) {
    let (mut seen, mut decided, mut ignored, mut invalid) = (BTreeSet::new(), Vec::new(), 0, 0);
    let mut outputs: Vec<_> = decisions.iter().map(|text| text.lines()).collect();
    for (line, text) in (1..).zip(input.split('\n')) {
        let attempt = match oracle::read(text.as_bytes()) {
            Ok(attempt) => attempt,
            Err("BLANK") => continue,
            Err(_) => {
                invalid += 1;
                continue;
            }
        };
        if !seen.insert((attempt.customer_id.clone(), attempt.id.clone())) {
            ignored += 1;
            continue;
        }
        let reasons = outputs.iter_mut().map(|output| {
            let decision: Value = serde_json::from_str(output.next().unwrap()).unwrap();
            assert_eq!(decision["id"], attempt.id);
            serde_json::from_value(decision["reasons"].clone()).unwrap()
        });
        let reasons = reasons.collect();
        decided.push(Decided { line, attempt, reasons });
    }
    assert!(outputs.iter_mut().all(|output| output.next().is_none()));
    (decided, ignored, invalid)
}

fn accepts(decided: &Decided, place: usize) -> bool {
    decided.reasons[place].is_empty()
}

fn flips(decided: &[Decided], place: usize, to_accepted: bool) -> Vec<&Decided> {
    decided.iter().filter(|one| accepts(one, place) != accepts(one, 0) && accepts(one, place) == to_accepted).collect()
}

fn add<'d>(decided: impl Iterator<Item = &'d Decided>) -> Sum {
    decided
        .fold(Sum::default(), |sum, one| Sum { count: sum.count + 1, cents: sum.cents + u128::from(one.attempt.cents) })
}

fn view(sum: Sum) -> Value {
    json!({"count": sum.count, "amount": text(sum.cents)})
}

fn sum<'d>(decided: impl Iterator<Item = &'d Decided>) -> Value {
    view(add(decided))
}

fn text(cents: u128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn by_reason(decided: &[Decided], place: usize, codes: &[String]) -> Value {
    let rows = codes.iter().map(|code| {
        let mut row = sum(decided.iter().filter(|one| one.reasons[place].contains(code)));
        row["code"] = code.as_str().into();
        row
    });
    rows.collect()
}

fn by_day(decided: &[Decided], place: usize) -> Value {
    let mut days: BTreeMap<String, Vec<&Decided>> = BTreeMap::new();
    for one in decided {
        days.entry(one.attempt.time.date_naive().to_string()).or_default().push(one);
    }
    let rows = days.iter().map(|(day, of_day)| {
        let some = |filter: &dyn Fn(&Decided) -> bool| sum(of_day.iter().copied().filter(|one| filter(one)));
        let mut row = json!({
            "day": day, "accepted": some(&|one| accepts(one, place)), "declined": some(&|one| !accepts(one, place))
        });
        if place > 0 {
            row["flips"] = json!({
                "to_accepted": some(&|one| accepts(one, place) && !accepts(one, 0)),
                "to_declined": some(&|one| !accepts(one, place) && accepts(one, 0)),
            });
        }
        row
    });
    rows.collect()
}

fn flip(flips: &[&Decided], place: usize) -> Value {
    let customers: BTreeSet<&str> = flips.iter().map(|one| one.attempt.customer_id.as_str()).collect();
    let examples = flips.iter().take(20).map(|one| {
        let oracle::Attempt { id, customer_id, cents, time } = &one.attempt;
        json!({
            "line": one.line, "id": id, "customer_id": customer_id, "amount": text(u128::from(*cents)),
            "time": time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            "base_reasons": one.reasons[0], "candidate_reasons": one.reasons[place],
        })
    });
    let mut row = sum(flips.iter().copied());
    row["customers"] = customers.len().into();
    row["examples"] = examples.collect();
    row
}

fn most_affected(flips: &[Vec<&Decided>; 2]) -> Value {
    let mut customers: BTreeMap<&str, [Sum; 2]> = BTreeMap::new();
    for (place, flips) in flips.iter().enumerate() {
        for one in flips {
            let sum = &mut customers.entry(&one.attempt.customer_id).or_default()[place];
            *sum = Sum { count: sum.count + 1, cents: sum.cents + u128::from(one.attempt.cents) };
        }
    }
    let mut customers: Vec<_> = customers.into_iter().collect();
    // The sort is stable: customers that are equal otherwise stay in the order of their ids.
    customers.sort_by_key(|(_, [one, other])| std::cmp::Reverse((one.cents + other.cents, one.count + other.count)));
    let rows = customers.into_iter().take(20).map(|(customer_id, [to_accepted, to_declined])| {
        json!({"customer_id": customer_id, "to_accepted": view(to_accepted), "to_declined": view(to_declined)})
    });
    rows.collect()
}
