//! Customers' own limits: limit events, what they leave, and the limits in force.

mod changer;
pub mod jobs;
mod plan_changes;
mod plan_items;
pub mod plan_stores;
pub mod store;
mod stored_items;
pub mod stream;

use std::collections::BTreeSet;

use loadgate::domain::{
    Cents, Change, Currency, LimitEvent, LimitEventError, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod,
    Progress,
};
use loadgate::limits::{Applied, LimitBook};
use loadgate::runtime::limit_events::{LimitEventsError, SOURCE, apply_limit_events};
use loadgate::wire::{RejectWriter, parse_limit_event};
use proptest::prelude::*;
use serde_json::{Value, json};

pub fn limit(limit_id: &str, user_id: &str) -> OwnLimit {
    OwnLimit {
        limit_id: limit_id.to_owned(),
        user_id: user_id.to_owned(),
        brand_id: None,
        kind: OwnLimitKind::Deposit,
        period: OwnPeriod::Day,
        currency: Currency::USD,
        value: Cents::new(100_00),
        status: OwnLimitStatus::Active,
        active_from: Millis::new(0),
        active_until: None,
        raises: vec![],
        pending: None,
    }
}

pub fn created(number: u64, limit: OwnLimit, progress: Option<u64>) -> LimitEvent {
    let change = Some(Change::Created { limit: Box::new(limit), progress });
    LimitEvent { sequence_number: number, created_at: Millis::new(1_000), change }
}

pub fn progressed(number: u64, limit_id: &str, user_id: &str, progress: u64) -> LimitEvent {
    let progress = Progress { limit_id: limit_id.to_owned(), user_id: user_id.to_owned(), progress };
    LimitEvent { sequence_number: number, created_at: Millis::new(1_000), change: Some(Change::Progressed(progress)) }
}

/// The event of the specification, with changes to its fields. `null` removes a field.
pub fn event(changes: &Value) -> String {
    let mut event = json!({
        "aggregateId": "u-1", "context": {"correlationId": "c-1"}, "createdAt": 1_647_946_090_594_i64, "eventId": "e-3",
        "sequenceNumber": 3, "source": "limitUser", "type": "USER_LIMIT_CREATED",
        "payload": {
            "activeFrom": 1_647_946_090_592_i64, "brandId": "000000000000000000000001", "currencyCode": "USD",
            "nextResetTime": 1_648_032_490_592_i64, "period": "DAY", "status": "ACTIVE", "type": "DEPOSIT",
            "userId": "u-1", "userLimitId": "l-1", "value": "10000"
        }
    });
    for (name, value) in changes.as_object().unwrap() {
        let (object, name) = match name.strip_prefix("payload.") {
            Some(name) => (event["payload"].as_object_mut().unwrap(), name),
            None => (event.as_object_mut().unwrap(), name.as_str()),
        };
        let _ = if value.is_null() { object.remove(name) } else { object.insert(name.to_owned(), value.clone()) };
    }
    event.to_string()
}

#[test]
fn the_specification_s_event_is_read() {
    let event = parse_limit_event(event(&json!({})).as_bytes()).unwrap();
    assert_eq!((event.sequence_number, event.created_at.get()), (3, 1_647_946_090_594));
    let Some(Change::Created { limit, progress: None }) = event.change else { panic!("{event:?}") };
    let expected = OwnLimit {
        brand_id: Some("000000000000000000000001".to_owned()),
        value: Cents::new(10_000_00),
        active_from: Millis::new(1_647_946_090_592),
        ..self::limit("l-1", "u-1")
    };
    assert_eq!(*limit, expected);
}

#[test]
fn progress_is_the_sum_and_never_negative() {
    let progress = |amount: &str, before: &str| {
        let payload = json!({"userId": "u", "userLimitId": "l", "amount": amount, "previousProgress": before});
        let event = event(&json!({"type": "USER_LIMIT_PROGRESS_CHANGED", "payload": payload}));
        match parse_limit_event(event.as_bytes()).unwrap().change {
            Some(Change::Progressed(progress)) => progress.progress,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(progress("200", "0.5"), 200_50);
    assert_eq!(progress("-0.25", "1"), 75);
    assert_eq!(progress("-2.00", "1"), 0);
    assert_eq!(progress("99999999999999.99", "99999999999999.99"), 19_999_999_999_999_998);
}

#[test]
fn an_event_of_another_type_is_ignored_whatever_its_payload() {
    for kind in ["LIMIT_USER_CREATED", "USER_LIMIT_CHANGE_SOURCE_ADDED", "", "user_limit_created"] {
        for payload in [json!({}), json!([1]), json!("x")] {
            let event = parse_limit_event(event(&json!({"type": kind, "payload": payload})).as_bytes()).unwrap();
            assert_eq!(LimitBook::default().apply(&event), Ok(Applied::Ignored), "{kind}");
        }
    }
}

#[test]
fn each_fault_has_its_code_and_a_sentence_that_repeats_nothing() {
    let with = |changes: Value| event(&changes);
    let long = "x".repeat(129);
    let told: Vec<String> = [
        "oops".to_owned(),
        "[1]".to_owned(),
        "{\"type\":\"a\",\"type\":\"b\"}".to_owned(),
        "{\"type\":\"\\x\"}".to_owned(),
        with(json!({"payload": null})),
        with(json!({"sequenceNumber": null, "payload.value": "x"})),
        with(json!({"sequenceNumber": "3"})),
        with(json!({"sequenceNumber": -3})),
        with(json!({"createdAt": 1.5})),
        with(json!({"createdAt": 999_999_999_999_999_i64})),
        with(json!({"payload": [1]})),
        with(json!({"payload.value": null})),
        with(json!({"payload.value": 10_000})),
        with(json!({"payload.value": "-1"})),
        with(json!({"payload.value": "1.005"})),
        with(json!({"payload.value": "123456789012345"})),
        with(json!({"payload.userId": ""})),
        with(json!({"payload.userLimitId": long, "payload.period": "YEAR"})),
        with(json!({"payload.brandId": long})),
        with(json!({"payload.period": "YEAR"})),
        with(json!({"payload.type": "deposit"})),
        with(json!({"payload.status": "GONE"})),
        with(json!({"payload.currencyCode": "dollars"})),
        with(json!({"payload.activeUntil": "never"})),
        with(json!({"payload.progress": "1,000"})),
        with(json!({"type": "USER_LIMIT_PROGRESS_CHANGED"})),
        " ".repeat(256 * 1024 + 1),
    ]
    .iter()
    .map(|text| parse_limit_event(text.as_bytes()).unwrap_err())
    .map(|error| format!("{}: {error}", error.code()))
    .collect();
    insta::assert_snapshot!(told.join("\n"));
    let error = parse_limit_event(b"{\"type\":\"\xff").unwrap_err();
    assert_eq!((error.code(), error), ("NOT_UTF8", LimitEventError::NotUtf8 { at: 10 }));
}

#[test]
fn a_null_in_an_optional_field_is_a_missing_value() {
    let text = event(&json!({}))
        .replace("\"brandId\":\"000000000000000000000001\"", "\"brandId\":null,\"progress\":null,\"activeUntil\":null");
    let Some(Change::Created { limit, progress }) = parse_limit_event(text.as_bytes()).unwrap().change else {
        panic!()
    };
    assert_eq!((limit.brand_id, limit.active_until, progress), (None, None, None));
}

#[test]
fn another_customer_s_limit_id_is_refused_and_changes_nothing() {
    let mut book = LimitBook::default();
    book.apply(&created(1, limit("l", "one"), None)).unwrap();
    let before = book.clone();
    assert_eq!(book.apply(&created(2, limit("l", "two"), Some(1))), Err(LimitEventError::OtherCustomer));
    assert_eq!(book.apply(&progressed(2, "l", "two", 1)), Err(LimitEventError::OtherCustomer));
    assert_eq!(book, before);
}

#[test]
fn a_late_definition_of_an_open_limit_needs_no_room() {
    let mut book = LimitBook::default();
    let created_at = |number, limit, ms| LimitEvent { created_at: Millis::new(ms), ..created(number, limit, None) };
    for number in 1..=32 {
        book.apply(&created_at(number, limit(&format!("l-{number:02}"), "u"), 0)).unwrap();
    }
    let canceled = OwnLimit { status: OwnLimitStatus::Canceled { at: Millis::new(2_000) }, ..limit("l-01", "u") };
    assert_eq!(book.apply(&created_at(40, canceled, 2_000)), Ok(Applied::Changed));
    assert_eq!(book.apply(&created_at(41, limit("l-33", "u"), 3_000)), Ok(Applied::Changed));
    // At its own instant the first limit is still open, and the 33rd counts already.
    let lower = OwnLimit { value: Cents::new(1), ..limit("l-05", "u") };
    assert_eq!(book.apply(&created_at(39, lower, 1_500)), Ok(Applied::Changed));
}

#[test]
fn limits_that_have_been_closed_for_long_take_no_room() {
    let mut book = LimitBook::default();
    let ended = |number: u64| OwnLimit { active_until: Some(Millis::new(1_000)), ..limit(&format!("l-{number}"), "u") };
    let created_at = |number, limit, ms| LimitEvent { created_at: Millis::new(ms), ..created(number, limit, None) };
    for number in 1..=500 {
        assert_eq!(book.apply(&created_at(number, ended(number), 2_000)), Ok(Applied::Changed));
    }
    assert_eq!(book.apply(&created_at(501, ended(501), 2_000)), Err(LimitEventError::TooManyLimits));
    let days_ms = |days: i64| days * 24 * 3_600_000;
    assert_eq!(book.apply(&created_at(502, limit("new", "u"), days_ms(63))), Ok(Applied::Changed));
}

#[test]
fn a_customer_has_at_most_32_open_limits() {
    let mut book = LimitBook::default();
    let at = |number: u64| created(number, limit(&format!("l-{number:02}"), "u"), None);
    for number in 1..=32 {
        assert_eq!(book.apply(&at(number)), Ok(Applied::Changed));
    }
    assert_eq!(book.apply(&at(33)), Err(LimitEventError::TooManyLimits));
    // A replacement needs no room. Neither does a limit that is canceled, or one that has ended.
    assert_eq!(book.apply(&created(40, limit("l-01", "u"), None)), Ok(Applied::Changed));
    let ended = OwnLimit { active_until: Some(Millis::new(1_000)), ..limit("l-34", "u") };
    assert_eq!(book.apply(&created(34, ended, None)), Ok(Applied::Changed));
    let canceled = OwnLimit { status: OwnLimitStatus::Canceled { at: Millis::new(9) }, ..limit("l-02", "u") };
    assert_eq!(book.apply(&created(41, canceled, None)), Ok(Applied::Changed));
    assert_eq!(book.apply(&at(35)), Ok(Applied::Changed));
    assert_eq!(book.apply(&at(36)), Err(LimitEventError::TooManyLimits));
}

#[test]
fn progress_before_the_definition_is_kept() {
    let mut book = LimitBook::default();
    book.apply(&progressed(5, "l", "u", 70)).unwrap();
    assert_eq!(book.get("l").unwrap().definition, None);
    // Its own progress is older than the report, its definition is not.
    assert_eq!(book.apply(&created(4, limit("l", "u"), Some(10))), Ok(Applied::Changed));
    let entry = book.get("l").unwrap();
    assert_eq!((entry.reported, entry.definition.is_some()), (70, true));
    assert_eq!(book.apply(&created(4, limit("l", "u"), Some(10))), Ok(Applied::Outdated));
}

#[test]
fn a_canceled_limit_still_applies_to_loads_before_its_cancellation() {
    let canceled = OwnLimit {
        status: OwnLimitStatus::Canceled { at: Millis::new(500) },
        active_from: Millis::new(100),
        active_until: Some(Millis::new(900)),
        ..limit("l", "u")
    };
    let applies = |limit: &OwnLimit| [99, 100, 499, 500, 899, 900].map(|at| limit.applies_to(Millis::new(at)));
    assert_eq!(applies(&canceled), [false, true, true, false, false, false]);
    for status in [OwnLimitStatus::Active, OwnLimitStatus::Future, OwnLimitStatus::InCooldown] {
        let open = OwnLimit { status, ..canceled.clone() };
        assert_eq!(applies(&open), [false, true, true, true, true, false], "{status:?}");
    }
    let is_enforced = |kind, currency| OwnLimit { kind, currency, ..canceled.clone() }.is_enforced_in(Currency::USD);
    assert!(is_enforced(OwnLimitKind::Deposit, Currency::USD));
    assert!(!is_enforced(OwnLimitKind::Bet, Currency::USD));
    assert!(!is_enforced(OwnLimitKind::Deposit, Currency::parse("EUR").unwrap()));
}

/// Events of two customers and few limits. A sequence number stands for one event, as on a real stream.
fn events() -> impl Strategy<Value = Vec<LimitEvent>> {
    let event = (0..2_usize, 0..3_usize, 0..4_u8, any::<bool>(), 0..50_u64);
    prop::collection::vec(event, 0..24).prop_map(|events| {
        let numbered = (1..).zip(events);
        let event = |(number, (customer, place, kind, has_progress, value)): (u64, (usize, usize, u8, bool, u64))| {
            let user_id = ["one", "two"][customer];
            let limit_id = format!("{user_id}-{place}");
            match kind {
                0 | 1 => {
                    let limit = OwnLimit { value: Cents::new(value), ..limit(&limit_id, user_id) };
                    created(number, limit, has_progress.then_some(value))
                }
                _ => progressed(number, &limit_id, user_id, value),
            }
        };
        numbered.map(event).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn order_and_repetition_of_events_do_not_matter(
        (events, deliveries) in events().prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().cloned().chain(events.clone()).collect();
            (Just(events), Just(twice).prop_shuffle())
        })
    ) {
        let (mut once, mut shuffled) = (LimitBook::default(), LimitBook::default());
        for event in &events {
            // In order and once, every event counts.
            prop_assert_eq!(once.apply(event), Ok(Applied::Changed));
        }
        for event in deliveries {
            prop_assert!(shuffled.apply(&event).is_ok());
        }
        prop_assert_eq!(&shuffled, &once);
        // The last definition and the last report of each limit are in force.
        let ids: BTreeSet<_> = once.definitions().map(|limit| limit.limit_id.clone()).collect();
        for id in ids {
            let last = events.iter().rev().find_map(|event| match &event.change {
                Some(Change::Created { limit, .. }) if limit.limit_id == id => Some(limit),
                _ => None,
            });
            prop_assert_eq!(once.get(&id).unwrap().definition, last.map(|limit| &**limit));
        }
    }
}

/// Input that fails after its bytes.
struct Failing<'b>(&'b [u8]);

impl std::io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the disk is gone")),
            bytes => Ok(bytes),
        }
    }
}

#[test]
fn a_read_error_leaves_whole_rejects() {
    let (mut out, mut book) = (Vec::new(), LimitBook::default());
    let input = format!("oops\n{}", "x".repeat(2_000_000));
    let mut rejects = RejectWriter::of_source(&mut out, SOURCE);
    let ended = apply_limit_events(Failing(input.as_bytes()), &mut book, Some(&mut rejects), |_, _| {});
    assert!(matches!(ended, Err(LimitEventsError::Read { lines: 2, .. })), "{ended:?}");
    let rejects = String::from_utf8(out).unwrap();
    let codes = rejects.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].clone());
    assert_eq!(codes.collect::<Vec<_>>(), ["NOT_JSON", "TOO_LONG"]);
}
