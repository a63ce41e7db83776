//! Producer of load attempts.

use std::collections::BTreeMap;

use super::oracle::Load;
use super::queue::NewMessage;
use super::setting::{AMOUNTS, written};
use super::simulation::{Chance, Simulation, State};

/// Sends attempts. Some events come in two messages, at times with another load time. Some messages are sent twice,
/// and some are invalid.
pub async fn produce(simulation: &Simulation) {
    // Small simulations reveal most defects, and many of them can run.
    let mut rng = simulation.state().draw("producer", "events");
    let most = [5, 15, 60][rng.usize(..3)];
    let (mut late, mut latest) = (Vec::new(), BTreeMap::new());
    let events = rng.u32(1..=most);
    for event in 0..events {
        let times = simulation.state().setting.times.clone();
        let time = times.map(|times| times.draw_nth(&mut rng, event, events));
        late.extend(send_one(&mut simulation.state(), &mut rng, event, time, &mut latest));
        let wait_ms = rng.u64(..3_000);
        simulation.pause(&rng, wait_ms).await;
        for again in late.extract_if(.., |_| rng.bool()) {
            again.send(&mut simulation.state());
        }
    }
    for again in late {
        again.send(&mut simulation.state());
    }
}

/// Second message of an event. Its body may differ.
struct Duplicate {
    customer: String,
    event: u32,
    body: String,
}

impl Duplicate {
    fn send(&self, state: &mut State) {
        send(state, &self.customer, &format!("{}/1", self.event), &self.body);
    }
}

/// Sends an event, whose time is given if loads are of several weeks. Returns its second message if it is to be sent
/// later. `latest` has the Monday of each customer's latest load.
fn send_one(
    state: &mut State,
    rng: &mut Chance,
    event: u32,
    time: Option<i64>,
    latest: &mut BTreeMap<String, i64>,
) -> Option<Duplicate> {
    let customer = format!("c{}", rng.u32(..state.customers));
    let cents = AMOUNTS[rng.usize(..AMOUNTS.len())];
    let (day, hour) = (27 + rng.u32(..5), rng.u32(..24));
    let time =
        time.map_or_else(|| format!("2018-12-{day}T{hour:02}:00:00Z"), |ms| note_time(state, ms, &customer, latest));
    let amount = format!("${}.{:02}", cents / 100, cents % 100);
    let body = crate::support::line(&event.to_string(), &customer, &amount, &time).trim_end().to_owned();
    state.count("events", 1);
    state.tables.sent.push((customer.clone(), event.to_string()));
    assert!(send(state, &customer, &format!("{event}/0"), &body));
    let (duplicate, resent, invalid) = (state.chances.duplicate, state.chances.resent, state.chances.invalid);
    let mut late = None;
    if rng.u32(..1000) < duplicate {
        state.count("duplicates", 1);
        // Some have another load time, in another week.
        let is_altered = rng.bool();
        let other = match &state.setting.times {
            None => time.replace("2018-12-", "2019-03-"),
            Some(times) => written(times.draw_any(rng)),
        };
        let body = if is_altered { body.replace(&time, &other) } else { body.clone() };
        state.count("altered", u64::from(is_altered));
        let again = Duplicate { customer: customer.clone(), event, body };
        if rng.bool() {
            late = Some(again);
        } else {
            again.send(state);
        }
    }
    if rng.u32(..1000) < resent {
        // The producer got no answer, and sends again.
        state.count("deduplicated", 1);
        assert!(!send(state, &customer, &format!("{event}/0"), &body));
    }
    if rng.u32(..1000) < invalid {
        state.count("invalid", 1);
        send(state, &customer, &format!("{event}/2"), &format!("no attempt {event}"));
    }
    late
}

/// Counts a load of an earlier week than the customer's latest one. Returns the time as it is written.
fn note_time(state: &mut State, ms: i64, customer: &str, latest: &mut BTreeMap<String, i64>) -> String {
    let monday = Load { ms, cents: 0, is_kept: false }.monday();
    let latest = latest.entry(customer.to_owned()).or_insert(monday);
    state.count("late_loads", u64::from(monday < *latest));
    *latest = monday.max(*latest);
    written(ms)
}

fn send(state: &mut State, customer: &str, deduplication_id: &str, body: &str) -> bool {
    let deduplication_id = format!("producer's {deduplication_id}");
    let origin = Some(deduplication_id.clone());
    state.send(
        NewMessage {
            deduplication_id,
            group: customer.to_owned(),
            body: body.to_owned(),
            code: None,
            attributes: BTreeMap::new(),
        },
        origin,
    )
}

/// Sends some of the decided events again.
pub fn repeat_some(simulation: &Simulation) {
    let mut state = simulation.state();
    let again: Vec<_> = state.tables.queued().step_by(7).map(|record| record.decision.clone()).collect();
    for decision in again {
        let key = &decision.key;
        let body = crate::support::line(&key.event_id, &key.customer_id, &decision.load_amount, &decision.time);
        state.tables.repeated += 1;
        send(&mut state, &key.customer_id, &format!("{}/3", key.event_id), body.trim_end());
    }
}
