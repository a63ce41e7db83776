//! Limits in JSON: the same grammar as the limits file, and one text for each table of limits.

use loadgate::domain::{Limit, Limits, Measure, RollingHours, Window, Zone};
use loadgate::wire::{limits_json, parse_limits, parse_limits_json};
use proptest::prelude::*;

#[test]
fn the_built_in_limits_have_a_json_text() {
    let text = r#"{"limit":[{"code":"DAILY_AMOUNT","measure":"amount","window":"day","max":"5000.00"},{"code":"WEEKLY_AMOUNT","measure":"amount","window":"week","max":"20000.00"},{"code":"DAILY_COUNT","measure":"count","window":"day","max":3}]}"#;
    assert_eq!(limits_json(&Limits::default()), text);
    assert_eq!(parse_limits_json(text), Ok(Limits::default()));
    assert_eq!(parse_limits_json(text), parse_limits(include_str!("../../../limits.toml")));
}

#[test]
fn each_fault_names_its_place_and_none_repeats_the_text_where_that_is_asked_for() {
    let limit = |keys: &str| format!("{{\"limit\":[\n{{\"code\":\"A\",\"measure\":\"amount\",{keys}}}]}}");
    for (text, said, plain) in [
        (String::new(), "line 1: not JSON: EOF while parsing a value", None),
        ("[]".to_owned(), "line 1: the text: must be an object, not an array", None),
        (r#"{"limits":[]}"#.to_owned(), "line 1: limits: unknown; a plan", Some("line 1: a key is unknown; a plan")),
        (r#"{"limit":{}}"#.to_owned(), "line 1: limit: must be an array of objects, not an object", None),
        (r#"{"limit":[1]}"#.to_owned(), "line 1: limit 1: must be an object, not a number", None),
        ("{}".to_owned(), "line 1: there is no limit", None),
        (r#"{"limit":[],"limit":[]}"#.to_owned(), "has the key limit twice", Some("line 1: the text: has a key twice")),
        (limit("\"maximum\":1"), "line 2: limit 1, maximum: unknown", Some("line 2: limit 1: a key is unknown")),
        (limit("\"window\":\"day\""), "line 2: limit 1, max: missing", None),
        (limit("\"window\":\"year\""), ", not \"year\"", Some("line 2: limit 1, window: must be \"load\" or \"day\"")),
        (limit("\"window\":\"day\",\"hours\":1,\"max\":\"1\""), "limit 1, hours: the window day has none", None),
        (limit("\"window\":\"rolling\",\"hours\":0,\"max\":\"1\""), "limit 1, hours: must be a whole number", None),
        (limit("\"window\":\"rolling\",\"hours\":1.5,\"max\":\"1\""), "limit 1, hours: must be a whole number", None),
        (limit("\"window\":\"day\",\"max\":1"), "limit 1, max: must be dollars in a string", None),
        (limit("\"window\":\"day\",\"max\":null"), "not null", None),
        (limit("\"window\":\"day\",\"max\":\"-1\""), "limit 1, max: the amount ", None),
        (
            limit("\"window\":\"day\",\"zone\":\"X/Y\",\"max\":\"1\""),
            ", not \"X/Y\"",
            Some("limit 1, zone: must be a time"),
        ),
        (
            limit("\"window\":\"day\",\"max\":\"1\",\"max\":\"1\""),
            "has the key max twice",
            Some("limit 1: has a key twice"),
        ),
    ] {
        let error = parse_limits_json(&text).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
        assert!(error.plain().contains(plain.unwrap_or(said)), "{text}: {}", error.plain());
        assert_eq!(error.has_no_limit, text == "{}", "{text}");
        let is_plain = ["year", "X/Y", "maximum"].iter().all(|word| !error.plain().contains(word));
        assert!(is_plain, "{}", error.plain());
    }
}

fn windows() -> impl Strategy<Value = Window> {
    let zone = prop::sample::select(vec!["UTC", "Europe/London", "America/Sao_Paulo"]);
    prop_oneof![
        Just(Window::Load),
        zone.clone().prop_map(|name| Window::Day(Zone::named(name).unwrap())),
        zone.clone().prop_map(|name| Window::Week(Zone::named(name).unwrap())),
        zone.prop_map(|name| Window::Month(Zone::named(name).unwrap())),
        Just(Window::Lifetime),
        (1..=744_u16).prop_map(|hours| Window::Rolling(RollingHours::new(hours).unwrap())),
    ]
}

proptest! {
    #[test]
    fn limits_are_read_as_they_were_written(
        drafts in prop::collection::vec((windows(), any::<bool>(), 0..(1_u64 << 53)), 1..=32),
    ) {
        let limit = |(number, (window, is_count, max)): (usize, (Window, bool, u64))| {
            let measure = if is_count && window != Window::Load { Measure::Count } else { Measure::Amount };
            Limit { code: format!("L-{number}"), measure, window, max }
        };
        let limits = Limits::new(drafts.into_iter().enumerate().map(limit).collect()).unwrap();
        let text = limits_json(&limits);
        let read = parse_limits_json(&text);
        prop_assert_eq!(read.as_ref(), Ok(&limits));
        prop_assert_eq!(limits_json(&parse_limits_json(&text).unwrap()), text);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,60}|\\{\"limit\":\\[\\{\\PC{0,60}\\}\\]\\}") {
        if let Err(error) = parse_limits_json(&text) {
            prop_assert!(error.line == 1 && !error.to_string().is_empty());
        }
    }
}
