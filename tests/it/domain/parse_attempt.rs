//! Parsing of attempts: each fault has one code, the faults are checked in a fixed order, and only attempts are
//! accepted.

use loadgate::domain::Currency;
use loadgate::wire::parse_attempt;
use proptest::prelude::*;

use crate::support::{MARKS, bodies_with_marks, oracle};

fn code(line: &[u8]) -> &'static str {
    parse_attempt(line, Currency::USD).map_or_else(|error| error.code(), |_| "VALID")
}

#[test]
fn each_fault_has_its_code() {
    let long = "x".repeat(129);
    let rows: &[(&str, String)] = &[
        ("VALID", r#"{"id":"1","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        (
            "VALID",
            r#" {"time":"2000-01-01T00:00:00Z","x":{"id":1},"load_amount":"$3","customer_id":"2","id":"1"} "#.into(),
        ),
        (
            "VALID",
            format!(r#"{{"id":"{}","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}}"#, &long[1..]),
        ),
        ("NOT_JSON", "hello".into()),
        ("NOT_JSON", "{".into()),
        ("NOT_JSON", "{}{}".into()),
        ("NOT_JSON", r#"{"id":1,"#.into()),
        (
            "NOT_JSON",
            r#"{"id":"1","id":"1","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into(),
        ),
        (
            "NOT_JSON",
            "{\"id\":\"a\u{1}\",\"customer_id\":\"2\",\"load_amount\":\"$3\",\"time\":\"2000-01-01T00:00:00Z\"}".into(),
        ),
        ("NOT_JSON", r#"{"id":"\ud800","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        ("NOT_JSON", r#"{"id":"\ud800"}"#.into()),
        ("NOT_JSON", r#"{"id":1,"customer_id":"\udfff"}"#.into()),
        ("NOT_JSON", r#"{"id":"1","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"},"#.into()),
        ("BAD_TYPE", "[]".into()),
        ("BAD_TYPE", r#"["1","2","$3","2000-01-01T00:00:00Z"]"#.into()),
        ("BAD_TYPE", "null".into()),
        ("BAD_TYPE", "1e999".into()),
        ("BAD_TYPE", r#""text""#.into()),
        ("MISSING_FIELD", "{}".into()),
        ("MISSING_FIELD", r#"{"id":1}"#.into()),
        ("MISSING_FIELD", r#"{"ID":"1","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        ("BAD_TYPE", r#"{"id":null,"customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        ("BAD_TYPE", r#"{"id":1e999,"customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        ("BAD_TYPE", r#"{"id":"1","customer_id":"2","load_amount":3.00,"time":"2000-01-01T00:00:00Z"}"#.into()),
        ("BAD_TYPE", r#"{"id":"","customer_id":"2","load_amount":"$3","time":["2000-01-01T00:00:00Z"]}"#.into()),
        ("BAD_ID", r#"{"id":"","customer_id":"2","load_amount":"x","time":"x"}"#.into()),
        ("BAD_ID", r#"{"id":"1","customer_id":"","load_amount":"$3","time":"2000-01-01T00:00:00Z"}"#.into()),
        ("BAD_ID", format!(r#"{{"id":"{long}","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}}"#)),
        ("BAD_AMOUNT", r#"{"id":"1","customer_id":"2","load_amount":"$3.001","time":"x"}"#.into()),
        ("BAD_TIME", r#"{"id":"1","customer_id":"2","load_amount":"$3","time":"x"}"#.into()),
        ("TOO_LONG", " ".repeat(262_145)),
        ("NOT_JSON", " ".repeat(262_144)),
    ];
    for (expected, text) in rows {
        let shown: String = text.chars().take(100).collect();
        assert_eq!(code(text.as_bytes()), *expected, "{shown}");
    }
    assert_eq!(code(b"\xff"), "NOT_UTF8");
    assert_eq!(code(b"{\"id\":\"\xed\xa0\x80\"}"), "NOT_UTF8");
}

#[test]
fn each_fault_is_reported_in_a_plain_sentence() {
    let message = |line: &[u8]| parse_attempt(line, Currency::USD).unwrap_err().to_string();
    let with =
        |amount: &str, time: &str| format!(r#"{{"id":"1","customer_id":"2","load_amount":{amount},"time":{time}}}"#);
    insta::assert_snapshot!(
        [
            message("x".repeat(262_145).as_bytes()),
            message(b"{\"id\":\"\xff\"}"),
            message(b"{\"id\":"),
            message(b"{\n  \"id\": \"1\",\n  oops}"),
            message(b"{\"id\":\"\\ud800\"}"),
            message(b"{\"id\":\"1\",\"id\":\"1\"}"),
            message(b"{\"id\":\"1\"}"),
            message(b"[1]"),
            message(with("3.5", "null").as_bytes()),
            message(with("\"\"", "\"\"").replace("\"1\"", "\"\"").as_bytes()),
            message(with("\"\"", "\"\"").replace("\"2\"", &format!("\"{}\"", "c".repeat(200))).as_bytes()),
            message(with("\"$\"", "\"\"").as_bytes()),
            message(with("\"$1,00\"", "\"\"").as_bytes()),
            message(with("\"1.005\"", "\"\"").as_bytes()),
            message(with("\"-1\"", "\"\"").as_bytes()),
            message(with("\"90071992547409.92\"", "\"\"").as_bytes()),
            message(with("\"1\"", "\"yesterday\"").as_bytes()),
            message(with("\"1\"", "\"2019-02-29T00:00:00Z\"").as_bytes()),
            message(with("\"1\"", "\"2019-02-28T00:00:60Z\"").as_bytes()),
        ]
        .join("\n"),
        @r#"
        the input is longer than 262144 bytes, the most that an attempt may have
        the input is not UTF-8: byte 8 does not begin or continue a character
        the input is not one JSON object: EOF while parsing a value (byte 6)
        the input is not one JSON object: key must be a string (byte 18)
        the input is not one JSON object: unexpected end of hex escape (byte 14)
        the input is not one JSON object: id appears twice (byte 14)
        the field customer_id is missing
        the input must be a JSON object, not an array
        the field load_amount must be a string, not a number
        id is empty
        customer_id is 200 bytes long; at most 128 are allowed
        load_amount has no digits where the amount should begin
        load_amount has a comma that does not part thousands
        load_amount must have one or two digits after the point; it is never rounded
        load_amount has a character that no amount has; write it like 3,318.47
        load_amount is more than 90071992547409.91, the largest amount allowed
        time is not an RFC 3339 date and time, like 2000-01-01T00:00:00Z
        time names a date, time or offset that does not exist
        time has a second 60 elsewhere than at 23:59:60 UTC
        "#
    );
}

#[test]
fn no_error_message_repeats_the_input() {
    for body in bodies_with_marks() {
        let error = parse_attempt(body.as_bytes(), Currency::USD).expect_err(&body);
        let message = error.to_string();
        assert!(MARKS.iter().all(|mark| !message.contains(mark)), "{message}: {body}");
    }
}

#[test]
fn escapes_are_decoded_and_ids_may_contain_any_character() {
    let line = r#"{"id":"\u0031\n\"\\","customer_id":"ü\ud83d\ude00 ","load_amount":"\u00241","time":"2000-01-01T00:00:00\u005a"}"#;
    let attempt = parse_attempt(line.as_bytes(), Currency::USD).unwrap();
    assert_eq!((attempt.id.as_str(), attempt.customer_id.as_str(), attempt.amount.get()), ("1\n\"\\", "ü😀 ", 100));
}

#[test]
fn deep_nesting_in_an_ignored_field_is_ignored() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let line = format!(r#"{{"x":{deep},"id":"1","customer_id":"2","load_amount":"$3","time":"2000-01-01T00:00:00Z"}}"#);
    assert_eq!(code(line.as_bytes()), "VALID");
}

/// Generates lines that resemble attempts. Each part is valid, or invalid in some way.
fn nearly_attempts() -> impl Strategy<Value = String> {
    let id = prop_oneof![4 => "[a-z0-9]{1,4}", 1 => Just(String::new()), 1 => r"\PC{0,6}", 1 => r"\\u00[0-7][0-9a-f]"];
    let amount = prop_oneof![4 => r"\$[0-9]{1,4}\.[0-9]{2}", 1 => r"[0-9$,.-]{0,8}"];
    let time = prop_oneof![4 => r"20(0[0-9]|1[0-9])-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z", 1 => r"[0-9TZ:+-]{0,20}"];
    let quoted = |text: String| format!("\"{text}\"");
    let wild = prop_oneof![Just("null"), Just("1"), Just("true"), Just("[]"), Just("{}"), Just("-1.5e3")]
        .prop_map(str::to_owned);
    let value = move |text: BoxedStrategy<String>| prop_oneof![9 => text.prop_map(quoted), 1 => wild.clone()];
    let values = (value(id.clone().boxed()), value(id.boxed()), value(amount.boxed()), value(time.boxed()));
    let shape = (any::<prop::sample::Index>(), prop::sample::select(vec!["", " ", "\t", "  "]), 0..12_usize);
    (values, shape).prop_map(|((id, customer_id, amount, time), (cut, space, kind))| {
        let mut fields = vec![
            format!("\"id\":{space}{id}"),
            format!("\"customer_id\":{space}{customer_id}"),
            format!("\"load_amount\":{space}{amount}"),
            format!("\"time\":{space}{time}"),
        ];
        match kind {
            0 => drop(fields.remove(cut.index(4))),
            1 => fields.rotate_left(cut.index(4)),
            2 => fields.push("\"more\":{\"id\":[1,2,{}]}".to_owned()),
            _ => {}
        }
        if kind == 4 {
            return format!("[{id},{customer_id},{amount},{time}]");
        }
        let line = format!("{{{}}}", fields.join(","));
        if kind == 3 { line.chars().take(cut.index(line.chars().count())).collect() } else { line }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn parsing_agrees_with_the_oracle(line in nearly_attempts()) {
        match (parse_attempt(line.as_bytes(), Currency::USD), oracle::read(line.as_bytes())) {
            (Ok(attempt), Ok(expected)) => {
                prop_assert_eq!(attempt.id.as_str(), expected.id);
                prop_assert_eq!(attempt.customer_id.as_str(), expected.customer_id);
                prop_assert_eq!(attempt.amount.get(), expected.cents);
                prop_assert_eq!(attempt.time.timestamp(), expected.time.timestamp());
            }
            // The oracle reports blank lines separately, because the file replay skips them before it parses.
            (read, Err(expected)) => {
                let expected = if expected == "BLANK" { "NOT_JSON" } else { expected };
                prop_assert_eq!(read.map_err(|error| error.code()).err(), Some(expected), "{}", line);
            }
            (read, expected) => prop_assert!(false, "{line}: {read:?}, expected {expected:?}"),
        }
    }

    /// The plain form has its own parser. Leading white space bypasses it.
    #[test]
    fn the_plain_form_parses_like_any_other(line in nearly_attempts()) {
        let other_form = format!(" {line}");
        let plain = parse_attempt(line.as_bytes(), Currency::USD).map_err(|error| error.code());
        let other = parse_attempt(other_form.as_bytes(), Currency::USD).map_err(|error| error.code());
        prop_assert_eq!(plain, other);
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_attempt(&bytes, Currency::USD);
    }
}
