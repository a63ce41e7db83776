//! The naive oracle: an independent implementation of the specification. It shares no code with the library, keeps
//! the whole history in a list, and recomputes all usage from it for each attempt.

use std::fmt::Write;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use regex::Regex;
use serde_json::Value;

/// A row of the specification's table of limits.
#[derive(Clone, Debug)]
pub struct Limit {
    pub code: String,
    pub is_amount: bool,
    pub is_weekly: bool,
    pub max: u64,
}

#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: String,
    pub customer_id: String,
    pub cents: u64,
    pub time: DateTime<Utc>,
}

struct Past {
    attempt: Attempt,
    accepted: bool,
}

pub fn default_limits() -> Vec<Limit> {
    let limit = |code: &str, is_amount, is_weekly, max| Limit { code: code.to_owned(), is_amount, is_weekly, max };
    vec![
        limit("DAILY_AMOUNT", true, false, 500_000),
        limit("WEEKLY_AMOUNT", true, true, 2_000_000),
        limit("DAILY_COUNT", false, false, 3),
    ]
}

/// Returns the reasons to decline each attempt: empty if it is accepted, and `None` if it is ignored.
pub fn decide_all(limits: &[Limit], attempts: &[Attempt]) -> Vec<Option<Vec<String>>> {
    let mut history: Vec<Past> = Vec::new();
    let mut decisions = Vec::new();
    for attempt in attempts {
        let is_same = |past: &Past| past.attempt.customer_id == attempt.customer_id && past.attempt.id == attempt.id;
        if history.iter().any(is_same) {
            decisions.push(None);
            continue;
        }
        let used_before = |limit: &Limit| {
            let counted = history
                .iter()
                .filter(|past| past.accepted && past.attempt.customer_id == attempt.customer_id)
                .filter(|past| is_same_window(limit.is_weekly, past.attempt.time, attempt.time))
                .map(|past| if limit.is_amount { u128::from(past.attempt.cents) } else { 1 });
            counted.sum::<u128>()
        };
        let this = |limit: &Limit| if limit.is_amount { u128::from(attempt.cents) } else { 1 };
        let is_broken = |limit: &&Limit| used_before(limit) + this(limit) > u128::from(limit.max);
        let reasons: Vec<String> = limits.iter().filter(is_broken).map(|limit| limit.code.clone()).collect();
        history.push(Past { attempt: attempt.clone(), accepted: reasons.is_empty() });
        decisions.push(Some(reasons));
    }
    decisions
}

fn is_same_window(is_weekly: bool, one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    if is_weekly { one.iso_week() == other.iso_week() } else { one.date_naive() == other.date_naive() }
}

/// Returns the decision lines of a file, with or without reasons, and the numbers and codes of its invalid lines.
pub fn replay(input: &[u8], limits: &[Limit], explain: bool) -> (String, Vec<(usize, &'static str)>) {
    let (mut attempts, mut invalid) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(input.split(|byte| *byte == b'\n')) {
        match read(line) {
            Ok(attempt) => attempts.push(attempt),
            Err("BLANK") => {}
            Err(code) => invalid.push((number, code)),
        }
    }
    let mut out = String::new();
    for (attempt, decision) in attempts.iter().zip(decide_all(limits, &attempts)) {
        let Some(reasons) = decision else { continue };
        let [id, customer_id] = [&attempt.id, &attempt.customer_id].map(|id| Value::from(id.as_str()));
        let accepted = reasons.is_empty();
        let named = if explain { format!(",\"reasons\":{}", Value::from(reasons)) } else { String::new() };
        writeln!(out, "{{\"id\":{id},\"customer_id\":{customer_id},\"accepted\":{accepted}{named}}}").unwrap();
    }
    (out, invalid)
}

/// Parses a line as the specification requires, or returns the code of its fault.
pub fn read(line: &[u8]) -> Result<Attempt, &'static str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > 262_144 {
        return Err("TOO_LONG");
    }
    let text = std::str::from_utf8(line).map_err(|_| "NOT_UTF8")?;
    if text.trim().is_empty() {
        return Err("BLANK");
    }
    let value: Value = serde_json::from_str(text).map_err(|_| "NOT_JSON")?;
    let object = value.as_object().ok_or("BAD_TYPE")?;
    let names = ["id", "customer_id", "load_amount", "time"];
    if names.iter().any(|name| !object.contains_key(*name)) {
        return Err("MISSING_FIELD");
    }
    if names.iter().any(|name| !object[*name].is_string()) {
        return Err("BAD_TYPE");
    }
    let [id, customer_id, amount, time] = names.map(|name| object[name].as_str().unwrap().to_owned());
    if [&id, &customer_id].iter().any(|id| id.is_empty() || id.len() > 128) {
        return Err("BAD_ID");
    }
    let cents = cents(&amount).ok_or("BAD_AMOUNT")?;
    let time = instant(&time).ok_or("BAD_TIME")?;
    Ok(Attempt { id, customer_id, cents, time })
}

pub fn cents(text: &str) -> Option<u64> {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:USD)?\$?([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]{1,2}))?$").unwrap());
    let parts = FORM.captures(text)?;
    let dollars = parts[1].replace(',', "");
    let decimals = parts.get(2).map_or("00".to_owned(), |decimals| format!("{:0<2}", decimals.as_str()));
    let digits = format!("{dollars}{decimals}");
    let cents: u128 = digits.trim_start_matches('0').parse().or_else(|_| "0".parse()).ok()?;
    let fits = digits.trim_start_matches('0').len() <= 16 && cents <= 9_007_199_254_740_991;
    fits.then_some(u64::try_from(cents).ok()).flatten()
}

pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        let form = r"^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$";
        Regex::new(form).unwrap()
    });
    let parts = FORM.captures(text).filter(|_| text.is_ascii())?;
    let number = |index: usize| parts.get(index).map_or(0, |part| part.as_str().parse::<u32>().unwrap());
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(1)).ok()?, number(2), number(3))?;
    let is_leap = number(6) == 60;
    let time = NaiveTime::from_hms_opt(number(4), number(5), if is_leap { 59 } else { number(6) })?;
    let offset = TimeDelta::minutes(i64::from(number(8) * 60 + number(9)));
    let local = date.and_time(time).and_utc();
    let utc = if parts.get(7).is_some_and(|sign| sign.as_str() == "+") { local - offset } else { local + offset };
    (!is_leap || utc.time() == NaiveTime::from_hms_opt(23, 59, 59)?).then_some(utc)
}
