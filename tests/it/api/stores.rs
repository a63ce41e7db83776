//! Answers over every store.

use std::collections::BTreeSet;
use std::fmt::Write;

use axum::Router;
use axum::http::Method;
use chrono::TimeDelta;
use loadgate::domain::{Cents, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod, parse_time};
use loadgate::limits::{Applied, LimitApplier, LimitStore};
use serde_json::{Value, json};

use super::{ApiStore, SetClock, ask, get, load, own_decider, post, router_of};
use crate::limits::{created, limit, progressed};
use crate::support::stores::on_every_store;

on_every_store![
    own_limits_are_shown_with_their_progress,
    usage_decisions_and_checks_are_shown,
    unknown_ids_have_defined_answers,
    a_limit_that_left_its_customer_is_unknown,
    thirty_two_limits_are_shown_in_order,
    ten_years_of_rows_are_read,
    decisions_are_paged_and_expired_ones_left_out,
    odd_ids_are_those_of_their_customers,
];

/// A Tuesday in the far future, because DynamoDB Local deletes expired records within seconds.
const NOW: &str = "2426-01-06T12:00:00Z";

fn at(time: &str) -> Millis {
    Millis::of(parse_time(time).unwrap())
}

/// Stores limits, each by an event of its own.
async fn store<S: LimitStore + Clone>(store: &S, clock: &SetClock, limits: Vec<OwnLimit>) {
    let applier = LimitApplier { store: store.clone(), clock: clock.clone() };
    for (number, limit) in (1..).zip(limits) {
        let event = created(number, limit, Some(number * 1_00));
        assert_eq!(applier.apply(&event).await.unwrap(), Applied::Changed);
    }
}

/// Returns a router over a customer `u` with six own limits and three decisions.
async fn customer<S: ApiStore>(tables: S) -> Router {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables.clone(), &clock);
    let router = router_of(&decider);
    let anchored = OwnLimit { active_from: at("2426-01-05T18:00:00.5Z"), ..limit("b-day", "u") };
    let all = OwnLimit {
        brand_id: Some("brand".to_owned()),
        period: OwnPeriod::Indefinite,
        value: Cents::new(1_000_00),
        active_from: at("2426-01-01T00:00:00Z"),
        ..limit("a-all", "u")
    };
    let single = OwnLimit { period: OwnPeriod::Instance, value: Cents::new(60_00), ..limit("c-one", "u") };
    let bets = OwnLimit { kind: OwnLimitKind::Bet, ..limit("d-bets", "u") };
    let future = OwnLimit { active_from: at("2426-01-06T12:00:00.001Z"), ..limit("e-future", "u") };
    let canceled = OwnLimitStatus::Canceled { at: at("2426-01-05T00:00:00Z") };
    let canceled =
        OwnLimit { status: canceled, active_until: Some(at("2427-01-01T00:00:00Z")), ..limit("f-gone", "u") };
    store(&tables, &clock, vec![anchored, all, single, bets, future, canceled]).await;
    assert!(load(&decider, "u", "1", "$30.00", "2426-01-05T17:59:59Z").await, "before the anchored day");
    assert!(load(&decider, "u", "2", "USD50.25", "2426-01-06T11:00:00+01:00").await);
    assert!(!load(&decider, "u", "3", "$60", "2426-01-06T11:00:00Z").await, "over the anchored day");
    router
}

async fn own_limits_are_shown_with_their_progress<S>(tables: S)
where
    S: ApiStore,
{
    let router = customer(tables).await;
    let limits = get(&router, "/user-limits/user/u").await;
    let ids: Vec<&str> = limits.as_array().unwrap().iter().map(|limit| limit["limitId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a-all", "b-day", "c-one", "d-bets", "e-future", "f-gone"]);
    assert_eq!(
        limits[0],
        json!({
            "limitId": "a-all", "userId": "u", "brandId": "brand", "type": "DEPOSIT", "period": "INDEFINITE",
            "currencyCode": "USD", "status": "ACTIVE", "enforced": true, "value": "1000.00", "progress": "80.25",
            "remaining": "919.75", "windowStart": "2426-01-01T00:00:00.000Z", "nextResetTime": null,
            "activeFrom": "2426-01-01T00:00:00.000Z", "activeUntil": null, "reportedProgress": "2.00", "pending": null,
            "version": 2,
        })
    );
    assert_eq!(
        limits[1],
        json!({
            "limitId": "b-day", "userId": "u", "brandId": null, "type": "DEPOSIT", "period": "DAY",
            "currencyCode": "USD", "status": "ACTIVE", "enforced": true, "value": "100.00", "progress": "50.25",
            "remaining": "49.75", "windowStart": "2426-01-05T18:00:00.500Z", "nextResetTime": "2426-01-06T18:00:00.500Z",
            "activeFrom": "2426-01-05T18:00:00.500Z", "activeUntil": null, "reportedProgress": "1.00", "pending": null,
            "version": 1,
        })
    );
    let windows = |limit: &Value| (limit["windowStart"].clone(), limit["nextResetTime"].clone());
    assert_eq!(windows(&limits[2]), (Value::Null, Value::Null), "a limit of single loads has no window");
    let shown = |limit: &Value| (limit["enforced"] == true, limit["progress"].clone(), limit["status"].clone());
    for (place, reported, status) in [(3, "4.00", "ACTIVE"), (4, "5.00", "ACTIVE"), (5, "6.00", "CANCELED")] {
        assert_eq!(shown(&limits[place]), (false, json!(reported), json!(status)), "{limits}");
    }
    for limit in limits.as_array().unwrap() {
        let path = format!("/user-limits/{}", limit["limitId"].as_str().unwrap());
        let answer = ask(&router, Method::GET, &path, "").await;
        assert_eq!((&answer.json(), answer.header("etag")), (limit, format!("\"{}\"", limit["version"]).as_str()));
        assert_eq!((answer.header("cache-control"), answer.header("x-request-id")), ("no-store", "new-id"));
    }
}

async fn usage_decisions_and_checks_are_shown<S>(tables: S)
where
    S: ApiStore,
{
    let router = customer(tables).await;
    let usage = get(&router, "/customers/u/usage").await;
    let amount = |code: &str, limit: &str, used: &str, remaining: &str, resets_at: Value, limit_id: Option<&str>| {
        let origin = if limit_id.is_some() { "own" } else { "deployment" };
        json!({
            "code": code, "measure": "amount", "limit": limit, "used": used, "remaining": remaining,
            "resetsAt": resets_at, "limitId": limit_id, "mode": "live", "origin": {"kind": origin},
        })
    };
    let next_day = json!("2426-01-07T00:00:00.000Z");
    let entries = json!([
        amount("DAILY_AMOUNT", "5000.00", "50.25", "4949.75", next_day.clone(), None),
        amount("WEEKLY_AMOUNT", "20000.00", "80.25", "19919.75", json!("2426-01-12T00:00:00.000Z"), None),
        {
            "code": "DAILY_COUNT", "measure": "count", "limit": 3, "used": 1, "remaining": 2,
            "resetsAt": next_day, "limitId": null, "mode": "live", "origin": {"kind": "deployment"},
        },
        amount("CUSTOMER_INDEFINITE", "1000.00", "80.25", "919.75", Value::Null, Some("a-all")),
        amount("CUSTOMER_DAY", "100.00", "50.25", "49.75", json!("2426-01-06T18:00:00.500Z"), Some("b-day")),
        amount("CUSTOMER_INSTANCE", "60.00", "0.00", "60.00", Value::Null, Some("c-one")),
    ]);
    let at = "2426-01-06T12:00:00.000Z";
    assert_eq!(usage, json!({"customerId": "u", "at": at, "currencyCode": "USD", "usage": entries, "unjudged": []}));
    // At another instant, other windows and other limits apply.
    let earlier = get(&router, "/customers/u/usage?at=2426-01-05T10:00:00%2B00:00").await;
    let of = |code: &str| {
        let entry = earlier["usage"].as_array().unwrap().iter().find(|entry| entry["code"] == code);
        entry.map(|entry| entry["used"].clone())
    };
    assert_eq!((of("DAILY_AMOUNT"), of("CUSTOMER_DAY")), (Some(json!("30.00")), None));
    assert_eq!(earlier, get(&router, "/customers/u/usage?at=2426-01-05T12:00:00+02:00").await, "a plus sign may stay");

    let before = get(&router, "/customers/u/usage?at=2426-01-04T23:59:59.999Z").await;
    assert_eq!(before["usage"][5]["limitId"], "f-gone", "it was canceled later");

    let decisions = get(&router, "/customers/u/decisions").await;
    assert_eq!((decisions["customerId"].clone(), decisions["nextCursor"].clone()), (json!("u"), Value::Null));
    let shown: Vec<Value> = decisions["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| {
            json!([
                decision["eventId"],
                decision["accepted"],
                decision["reasons"],
                decision["loadAmount"],
                decision["time"]
            ])
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["1", true, [], "30.00", "2426-01-05T17:59:59.000Z"],
            ["2", true, [], "50.25", "2426-01-06T10:00:00.000Z"],
            ["3", false, ["CUSTOMER_DAY"], "60.00", "2426-01-06T11:00:00.000Z"],
        ])
    );
    // The last decision has changed nothing.
    assert_eq!(decisions["decisions"][2]["usage"], entries);
    assert_eq!(decisions["decisions"][2]["decidedAt"], at);

    let checked = post(&router, "/customers/u/check", json!({"load_amount": "$60.01"}).to_string()).await;
    let reasons = json!(["CUSTOMER_DAY", "CUSTOMER_INSTANCE"]);
    assert_eq!(
        checked,
        json!({
            "customerId": "u", "accepted": false, "reasons": reasons, "currencyCode": "USD", "loadAmount": "60.01",
            "time": at, "checkedAt": at, "usage": entries, "shadow": [], "unjudged": [],
        })
    );
    let attempt = json!({"id": "3", "customer_id": "other", "load_amount": "49.75", "time": "2426-01-06T12:30:00Z"});
    let checked = post(&router, "/customers/u/check", attempt.to_string()).await;
    assert_eq!((&checked["accepted"], &checked["time"]), (&json!(true), &json!("2426-01-06T12:30:00.000Z")));
    assert_eq!((&checked["usage"][4]["remaining"], &checked["usage"][5]["used"]), (&json!("0.00"), &json!("49.75")));
    assert_eq!(get(&router, "/customers/u/usage").await, usage, "a check changes nothing");
}

async fn unknown_ids_have_defined_answers<S: ApiStore>(tables: S) {
    let clock = SetClock::at(NOW);
    let router = router_of(&own_decider(tables.clone(), &clock));
    assert_eq!(get(&router, "/user-limits/user/nobody").await, json!([]));
    let usage = get(&router, "/customers/nobody/usage").await;
    let used: Vec<&Value> = usage["usage"].as_array().unwrap().iter().map(|entry| &entry["used"]).collect();
    assert_eq!(used, [&json!("0.00"), &json!("0.00"), &json!(0)]);
    let decisions = get(&router, "/customers/nobody/decisions").await;
    assert_eq!(decisions, json!({"customerId": "nobody", "decisions": [], "nextCursor": null}));
    let checked = post(&router, "/customers/nobody/check", r#"{"load_amount":"5000.01"}"#.to_owned()).await;
    assert_eq!(checked["reasons"], json!(["DAILY_AMOUNT"]));
    assert_eq!(ask(&router, Method::GET, "/user-limits/l", "").await.json()["code"], "UNKNOWN_LIMIT");
    // Progress alone does not make a limit known.
    let applier = LimitApplier { store: tables, clock };
    applier.apply(&progressed(1, "l", "u", 5)).await.unwrap();
    assert_eq!(ask(&router, Method::GET, "/user-limits/l", "").await.json()["code"], "UNKNOWN_LIMIT");
    applier.apply(&created(1, limit("l", "u"), None)).await.unwrap();
    assert_eq!(get(&router, "/user-limits/l").await["reportedProgress"], "0.05");
}

async fn a_limit_that_left_its_customer_is_unknown<S>(tables: S)
where
    S: ApiStore,
{
    let clock = SetClock::at(NOW);
    let router = router_of(&own_decider(tables.clone(), &clock));
    let ended = OwnLimit { active_until: Some(at("2425-12-01T00:00:00Z")), ..limit("l", "u") };
    let applier = LimitApplier { store: tables, clock: clock.clone() };
    let now =
        |event: loadgate::domain::LimitEvent, now: &str| loadgate::domain::LimitEvent { created_at: at(now), ..event };
    applier.apply(&now(created(1, ended, None), NOW)).await.unwrap();
    assert_eq!(get(&router, "/user-limits/l").await["enforced"], false);
    clock.pass(TimeDelta::days(62));
    applier.apply(&now(created(2, limit("other", "u"), None), "2426-02-10T00:00:00Z")).await.unwrap();
    assert_eq!(ask(&router, Method::GET, "/user-limits/l", "").await.json()["code"], "UNKNOWN_LIMIT");
    assert_eq!(get(&router, "/user-limits/user/u").await.as_array().unwrap().len(), 1);
}

async fn thirty_two_limits_are_shown_in_order<S: ApiStore>(tables: S) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables.clone(), &clock);
    let router = router_of(&decider);
    let period = |number: usize| OwnPeriod::ALL[number % OwnPeriod::ALL.len()];
    let id = |number: usize| format!("l-{number:02}");
    let limits = (0..32).map(|number| OwnLimit { period: period(number), ..limit(&id(number), "u") });
    store(&tables, &clock, limits.rev().collect()).await;
    assert!(load(&decider, "u", "1", "$99.99", NOW).await);
    let listed = get(&router, "/user-limits/user/u").await;
    let usage = get(&router, "/customers/u/usage").await;
    let checked = post(&router, "/customers/u/check", r#"{"load_amount":"0.02"}"#.to_owned()).await;
    assert_eq!((listed.as_array().unwrap().len(), usage["usage"].as_array().unwrap().len()), (32, 35));
    for number in 0..32 {
        assert_eq!(
            (&listed[number]["limitId"], &usage["usage"][number + 3]["limitId"]),
            (&json!(id(number)), &json!(id(number)))
        );
        let progress = if period(number) == OwnPeriod::Instance { "0.00" } else { "99.99" };
        assert_eq!(
            (&listed[number]["progress"], &usage["usage"][number + 3]["used"]),
            (&json!(progress), &json!(progress))
        );
    }
    // Each code once; limits of single loads are not broken.
    let codes: BTreeSet<&str> =
        checked["reasons"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!((codes.len(), checked["reasons"].as_array().unwrap().len()), (7, 7), "{checked}");
}

async fn ten_years_of_rows_are_read<S: ApiStore>(tables: S) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables.clone(), &clock);
    let router = router_of(&decider);
    let first = parse_time("2416-01-04T12:00:00Z").unwrap();
    for week in 0..522 {
        let time = (first + TimeDelta::weeks(week)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        assert!(load(&decider, "u", &week.to_string(), "$1.00", &time).await);
    }
    let all = OwnLimit {
        period: OwnPeriod::Indefinite,
        active_from: at("2416-01-04T12:00:00.001Z"),
        value: Cents::new(1_000_00),
        ..limit("all", "u")
    };
    store(&tables, &clock, vec![all]).await;
    // The days of the first load and of the limit's beginning are one: what is known by its day only counts.
    assert_eq!(get(&router, "/user-limits/all").await["progress"], "522.00");
    assert_eq!(get(&router, "/customers/u/usage").await["usage"][3]["used"], "522.00");
    let checked = post(&router, "/customers/u/check", r#"{"load_amount":"478.01"}"#.to_owned()).await;
    assert_eq!(checked["reasons"], json!(["CUSTOMER_INDEFINITE"]));
    let checked = post(&router, "/customers/u/check", r#"{"load_amount":"478.00"}"#.to_owned()).await;
    assert_eq!(checked["accepted"], true);
    let (mut listed, mut cursor) = (vec![], String::new());
    loop {
        let page = get(&router, &format!("/customers/u/decisions?limit=100{cursor}")).await;
        listed
            .extend(page["decisions"].as_array().unwrap().iter().map(|it| it["eventId"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: BTreeSet<String> = (0..522).map(|week| week.to_string()).collect();
    assert_eq!(listed, expected.into_iter().collect::<Vec<_>>(), "in the order of the ids' bytes");
}

async fn decisions_are_paged_and_expired_ones_left_out<S: ApiStore>(tables: S) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables.clone(), &clock);
    let router = router_of(&decider);
    // Records live for a day. Ten expire, then seven more are added among them; `b` to `d` are behind many expired ones.
    let old: Vec<String> = (0..40).map(|number| format!("a{number:02}")).collect();
    let new = ["a00+", "a05+", "a05\u{fc}", "b", "c", "d", "\u{10ffff}"];
    for id in &old {
        load(&decider, "u", id, "$1.00", NOW).await;
    }
    // Another customer's are not listed.
    load(&decider, "u2", "b", "$1.00", NOW).await;
    clock.pass(TimeDelta::hours(24) + TimeDelta::milliseconds(-1));
    assert_eq!(get(&router, "/customers/u/decisions?limit=40").await["decisions"].as_array().unwrap().len(), 40);
    for id in new {
        load(&decider, "u", id, "$1.00", NOW).await;
    }
    clock.pass(TimeDelta::milliseconds(1));
    for limit in 1..=9 {
        let (mut pages, mut cursor) = (vec![], String::new());
        loop {
            let page = get(&router, &format!("/customers/u/decisions?limit={limit}{cursor}")).await;
            let ids: Vec<String> = page["decisions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["eventId"].as_str().unwrap().to_owned())
                .collect();
            let next = page["nextCursor"].as_str().map(str::to_owned);
            assert!(ids.len() == limit || next.is_none(), "{page}");
            pages.push(ids);
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<Vec<String>> =
            new.chunks(limit).map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()).collect();
        assert_eq!(pages, expected, "pages of {limit}");
    }
}

async fn odd_ids_are_those_of_their_customers<S: ApiStore>(tables: S) {
    let clock = SetClock::at(NOW);
    let decider = own_decider(tables.clone(), &clock);
    let router = router_of(&decider);
    let long = "\u{20ac}".repeat(42) + "xx";
    let ids = [
        "a/b",
        "..",
        ".",
        "a b",
        "a%41",
        "aA",
        "user",
        "\u{e9}",
        "e\u{301}",
        "?",
        "#",
        "&=+",
        "\u{0}",
        "\n",
        "%",
        "customers/x/usage",
        &long,
    ];
    for (cents, id) in (1_u64..).zip(ids) {
        store(&tables, &clock, vec![OwnLimit { value: Cents::new(cents * 100), ..limit(id, id) }]).await;
        load(&decider, id, "1", &format!("${cents}.00"), NOW).await;
    }
    let encoded = |id: &str| {
        id.bytes().fold(String::new(), |mut encoded, byte| {
            write!(encoded, "%{byte:02x}").unwrap();
            encoded
        })
    };
    for (cents, id) in (1_u64..).zip(ids) {
        let listed = get(&router, &format!("/user-limits/user/{}", encoded(id))).await;
        assert_eq!((&listed[0]["userId"], &listed[0]["value"]), (&json!(id), &json!(format!("{cents}.00"))));
        assert_eq!(listed.as_array().unwrap().len(), 1);
        let limit_id = listed[0]["limitId"].as_str().unwrap();
        assert_eq!(get(&router, &format!("/user-limits/{}", encoded(limit_id))).await["userId"], json!(id));
        let usage = get(&router, &format!("/customers/{}/usage", encoded(id))).await;
        assert_eq!((&usage["customerId"], &usage["usage"][0]["used"]), (&json!(id), &json!(format!("{cents}.00"))));
        let decisions = get(&router, &format!("/customers/{}/decisions", encoded(id))).await;
        assert_eq!(decisions["decisions"][0]["loadAmount"], json!(format!("{cents}.00")));
        let checked =
            post(&router, &format!("/customers/{}/check", encoded(id)), r#"{"load_amount":"0"}"#.to_owned()).await;
        assert_eq!(checked["usage"][0]["used"], json!(format!("{cents}.00")));
    }
}
