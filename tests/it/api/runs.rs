//! The decision log over HTTP.

use axum::http::{Method, StatusCode};
use loadgate::deciding::{Decider, Delivery, Group};
use loadgate::wire::decision_message;
use serde_json::{Value, json};

use super::{ApiStore, SetClock, ask, delivery, get, own_decider, router_of};
use crate::support::line;
use crate::support::stores::on_every_store;

on_every_store![a_run_is_listed_page_by_page_as_it_was_published];

async fn a_run_is_listed_page_by_page_as_it_was_published(store: impl ApiStore) {
    let clock = SetClock::at("2426-01-06T12:00:00Z");
    let decider = own_decider(store, &clock);
    let attempt = |seq: u64| {
        let body = line(&seq.to_string(), "u", "$2000.00", "2026-01-06T00:00:00Z");
        Delivery { index: seq, ..delivery(body.trim_end()) }
    };
    let run = decider.new_run();
    let run_id = run.clone().unwrap().id;
    let group = Group { deliveries: (0..3).map(attempt).collect(), run };
    let outcomes = decider.decide_all(group, None).await.unwrap();
    let published: Vec<Value> = outcomes
        .iter()
        .map(|(_, outcome)| serde_json::from_str(&decision_message(&outcome.record().unwrap().decision)).unwrap())
        .collect();

    let router = router_of(&decider);
    let path = format!("/runs/{run_id}/decisions");
    let all = get(&router, &path).await;
    let entry = |seq: usize| json!({"seq": seq, "messageId": format!("message of {seq}"), "origin": {"kind": "deployment"}, "decision": published[seq]});
    assert_eq!(all, json!({"runId": run_id, "decisions": [entry(0), entry(1), entry(2)], "nextCursor": null}));
    let first = get(&router, &format!("{path}?limit=2")).await;
    assert_eq!(first["decisions"], json!([entry(0), entry(1)]));
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = get(&router, &format!("{path}?limit=2&cursor={cursor}")).await;
    assert_eq!((&second["decisions"], &second["nextCursor"]), (&json!([entry(2)]), &Value::Null));
    assert_eq!(get(&router, "/runs/unknown/decisions").await["decisions"], json!([]));

    let bad = ask(&router, Method::GET, &format!("{path}?cursor=78"), "").await;
    assert_eq!((bad.status, &bad.json()["code"]), (StatusCode::BAD_REQUEST, &json!("BAD_CURSOR")));
    let without = router_of(&Decider { log: None, ..decider });
    let absent = ask(&without, Method::GET, &path, "").await;
    assert_eq!((absent.status, &absent.json()["code"]), (StatusCode::NOT_IMPLEMENTED, &json!("NO_DECISION_LOG")));
}
