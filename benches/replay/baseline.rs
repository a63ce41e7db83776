//! The baseline: a plain replay that a developer could write in an afternoon, with owned strings, standard
//! collections and one thread. It applies only the default limits, and skips invalid lines.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stdout};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Line {
    id: String,
    customer_id: String,
    load_amount: String,
    time: String,
}

#[derive(Default)]
struct Usage {
    cents: u64,
    loads: u64,
}

pub(crate) fn run(input: &str) -> std::io::Result<()> {
    let mut seen: HashSet<(String, String)> = HashSet::new();
    let mut days: HashMap<(String, NaiveDate), Usage> = HashMap::new();
    let mut weeks: HashMap<(String, i32, u32), Usage> = HashMap::new();
    let mut out = BufWriter::new(stdout().lock());
    for line in BufReader::new(File::open(input)?).split(b'\n') {
        let Ok(attempt) = serde_json::from_slice::<Line>(&line?) else { continue };
        let Some(cents) = cents(&attempt.load_amount) else { continue };
        let Ok(time) = DateTime::parse_from_rfc3339(&attempt.time) else { continue };
        let time = time.with_timezone(&Utc);
        if !seen.insert((attempt.customer_id.clone(), attempt.id.clone())) {
            continue;
        }
        let week = time.iso_week();
        let day = days.entry((attempt.customer_id.clone(), time.date_naive())).or_default();
        let week = weeks.entry((attempt.customer_id.clone(), week.year(), week.week())).or_default();
        let accepted = day.cents + cents <= 500_000 && week.cents + cents <= 2_000_000 && day.loads < 3;
        if accepted {
            day.cents += cents;
            day.loads += 1;
            week.cents += cents;
        }
        writeln!(out, "{}", json!({"id": attempt.id, "customer_id": attempt.customer_id, "accepted": accepted}))?;
    }
    out.flush()
}

fn cents(amount: &str) -> Option<u64> {
    let number = amount.replace("USD", "").replace(['$', ','], "");
    let (dollars, decimals) = number.split_once('.').unwrap_or((&number, "00"));
    let decimals = format!("{decimals:0<2}");
    Some(dollars.parse::<u64>().ok()? * 100 + decimals.parse::<u64>().ok()?)
}
