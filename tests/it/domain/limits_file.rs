//! Limits files: valid limits take effect, and each fault is reported with its line and key.

use loadgate::domain::{Limits, Measure, RollingHours, Window, Zone};
use loadgate::wire::parse_limits;
use proptest::prelude::*;

#[test]
fn the_shipped_file_contains_the_built_in_limits() {
    assert_eq!(parse_limits(include_str!("../../../limits.toml")), Ok(Limits::default()));
}

#[test]
fn amounts_and_counts_of_days_and_weeks_are_parsed() {
    let text = "limit = [{code='A', measure='count', window='week', max=0}]";
    let limits = parse_limits(text).unwrap();
    let limit = limits.iter().next().unwrap();
    assert_eq!((limit.measure, &limit.window, limit.max), (Measure::Count, &Window::Week(Zone::UTC), 0));
    let text = "[[limit]]\ncode='B'\nmeasure='amount'\nwindow='day'\nmax='$1,234.5'\n";
    assert_eq!(parse_limits(text).unwrap().iter().next().unwrap().max, 123_450);
}

#[test]
fn each_fault_is_reported_with_its_line_and_key() {
    let limit = |changed: &str| {
        let mut lines = vec!["code = \"X\"", "measure = \"amount\"", "window = \"day\"", "max = \"1.00\""];
        let key = changed.split('=').next().unwrap_or_default().trim();
        lines.retain(|line| !line.starts_with(key) || key.is_empty());
        format!("# limits\n[[limit]]\n{}\n{changed}\n", lines.join("\n"))
    };
    let two = format!("{}{}", limit("code = \"A\""), limit("code = \"A\""));
    let messages: Vec<String> = [
        String::new(),
        "[[limit]".to_owned(),
        "limit = 3".to_owned(),
        "limit = [3]".to_owned(),
        "[[limits]]\ncode = \"A\"".to_owned(),
        "\n\n[[limit]]\ncode = \"A\"".to_owned(),
        limit("measure = \"sum\""),
        limit("window = \"year\""),
        limit("window = 7"),
        limit("max = 5000.00"),
        limit("max = 5000"),
        limit("max = \"-1\""),
        limit("max = \"1.005\""),
        limit("measure = \"count\""),
        limit("measure = \"count\"\nmax = -1").replace("max = \"1.00\"\n", ""),
        limit("maximum = 3"),
        limit("code = \"with space\""),
        limit("code = \"CUSTOMER_DAY\""),
        limit("zone = \"Europe/Atlantis\""),
        limit("zone = 1"),
        limit("window = \"load\"\nzone = \"UTC\"").replace("window = \"day\"\n", ""),
        limit("window = \"rolling\"").replace("window = \"day\"\n", ""),
        limit("window = \"rolling\"\nhours = 745").replace("window = \"day\"\n", ""),
        limit("window = \"rolling\"\nhours = \"1\"").replace("window = \"day\"\n", ""),
        limit("hours = 1"),
        limit("window = \"load\"\nmeasure = \"count\"\nmax = 1")
            .replace("window = \"day\"\n", "")
            .replace("measure = \"amount\"\n", "")
            .replace("max = \"1.00\"\n", ""),
        two,
        limit("code = \"A\"\ncode = \"A\""),
        limit("mode = \"quiet\""),
        limit("mode = true"),
        limit("mode = \"shadow\""),
    ]
    .iter()
    .map(|text| parse_limits(text).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(messages.join("\n"), @r#"
        line 1: there is no limit that declines: every attempt would be accepted
        line 1: not TOML: unclosed array table, expected `]`
        line 1: limit: must be an array of tables: write [[limit]]
        line 1: limit 1: must be a table, not an integer
        line 1: limits: unknown; a limits file has nothing but [[limit]] tables
        line 3: limit 1, measure: missing
        line 6: limit 1, measure: must be "amount" or "count", not "sum"
        line 6: limit 1, window: must be "load" or "day" or "week" or "month" or "lifetime" or "rolling", not "year"
        line 6: limit 1, window: must be a string, not an integer
        line 6: limit 1, max: must be dollars in a string, like "5000.00", not a float
        line 6: limit 1, max: must be dollars in a string, like "5000.00", not an integer
        line 6: limit 1, max: the amount has a character that no amount has; write it like 3,318.47
        line 6: limit 1, max: the amount must have one or two digits after the point; it is never rounded
        line 5: limit 1, max: must be a whole number of loads, not a string
        line 6: limit 1, max: must be a number of loads from 0 to 18446744073709551615
        line 7: limit 1, maximum: unknown; a limit has code, measure, window, max, mode, and zone or hours for some windows
        line 6: the code of limit 1 must be 1 to 64 letters, digits, '_', '-' or '.'
        line 6: the code of limit 1 must not begin with CUSTOMER_: customers' own limits have such codes
        line 7: limit 1, zone: must be a time zone of the IANA database, like "Europe/London", not "Europe/Atlantis"
        line 7: limit 1, zone: must be a string, not an integer
        line 7: limit 1, zone: the window load has none; it belongs to day, week, month
        line 2: limit 1, hours: missing
        line 7: limit 1, hours: must be a whole number from 1 to 744
        line 7: limit 1, hours: must be a whole number from 1 to 744
        line 7: limit 1, hours: the window day has none; it belongs to rolling
        line 3: limit 1 counts loads in the window load, which holds one load: only amounts can be limited there
        line 12: limits 1 and 2 have the same code A
        line 7: not TOML: duplicate key
        line 7: limit 1, mode: must be "live" or "shadow", not "quiet"
        line 7: limit 1, mode: must be a string, not a boolean
        line 3: there is no limit that declines: every attempt would be accepted
        "#);
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(text in r#"(\[\[limit\]\]\n)?((code|measure|window|max) = ("[a-z0-9.]{0,6}"|[0-9]{1,25}|true|\[\])\n){0,5}|\PC{0,40}"#) {
        let _ = parse_limits(&text);
    }
}

#[test]
fn every_window_is_read_with_its_keys() {
    let window = |keys: &str| {
        let text = format!("[[limit]]\ncode = \"A\"\nmeasure = \"amount\"\nmax = \"1\"\n{keys}\n");
        parse_limits(&text).unwrap().iter().next().unwrap().window.clone()
    };
    let london = || Zone::named("Europe/London").unwrap();
    assert_eq!(window("window = \"load\""), Window::Load);
    assert_eq!(window("window = \"day\"\nzone = \"Europe/London\""), Window::Day(london()));
    assert_eq!(window("window = \"week\"\nzone = \"UTC\""), Window::Week(Zone::UTC));
    assert_eq!(window("window = \"month\"\nzone = \"Europe/London\""), Window::Month(london()));
    assert_eq!(window("window = \"lifetime\""), Window::Lifetime);
    assert_eq!(window("window = \"rolling\"\nhours = 0x2e8"), Window::Rolling(RollingHours::new(744).unwrap()));
}

#[test]
fn shadow_limits_are_apart_from_the_limits_in_force() {
    let limit = |code: &str, mode: &str| {
        format!("[[limit]]\ncode = \"{code}\"\nmeasure = \"count\"\nwindow = \"lifetime\"\nmax = 1\n{mode}\n")
    };
    let modes = [("A", "mode = \"shadow\""), ("B", ""), ("C", "mode = \"live\""), ("D", "mode = \"shadow\"")];
    let text: String = modes.iter().map(|(code, mode)| limit(code, mode)).collect();
    let limits = parse_limits(&text).unwrap();
    assert!(limits.iter().map(|limit| limit.code.as_str()).eq(["B", "C"]));
    assert!(limits.shadow().map(|limit| limit.code.as_str()).eq(["A", "D"]));
    assert_eq!(limits.first_long().map(|limit| limit.code.as_str()), Some("B"));
    let again = loadgate::wire::parse_limits_json(&loadgate::wire::limits_json(&limits)).unwrap();
    assert_eq!(again, limits);
    let twice = format!("{}{}", limit("A", ""), limit("A", "mode = \"shadow\""));
    assert!(parse_limits(&twice).unwrap_err().to_string().contains("limits 1 and 2 have the same code A"));
}
