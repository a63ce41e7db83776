//! Records as DynamoDB items, including items that an operator has edited.

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, L, N, S};
use chrono::{DateTime, SubsecRound, Utc};
use loadgate::adapters::dynamodb::{Item, from_record, to_record};
use loadgate::deciding::StoreError;
use loadgate::domain::parse_time;

/// Returns the item of a record, with another value in one attribute.
fn item(name: &str, value: AttributeValue) -> Item {
    let texts = ["CUSTOMER_ID", "EVENT_ID", "LOAD_AMOUNT", "TIME", "MESSAGE_ID", "FINGERPRINT"];
    let mut item: Item = texts.map(|name| (name.to_owned(), S("x".to_owned()))).into();
    item.extend(["REASONS", "USAGE"].map(|name| (name.to_owned(), L(vec![]))));
    item.insert("ACCEPTED".to_owned(), Bool(true));
    item.insert("DECIDED_AT".to_owned(), S("2026-01-05T10:00:00.123Z".to_owned()));
    item.insert("EXPIRES_AT".to_owned(), N("1767693600".to_owned()));
    item.insert(name.to_owned(), value);
    item
}

#[test]
fn an_expiry_out_of_range_becomes_the_first_or_last_instant() {
    for (expires_at_s, expected) in
        [(i64::MAX, DateTime::<Utc>::MAX_UTC.trunc_subsecs(0)), (i64::MIN, DateTime::<Utc>::MIN_UTC)]
    {
        let record = to_record(&item("EXPIRES_AT", N(expires_at_s.to_string())), "records").unwrap();
        assert_eq!(record.expires_at, expected);
        assert_eq!(to_record(&from_record(&record), "records").unwrap(), record);
    }
}

#[test]
fn a_decision_is_dated_in_milliseconds() {
    let record = to_record(&item("DECIDED_AT", S("2026-01-05T10:00:00.123999Z".to_owned())), "records").unwrap();
    assert_eq!(record.decision.decided_at, parse_time("2026-01-05T10:00:00.123Z").unwrap());
}

#[test]
fn a_record_whose_verdict_contradicts_its_reasons_is_corrupt() {
    let reasons = L(vec![S("DAILY_COUNT".to_owned())]);
    for contradiction in [item("ACCEPTED", Bool(false)), item("REASONS", reasons.clone())] {
        let error = to_record(&contradiction, "records").unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)) && error.to_string().contains("REASONS"), "{error}");
    }
    let mut declined = item("ACCEPTED", Bool(false));
    declined.insert("REASONS".to_owned(), reasons);
    assert!(!to_record(&declined, "records").unwrap().decision.verdict.is_accepted());
}
