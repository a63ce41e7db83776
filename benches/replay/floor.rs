//! The floors: each reads a file on one thread, parses each line with borrowing `serde_json`, and decides nothing.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, ErrorKind};

use serde::Deserialize;

#[derive(Deserialize)]
struct Line<'a> {
    id: &'a str,
    customer_id: &'a str,
    load_amount: &'a str,
    time: &'a str,
}

impl Line<'_> {
    fn read(self) {
        let Line { id, customer_id, load_amount, time } = self;
        black_box((id, customer_id, load_amount, time));
    }
}

/// Checks each line once, as UTF-8, and parses it as text.
pub(crate) fn texts(input: &str) -> std::io::Result<()> {
    let mut reader = open(input)?;
    let mut line = String::new();
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => drop(serde_json::from_str(&line).map(Line::read)),
            // The line is read, and is not UTF-8.
            Err(error) if error.kind() == ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
        line.clear();
    }
}

/// Parses each line as bytes, so that the parser checks each string as UTF-8.
pub(crate) fn bytes(input: &str) -> std::io::Result<()> {
    let mut reader = open(input)?;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        drop(serde_json::from_slice(&line).map(Line::read));
        line.clear();
    }
    Ok(())
}

fn open(input: &str) -> std::io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(256 * 1024, File::open(input)?))
}
