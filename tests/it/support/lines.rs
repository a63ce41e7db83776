//! Parsing of lines that the programs write: decisions and rejects.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Each customer's decisions, in order: the event's id, true if it was accepted, and the reasons.
pub type ByCustomer = BTreeMap<String, Vec<(String, bool, Vec<String>)>>;

pub fn by_customer(lines: &[String]) -> ByCustomer {
    let mut customers = ByCustomer::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let reasons = line["reasons"].as_array().unwrap().iter().map(text).collect();
        let decision = (text(&line["id"]), line["accepted"].as_bool().unwrap(), reasons);
        customers.entry(text(&line["customer_id"])).or_default().push(decision);
    }
    customers
}

/// Returns the complete invalid line that a reject contains.
pub fn raw(reject: &Value) -> Vec<u8> {
    let rest = reject.get("raw_rest_base64").map_or("", |rest| rest.as_str().unwrap());
    [reject["raw"].as_str().unwrap().as_bytes(), &STANDARD.decode(rest).unwrap()].concat()
}

/// Returns the code and the text of a reject. Returns `None` if the text cannot be a message of a queue.
pub fn sendable(line: &str) -> Option<(String, String)> {
    let reject: Value = serde_json::from_str(line).unwrap();
    let is_whole = reject.get("raw_rest_base64").is_none();
    let code = reject["code"].as_str()?;
    (is_whole && code != "TOO_LONG").then(|| (code.to_owned(), reject["raw"].as_str().unwrap().to_owned()))
}
