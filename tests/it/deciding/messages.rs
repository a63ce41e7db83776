//! Messages of queues: decisions, deduplication ids, and the lines of a file.

use chrono::{DateTime, Utc};
use loadgate::adapters::sqs::deduplication_id;
use loadgate::deciding::{Received, read_delivery};
use loadgate::domain::{
    AttemptText, Cents, Currency, EventKey, LimitOrigin, LimitUsage, LoadAttempt, ShadowCodes, StoredDecision, Verdict,
    can_be_group, parse_time,
};
use loadgate::runtime::send::{MessageBlock, Messages};
use loadgate::wire::{can_be_body, decision_message};
use proptest::prelude::*;

fn key(customer_id: &str, event_id: &str) -> EventKey {
    EventKey { customer_id: customer_id.to_owned(), event_id: event_id.to_owned() }
}

#[test]
fn a_decision_message_matches_the_specification_to_the_byte() {
    let usage = |code: &str, used, limit, resets_at| LimitUsage {
        code: code.to_owned(),
        limit_id: None,
        used,
        limit,
        is_shadow: false,
        resets_at: Some(parse_time(resets_at).unwrap()),
    };
    let (tomorrow, monday) = ("2000-01-02T00:00:00Z", "2000-01-03T00:00:00Z");
    let decided_at: DateTime<Utc> = parse_time("2026-01-05T10:00:00.123Z").unwrap();
    let decision = StoredDecision {
        key: key("528", "15888"),
        verdict: Verdict::new(false, vec!["DAILY_AMOUNT".to_owned()]).unwrap(),
        load_amount: "$3318.47".to_owned(),
        time: "2000-01-01T09:00:00Z".to_owned(),
        decided_at,
        origin: LimitOrigin::Deployment,
        usage: vec![
            usage("DAILY_AMOUNT", 331_847, 500_000, tomorrow),
            usage("WEEKLY_AMOUNT", 331_847, 2_000_000, monday),
            usage("DAILY_COUNT", 1, 3, tomorrow),
        ],
        shadow: ShadowCodes::default(),
        log: None,
    };
    // The specification shows the message on three lines.
    let expected = concat!(
        r#"{"id":"15888","customer_id":"528","accepted":false,"reasons":["DAILY_AMOUNT"],"load_amount":"$3318.47","time":"2000-01-01T09:00:00Z","#,
        r#""decided_at":"2026-01-05T10:00:00.123Z","usage":[{"code":"DAILY_AMOUNT","used":331847,"limit":500000,"remaining":168153,"resets_at":"2000-01-02T00:00:00Z"},"#,
        r#"{"code":"WEEKLY_AMOUNT","used":331847,"limit":2000000,"remaining":1668153,"resets_at":"2000-01-03T00:00:00Z"},{"code":"DAILY_COUNT","used":1,"limit":3,"remaining":2,"resets_at":"2000-01-02T00:00:00Z"}]}"#,
    );
    assert_eq!(decision_message(&decision), expected);
    let over = LimitUsage { used: 4, ..usage("DAILY_COUNT", 0, 3, tomorrow) };
    assert_eq!(over.remaining(), 0, "limits may have been lowered");
}

#[test]
fn the_end_of_a_span_has_no_fraction_or_three_digits_and_may_be_missing() {
    let entry = |resets_at: Option<&str>| {
        let resets_at = resets_at.map(|time| parse_time(time).unwrap());
        let usage =
            vec![LimitUsage { code: "A".to_owned(), limit_id: None, used: 0, limit: 1, is_shadow: false, resets_at }];
        let message = decision_message(&StoredDecision { usage, ..decision("528", "1") });
        message.split_once("\"usage\":").unwrap().1.to_owned()
    };
    // Versions before `resets_at` stored none.
    assert_eq!(entry(None), r#"[{"code":"A","used":0,"limit":1,"remaining":1}]}"#);
    let with =
        |resets_at: &str| format!(r#"[{{"code":"A","used":0,"limit":1,"remaining":1,"resets_at":"{resets_at}"}}]}}"#);
    assert_eq!(entry(Some("2000-01-02T10:48:10Z")), with("2000-01-02T10:48:10Z"));
    assert_eq!(entry(Some("2000-01-02T10:48:10.59Z")), with("2000-01-02T10:48:10.590Z"));
}

#[test]
fn a_shortened_amount_has_the_prefix_of_its_currency() {
    let received = |amount: String| Received {
        message_id: "m".to_owned(),
        group_id: "7".to_owned(),
        body: crate::support::line("1", "7", &amount, "2000-01-01T00:00:00Z"),
        ..Received::default()
    };
    let zeros = "0".repeat(100);
    for (prefix, currency, shortened) in
        [("", "EUR", "EUR1.50"), ("EUR", "EUR", "EUR1.50"), ("", "USD", "$1.50"), ("USD", "USD", "$1.50")]
    {
        let currency = Currency::parse(currency).unwrap();
        let delivery = read_delivery(0, &received(format!("{prefix}{zeros}1.5")), currency).unwrap();
        assert_eq!(delivery.load_amount, shortened);
        assert_eq!(Cents::parse_in(&delivery.load_amount, currency), Ok(delivery.attempt.amount));
    }
}

#[test]
fn deduplication_ids_do_not_collide_by_concatenation() {
    assert_ne!(deduplication_id(&key("ab", "c")), deduplication_id(&key("a", "bc")));
    assert_ne!(deduplication_id(&key("a", "b")), deduplication_id(&key("b", "a")));
    // Computed with coreutils: printf '\0\0\0\0\0\0\0\003528\0\0\0\0\0\0\0\00515888' | sha256sum
    let expected = "9acad6b4dbc0c4ee160df492e59e66595901d8942a2acb9ced95734ac0230e66";
    assert_eq!(deduplication_id(&key("528", "15888")), expected);
}

/// Returns a decision that accepts an event.
fn decision(customer_id: &str, event_id: &str) -> StoredDecision {
    let decided_at = parse_time("2026-01-05T10:00:00Z").unwrap();
    StoredDecision {
        key: key(customer_id, event_id),
        verdict: Verdict::Accepted,
        load_amount: "$1".to_owned(),
        time: "2000-01-01T09:00:00Z".to_owned(),
        decided_at,
        usage: vec![],
        origin: LimitOrigin::Deployment,
        shadow: ShadowCodes::default(),
        log: None,
    }
}

#[test]
fn characters_that_sqs_refuses_are_escaped() {
    let message = decision_message(&decision("\u{ffff}", "a\u{fffe}b\u{fffd}"));
    assert!(can_be_body(&message) && message.contains(r#""id":"a\ufffeb"#), "{message}");
}

proptest! {
    #[test]
    fn every_decision_can_be_sent_and_parsed_back(customer in "\\PC{1,8}|.{1,8}|[\u{0}-\u{1f}\u{fffe}\u{ffff}]{1,3}", event in "(?s).{1,8}") {
        let message = decision_message(&decision(&customer, &event));
        prop_assert!(can_be_body(&message), "{}", message);
        let read: serde_json::Value = serde_json::from_str(&message).unwrap();
        prop_assert_eq!(&read["customer_id"], &serde_json::Value::from(customer));
        prop_assert_eq!(&read["id"], &serde_json::Value::from(event));
    }

    #[test]
    fn distinct_events_have_distinct_ids(a in ".{1,6}", b in ".{1,6}", c in ".{1,6}", d in ".{1,6}") {
        let same = deduplication_id(&key(&a, &b)) == deduplication_id(&key(&c, &d));
        prop_assert_eq!(same, a == c && b == d);
    }

    #[test]
    fn an_attempt_outside_its_customer_s_group_is_invalid(customer in "[ -~é]{1,4}", group in "[!-~]{1,4}") {
        let text = || AttemptText { id: "1".into(), customer_id: customer.clone().into(), load_amount: "1".into(), time: "2000-01-01T00:00:00Z".into() };
        let expected = match () {
            () if !customer.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation()) => Err("BAD_ID"),
            () if customer != group => Err("GROUP_MISMATCH"),
            () => Ok(()),
        };
        let checked = LoadAttempt::check_grouped(text(), &group, Currency::USD);
        prop_assert_eq!(checked.map(drop).map_err(|error| error.code()), expected);
    }
}

fn blocks(input: &[u8], run: &str) -> MessageBlock {
    let mut all = MessageBlock::default();
    for block in Messages::new(input, run.to_owned()) {
        let block = block.unwrap();
        all.messages.extend(block.messages);
        all.unsendable.extend(block.unsendable);
    }
    all
}

#[test]
fn lines_become_messages_in_order_grouped_by_customer() {
    let line = |id: &str, customer: &str| crate::support::line(id, customer, "$1", "2000-01-01T00:00:00Z");
    let mut file =
        (line("1", "a") + "\r\n\n" + &line("2", "b") + &line("1", "a") + "no JSON\n" + &line("3", "a b")).into_bytes();
    file.extend(b"\xff\n\x01\n");
    file.extend(vec![b'x'; 300_000]);
    let MessageBlock { messages, unsendable } = blocks(&file, "run");
    let groups: Vec<&str> = messages.iter().map(|message| message.group_id.as_str()).collect();
    assert_eq!(groups, ["a", "b", "a", "loadgate.no-customer", "loadgate.no-customer"]);
    assert_eq!(messages[0].body, line("1", "a").trim_end());
    assert!(groups.iter().all(|group| can_be_group(group)));
    // An event that occurs twice in the file is sent twice; a repeated run sends the same messages.
    assert_eq!(messages[0].body, messages[2].body);
    assert_ne!(messages[0].deduplication_id, messages[2].deduplication_id);
    assert_eq!(blocks(&file, "run").messages, messages);
    assert_ne!(blocks(&file, "other").messages[0].deduplication_id, messages[0].deduplication_id);
    let lines: Vec<u64> = unsendable.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [8, 9, 10]);
    assert!(
        unsendable[0].1.contains("UTF-8")
            && unsendable[1].1.contains("no queue takes")
            && unsendable[2].1.contains("262144")
    );
}

#[test]
fn bodies_and_groups_follow_the_sqs_documentation() {
    for (text, is_taken) in [
        ("a", true),
        ("", false),
        ("\t\r\n é😀", true),
        ("\u{0}", false),
        ("\u{b}", false),
        ("\u{fffe}", false),
        ("\u{fffd}", true),
    ] {
        assert_eq!(can_be_body(text), is_taken, "{text:?}");
    }
    for (text, is_taken) in [
        ("a", true),
        ("", false),
        ("!~", true),
        ("a b", false),
        ("é", false),
        (&*"x".repeat(128), true),
        (&*"x".repeat(129), false),
    ] {
        assert_eq!(can_be_group(text), is_taken, "{text:?}");
    }
}
