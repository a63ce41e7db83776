//! `check` gives the decision that the door then gives, over all windows and own limits.

use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::MemoryStore;
use loadgate::domain::{Limits, OwnLimit};
use loadgate::limits::{Applied, LimitApplier};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SetClock, decide, get, own_decider, post, router_of};
use crate::deciding::long_limits::{block_on, body, created, own_limit, own_limits};
use crate::domain::windows::{attempts, limits};

/// Code, limit id, numbers and end of an entry of usage.
type Entry = (Value, Value, [u64; 3], Option<DateTime<Utc>>);

/// Converts an amount as the API writes it to cents; a number of loads stays.
fn number(quantity: &Value) -> u64 {
    match quantity.as_str() {
        Some(decimal) => {
            let (whole, hundredths) = decimal.split_once('.').unwrap();
            assert_eq!(hundredths.len(), 2, "{decimal}");
            whole.parse::<u64>().unwrap() * 100 + hundredths.parse::<u64>().unwrap()
        }
        None => quantity.as_u64().unwrap(),
    }
}

fn instant(time: &Value) -> Option<DateTime<Utc>> {
    time.as_str().map(|time| time.parse().unwrap())
}

/// Returns the entries of the API's usage with the names and numbers of a decision message.
fn as_published(usage: &Value) -> Vec<Entry> {
    let entry = |entry: &Value| {
        let numbers = ["used", "limit", "remaining"].map(|name| number(&entry[name]));
        (entry["code"].clone(), entry["limitId"].clone(), numbers, instant(&entry["resetsAt"]))
    };
    usage.as_array().unwrap().iter().map(entry).collect()
}

fn published(usage: &Value) -> Vec<Entry> {
    let entry = |entry: &Value| {
        let numbers = ["used", "limit", "remaining"].map(|name| entry[name].as_u64().unwrap());
        (entry["code"].clone(), entry["limit_id"].clone(), numbers, instant(&entry["resets_at"]))
    };
    usage.as_array().unwrap().iter().map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_check_is_the_decision_that_the_door_then_gives(
        deployment in limits(),
        own in own_limits(),
        attempts in attempts(),
        minutes in prop::collection::vec(0..50_i64, 80),
    ) {
        block_on(async {
            let clock = SetClock::at("2024-06-01T00:00:00Z");
            let mut decider = own_decider(MemoryStore::default(), &clock);
            decider.limits = Limits::new(deployment).unwrap();
            let router = router_of(&decider);
            let applier = LimitApplier { store: decider.store.clone(), clock: clock.clone() };
            let own: Vec<OwnLimit> = own.into_iter().enumerate().map(|(number, draft)| own_limit(number, draft)).collect();
            // Some limits are stored only after half of the loads: these loads are known by their days.
            let (at_first, later) = own.split_at(own.len() / 2);
            for limit in at_first {
                assert_eq!(applier.apply(&created(limit)).await.unwrap(), Applied::Changed);
            }
            for (place, (attempt, minutes)) in attempts.iter().zip(minutes).enumerate() {
                if place == attempts.len() / 2 {
                    for limit in later {
                        applier.apply(&created(limit)).await.unwrap();
                    }
                }
                let body = body((place, attempt));
                let attempt: Value = serde_json::from_str(&body).unwrap();
                let (customer, time) = (attempt["customer_id"].as_str().unwrap(), attempt["time"].as_str().unwrap());
                let before = format!("{:?}", decider.store);
                let load = json!({"load_amount": attempt["load_amount"], "time": time}).to_string();
                let checked = post(&router, &format!("/customers/{customer}/check"), load).await;
                let usage = get(&router, &format!("/customers/{customer}/usage?at={time}")).await;
                assert_eq!(format!("{:?}", decider.store), before, "nothing is written");
                let decided = decide(&decider, &body).await;
                assert_eq!((&checked["accepted"], &checked["reasons"]), (&decided["accepted"], &decided["reasons"]));
                assert_eq!(as_published(&checked["usage"]), published(&decided["usage"]), "{body}");
                assert_eq!(instant(&checked["time"]), instant(&decided["time"]));
                // The usage before the load is the one after it, without the load.
                let added = |entry: &Value| match (decided["accepted"] == true, entry["measure"].as_str().unwrap()) {
                    (false, _) => 0,
                    (true, "count") => 1,
                    (true, _) => number(&checked["loadAmount"]),
                };
                for (before, after) in usage["usage"].as_array().unwrap().iter().zip(checked["usage"].as_array().unwrap()) {
                    assert_eq!(number(&before["used"]) + added(after), number(&after["used"]), "{before} {after}");
                    assert_eq!((&before["code"], &before["origin"]), (&after["code"], &after["origin"]));
                }
                assert_eq!(usage["usage"].as_array().unwrap().len(), checked["usage"].as_array().unwrap().len());
                // Totals of windows without an end are counted for an hour, and kept afterwards.
                clock.pass(TimeDelta::minutes(minutes));
            }
        });
    }
}
