//! A hot customer, who sends more attempts than can be decided one after another.

use std::io::{Error, Result};

use crate::limits::{WINDOW_MAX, one_customer_per_s};
use crate::panels::Panels;
use crate::shared::page::put;
use crate::shared::plot::Series;
use crate::shared::table::Table;
use crate::sim::{Arrival, HOT, Outcome, Settings, run};
use crate::table_of::{number, quantile, time};
use crate::theory::sound;
use crate::traffic::{Poisson, hot, merge, one_of_many};
use crate::{CUSTOMERS_ALL, PAGE, RATE, SETTINGS};

const PANELS: Panels<'_> = Panels {
    x_label: "seconds; the customer sends from 60 to 120",
    depth: "One hot customer among 1,000 attempts/s: its messages in the queue",
    latency: "All others: the longest from arrival to the published decision",
    file: "scale-hot-customer.svg",
};

const SECOND_US: u64 = 1_000_000;

/// Second at which the hot customer begins to send, and number of seconds for which it sends.
const BEGIN_S: u64 = 60;
const SENDING_S: u64 = 60;

/// `MessageRetentionPeriod` of the input queue in template.yaml.
const RETENTION_S: u64 = 1_209_600;

/// Attempts a second of the hot customer, and seconds for which the other customers send.
const RUNS: [(u64, u64); 8] =
    [(0, 300), (10, 300), (50, 300), (70, 300), (100, 300), (500, 300), (1_000, 900), (3_000, 1_800)];

/// Rates that are drawn, and number of steps that are drawn.
const DRAWN: [u64; 3] = [100, 1_000, 3_000];
const DRAWN_STEPS: usize = 360;
const STEP_US: u64 = 5 * SECOND_US;

/// Maximum of the others' 99th percentile while SQS sees all messages, in percent of the value without a hot
/// customer.
const OTHERS_PERCENT_MAX: u64 = 110;

pub(crate) fn simulate() -> Result<()> {
    let heads = ["it sends", "waits at most", "drained after", "deepest", "others: p99", "others: longest"];
    let mut table = Table::new(heads);
    let (mut depths, mut latencies) = (Vec::new(), Vec::new());
    let (mut undisturbed_us, mut is_kept, mut throttled) = (None, true, 0);
    for (rate, until_s) in RUNS {
        let outcome = sound(run(&Settings { step_us: STEP_US, ..SETTINGS }, CUSTOMERS_ALL, arrivals(rate, until_s)))?;
        let others = sorted(&outcome, false);
        let p99_us = quantile(&others, 990);
        let most_us = *undisturbed_us.get_or_insert(p99_us) * OTHERS_PERCENT_MAX / 100;
        is_kept &= p99_us <= most_us || outcome.depth_max(0) + outcome.depth_max(1) >= WINDOW_MAX;
        throttled += outcome.throttled;
        table.row(&row(rate, &outcome, &others));
        if DRAWN.contains(&rate) {
            let name = format!("{} attempts/s for a minute", number(rate));
            depths.push(Series { name: name.clone(), points: depth(&outcome) });
            latencies.push(Series { name, points: latency(&outcome, until_s) });
        }
    }
    put(PAGE, "scale-hot", &format!("{}\n\n{}", table.markdown(), note(is_kept, throttled)))?;
    PANELS.write(depths, latencies)?;
    if is_kept { Ok(()) } else { Err(Error::other("a hot customer disturbs others before it may")) }
}

fn note(is_kept: bool, throttled: u64) -> String {
    let (most, kept) = (number(one_customer_per_s()), number(one_customer_per_s() * RETENTION_S));
    let verdict = if is_kept { "it holds" } else { "IT DOES NOT HOLD" };
    // Beyond the window, others continue once the customer's undecided messages fit in the window.
    let (window, held_s) = (number(WINDOW_MAX), 10_000_u64.div_ceil(one_customer_per_s()));
    format!(
        "Required: while there are fewer than {window} messages, the others' p99 is at most {OTHERS_PERCENT_MAX} % of that\n\
         without a hot customer; {verdict}. Commits that met DynamoDB's limit for one key: {throttled}.\n\n\
         One customer gets {most} decisions/s at most. So each 10,000 of its messages beyond {window} delay every customer for\n\
         {held_s} s; and it gets {kept} decisions in the 14 days for which the input queue keeps a message. What waits for\n\
         longer is deleted by SQS, undecided, and does not get to the dead-letter queue."
    )
}

fn sorted(outcome: &Outcome, is_hot: bool) -> Vec<u64> {
    let these = outcome.decided.iter().filter(|decided| (decided.customer == HOT) == is_hot);
    let mut latencies: Vec<u64> = these.map(|decided| decided.latency_us).collect();
    latencies.sort_unstable();
    latencies
}

fn arrivals(rate: u64, until_s: u64) -> impl Iterator<Item = Arrival> {
    let rate = rate as f64;
    let sending = (BEGIN_S * SECOND_US)..((BEGIN_S + SENDING_S) * SECOND_US);
    let rate_at = move |at_us| if sending.contains(&at_us) { rate } else { 0.0 };
    let one = Poisson::new(SETTINGS.seed, (BEGIN_S + SENDING_S) * SECOND_US, rate.max(1.0), rate_at, hot);
    merge(Poisson::new(SETTINGS.seed + 1, until_s * SECOND_US, RATE, |_| RATE, one_of_many), one)
}

fn row(rate: u64, outcome: &Outcome, others: &[u64]) -> [String; 6] {
    let hot = sorted(outcome, true);
    let sent_us = (BEGIN_S + SENDING_S) * SECOND_US;
    let last_us = outcome.decided.iter().filter(|decided| decided.customer == HOT);
    let last_us = last_us.map(|decided| decided.at_us + decided.latency_us).max().unwrap_or(0);
    [
        format!("{}/s", number(rate)),
        time(quantile(&hot, 1000)),
        time(last_us.saturating_sub(sent_us)),
        number(outcome.depth_max(1)),
        time(quantile(others, 990)),
        time(quantile(others, 1000)),
    ]
}

fn depth(outcome: &Outcome) -> Vec<(f64, f64)> {
    let steps = outcome.depths.iter().take(DRAWN_STEPS).enumerate();
    steps.map(|(step, depths)| (seconds(step), depths[1].max(1) as f64)).collect()
}

fn seconds(step: usize) -> f64 {
    step as f64 * STEP_US as f64 / SECOND_US as f64
}

/// Returns the longest latency of the others' attempts that arrived in each step.
fn latency(outcome: &Outcome, until_s: u64) -> Vec<(f64, f64)> {
    let mut longest_us = vec![1; usize::try_from(until_s * SECOND_US / STEP_US).unwrap_or(0)];
    for decided in outcome.decided.iter().filter(|decided| decided.customer != HOT) {
        let longest = &mut longest_us[usize::try_from(decided.at_us / STEP_US).unwrap_or(0)];
        *longest = decided.latency_us.max(*longest);
    }
    longest_us.iter().enumerate().map(|(step, us)| (seconds(step), *us as f64 / 1e6)).collect()
}
