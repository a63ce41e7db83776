//! The floor: reads a file, parses each line with borrowing `serde_json`, and decides nothing.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader};

use serde::Deserialize;

#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
    customer_id: &'a str,
    load_amount: &'a str,
    time: &'a str,
}

pub(crate) fn run(input: &str) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(input)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Ok(Line { id, customer_id, load_amount, time }) = serde_json::from_slice(&line) {
            black_box((id, customer_id, load_amount, time));
        }
        line.clear();
    }
    Ok(())
}
