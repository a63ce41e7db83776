//! Notations of a valid attempt.

use std::io::{self, Write};

use chrono::{DateTime, FixedOffset, Utc};
use fastrand::Rng;

use crate::domain::Cents;
use crate::replay::generate::Draft;

/// Writes a valid line, nearly always in plain form, and sometimes in an equivalent one.
pub(super) fn write(draft: &Draft, rng: &mut Rng, out: &mut impl Write) -> io::Result<()> {
    let Draft { id, customer, .. } = draft;
    let (amount, time) = (amount(draft.amount, rng), time(draft.time, rng));
    match rng.u8(0..64) {
        0 => writeln!(
            out,
            r#"{{ "time": "{time}", "note": {{"channel": ["app", 1.5, null]}}, "load_amount": "{amount}", "customer_id": "{customer}", "id": "{id}" }}"#
        ),
        1 => writeln!(
            out,
            r#"{{"id":"\u0031{}","customer_id":"{customer}","load_amount":"{amount}","time":"{time}"}}"#,
            id.to_string().strip_prefix('1').unwrap_or_default()
        ),
        _ => writeln!(out, r#"{{"id":"{id}","customer_id":"{customer}","load_amount":"{amount}","time":"{time}"}}"#),
    }
}

fn amount(amount: Cents, rng: &mut Rng) -> String {
    let plain = amount.to_string();
    match rng.u8(0..32) {
        0 => format!("USD{plain}"),
        1 => plain.replace('$', "USD"),
        2 => plain.replace('$', ""),
        3 => with_thousands(&plain),
        4 => plain.strip_suffix(".00").unwrap_or(&plain).to_owned(),
        5 => plain.strip_suffix('0').unwrap_or(&plain).to_owned(),
        _ => plain,
    }
}

/// Rewrites `$1234567.89` as `$1,234,567.89`.
fn with_thousands(plain: &str) -> String {
    let (dollars, decimals) = plain.trim_start_matches('$').split_once('.').unwrap_or((plain, "00"));
    let mut grouped = String::from("$");
    for (place, digit) in dollars.chars().enumerate() {
        if place > 0 && (dollars.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{decimals}")
}

fn time(time: DateTime<Utc>, rng: &mut Rng) -> String {
    let offset_s = match rng.u8(0..32) {
        0 => -5 * 3_600,
        1 => 5 * 3_600 + 30 * 60,
        2 => return time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
        _ => return utc(time),
    };
    FixedOffset::east_opt(offset_s)
        .map_or_else(|| utc(time), |offset| time.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// Formats a time like `2000-01-01T00:00:00Z`.
pub(super) fn utc(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
