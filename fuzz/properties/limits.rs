//! A limits file, in TOML or JSON: accepted limits survive being written again, and a fault is reported with a line of the file.

use loadgate::domain::{Cents, LIMIT_CODE_BYTES_MAX, LIMITS_MAX, Limit, Limits, Measure, Window, Zone};
use loadgate::wire::{LimitsTextError, limits_json, parse_limits, parse_limits_json};

/// Maximum length of an error message besides a key or word of the file, which it may repeat once.
const MESSAGE_BYTES_MAX: usize = 300;

pub fn check(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    [parse_limits(text), parse_limits_json(text)].into_iter().any(|parsed| check_parsed(text, parsed))
}

fn check_parsed(text: &str, parsed: Result<Limits, LimitsTextError>) -> bool {
    match parsed {
        Ok(limits) => {
            assert!((1..=LIMITS_MAX).contains(&limits.iter().len()));
            assert!(limits.iter().all(|limit| (1..=LIMIT_CODE_BYTES_MAX).contains(&limit.code.len())));
            let printed: String = limits.iter().map(printed).collect();
            assert_eq!(parse_limits(&printed).as_ref(), Ok(&limits), "{printed}");
            assert_eq!(parse_limits_json(&limits_json(&limits)).as_ref(), Ok(&limits));
            true
        }
        Err(error) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&error.line), "{error}");
            assert!(error.to_string().len() <= text.len() + MESSAGE_BYTES_MAX, "{error}");
            false
        }
    }
}

/// Formats a limit as TOML. Codes and names of zones are plain words, which need no escape.
fn printed(Limit { code, measure, window, max }: &Limit) -> String {
    let zoned = |window: &str, zone: &Zone| format!("\"{window}\"\nzone = \"{}\"", zone.name());
    let window = match window {
        Window::Load => "\"load\"".to_owned(),
        Window::Day(zone) => zoned("day", zone),
        Window::Week(zone) => zoned("week", zone),
        Window::Month(zone) => zoned("month", zone),
        Window::Lifetime => "\"lifetime\"".to_owned(),
        Window::Rolling(hours) => format!("\"rolling\"\nhours = {}", hours.get()),
        Window::Anchored(_) => panic!("no limits file has an anchored window"),
    };
    let (measure, max) = match measure {
        Measure::Amount => ("amount", format!("\"{}\"", Cents::new(*max))),
        Measure::Count => ("count", max.to_string()),
    };
    format!("[[limit]]\ncode = \"{code}\"\nmeasure = \"{measure}\"\nwindow = {window}\nmax = {max}\n")
}
