//! Checks that a log contains no body, amount, business time or secret.

use std::collections::BTreeSet;

use regex::RegexBuilder;
use serde_json::Value;

/// Secrets in the environments of the programs under test.
const SECRETS: [&str; 3] = ["local-secret", "AWS_SECRET_ACCESS_KEY=", "Signature="];

/// Minimum length of a text that the check looks for, in bytes.
const SHORTEST: usize = 6;

/// Asserts that a log contains no secret, and no part of these load attempts.
pub fn assert_secret(log: &str, attempts: &str) {
    let mut hidden: BTreeSet<String> = SECRETS.map(str::to_owned).into();
    for line in attempts.lines() {
        hidden.insert(line.to_owned());
        let Ok(Value::Object(attempt)) = serde_json::from_str(line) else { continue };
        let texts = ["load_amount", "time"].into_iter().filter_map(|name| attempt.get(name)?.as_str());
        hidden.extend(texts.map(str::to_owned));
    }
    hidden.retain(|text| text.trim().len() >= SHORTEST);
    // In a log line, quotation marks are escaped with a backslash.
    let escaped: Vec<String> = hidden.iter().map(|text| text.replace('"', "\\\"")).collect();
    let all: Vec<String> = hidden.iter().chain(&escaped).map(|text| regex::escape(text)).collect();
    let pattern = RegexBuilder::new(&all.join("|")).size_limit(1 << 30).build().unwrap();
    for line in log.lines() {
        let shown = pattern.find(line).map(|shown| shown.as_str());
        assert!(shown.is_none(), "{shown:?} is shown: {line}");
    }
}

#[test]
fn every_leak_is_detected() {
    let attempt = r#"{"id":"1","customer_id":"2","load_amount":"$123.45","time":"2018-12-31T00:00:00Z"}"#;
    assert_secret("{\"message\":\"a duplicate: ignored\",\"message_id\":\"1\"}\n", attempt);
    for shown in ["{\"amount\":\"$123.45\"}", "at 2018-12-31T00:00:00Z", "local-secret", &attempt.replace('"', "\\\"")]
    {
        assert!(std::panic::catch_unwind(|| assert_secret(shown, attempt)).is_err(), "{shown}");
    }
}
