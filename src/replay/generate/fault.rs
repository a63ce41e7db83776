//! Notations of an invalid line.

use std::io::{self, Write};

use fastrand::Rng;

use crate::replay::generate::Draft;
use crate::replay::generate::text::utc;

/// The fields of a line as JSON values, one of which is invalid.
struct Fields {
    id: String,
    customer_id: String,
    load_amount: String,
    time: String,
}

impl Fields {
    fn json(&self) -> String {
        let Fields { id, customer_id, load_amount, time } = self;
        format!(r#"{{"id":{id},"customer_id":{customer_id},"load_amount":{load_amount},"time":{time}}}"#)
    }
}

/// Writes an invalid line with one fault.
pub(super) fn write(draft: &Draft, rng: &mut Rng, out: &mut impl Write) -> io::Result<()> {
    let sound = || Fields {
        id: format!(r#""{}""#, draft.id),
        customer_id: format!(r#""{}""#, draft.customer),
        load_amount: format!(r#""{}""#, draft.amount),
        time: format!(r#""{}""#, utc(draft.time)),
    };
    let with_amount = |amount: &str| Fields { load_amount: amount.to_owned(), ..sound() }.json();
    let with_time = |time: &str| Fields { time: time.to_owned(), ..sound() }.json();
    let line = match rng.u8(0..16) {
        // NOT_JSON
        0 => sound().json().trim_end_matches('}').to_owned(),
        1 => sound().json().repeat(2),
        // NOT_UTF8
        2 => return not_utf8(&sound().json(), out),
        // MISSING_FIELD
        3 => format!(r#"{{"id":"{}","customer_id":"{}"}}"#, draft.id, draft.customer),
        4 => "{}".to_owned(),
        // BAD_TYPE
        5 => with_amount("100.00"),
        6 => with_time("null"),
        7 => format!("[{}]", sound().json()),
        // BAD_ID
        8 => Fields { id: r#""""#.to_owned(), ..sound() }.json(),
        9 => Fields { customer_id: format!(r#""{}""#, "7".repeat(129)), ..sound() }.json(),
        // BAD_AMOUNT
        10 => with_amount(r#""$100.001""#),
        11 => with_amount(r#""-$100.00""#),
        12 => with_amount(r#""$1,00.00""#),
        13 => with_amount(r#""$90071992547409.92""#),
        // BAD_TIME
        14 => with_time(r#""2019-02-29T00:00:00Z""#),
        _ => with_time(r#""2019-01-01 00:00:00""#),
    };
    writeln!(out, "{line}")
}

fn not_utf8(json: &str, out: &mut impl Write) -> io::Result<()> {
    let (before, after) = json.split_at(json.len() / 2);
    out.write_all(before.as_bytes())?;
    out.write_all(b"\xff")?;
    writeln!(out, "{after}")
}
