//! Inputs that take the most memory. Each event is accepted, and each shape fills another part of the ledger.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, Utc};
use loadgate::replay::ledger::{
    CALENDAR_WEEK_BYTES_MAX, EVENT_BYTES_MAX, ONE_DAY_BYTES_MAX, SEVERAL_DAYS_BYTES_MAX, WIDE_BYTES_MAX,
};

use super::MEMORY_BASE_BYTES;

/// Events of each shape.
pub(crate) const EVENTS: u64 = 2_000_000;

/// Number of ledgers in a replay.
const LEDGERS: u64 = 64;

/// Calendar weeks of a century.
const CENTURY_WEEKS: u64 = 5_218;

/// Limits that accept every event of every shape.
const LIMITS: &str = "[[limit]]\ncode = \"A\"\nmeasure = \"amount\"\nwindow = \"day\"\nmax = \"90000000000000.00\"\n";

const LITTLE: &str = "$1.00";
const MUCH: &str = "$50,000,000.00";

/// A shape, and the amount of data that the ledger has to remember for it.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Customer and day, counted from a Monday, of the event with that number.
    event: fn(u64) -> (u64, u64),
    amount: &'static str,
    is_compressed: bool,
    /// Maximum memory for a week of one of its customers.
    customer_week_bytes: u64,
    customer_weeks: u64,
    calendar_weeks: u64,
}

const ONE_DAY: Shape = Shape {
    name: "customers with a load on one day each",
    event: |n| (n, n * 7 / EVENTS),
    amount: LITTLE,
    is_compressed: false,
    customer_week_bytes: ONE_DAY_BYTES_MAX,
    customer_weeks: EVENTS,
    calendar_weeks: 1,
};

const TWO_DAYS: Shape = Shape {
    name: "customers with loads on two days of a week",
    event: |n| (n % (EVENTS / 2), n / (EVENTS / 2) * 3),
    customer_week_bytes: SEVERAL_DAYS_BYTES_MAX,
    customer_weeks: EVENTS / 2,
    ..ONE_DAY
};

pub(crate) const SHAPES: [Shape; 6] = [
    ONE_DAY,
    Shape { name: "the same in Zstandard, with a window of 8 MiB", is_compressed: true, ..ONE_DAY },
    TWO_DAYS,
    Shape {
        name: "customers with loads on days of a century",
        event: |n| (n % 100_000, n * CENTURY_WEEKS / EVENTS * 7),
        calendar_weeks: CENTURY_WEEKS,
        ..ONE_DAY
    },
    Shape { name: "$50 million on one day each", amount: MUCH, customer_week_bytes: WIDE_BYTES_MAX, ..ONE_DAY },
    Shape { name: "$50 million on two days of a week", amount: MUCH, customer_week_bytes: WIDE_BYTES_MAX, ..TWO_DAYS },
];

impl Shape {
    /// Returns the maximum memory of a replay of this shape.
    pub(crate) const fn allowed_bytes(&self) -> u64 {
        MEMORY_BASE_BYTES
            + EVENTS * EVENT_BYTES_MAX
            + self.customer_weeks * self.customer_week_bytes
            + self.calendar_weeks * LEDGERS * CALENDAR_WEEK_BYTES_MAX
    }

    /// Writes the events of this shape to a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let file = BufWriter::new(File::create(path)?);
        if self.is_compressed {
            let mut encoder = zstd::Encoder::new(file, 1)?;
            encoder.window_log(23)?;
            self.write_to(&mut encoder)?;
            return encoder.finish()?.flush();
        }
        let mut file = file;
        self.write_to(&mut file)?;
        file.flush()
    }

    fn write_to(&self, out: &mut impl Write) -> Result<()> {
        let monday = DateTime::<Utc>::UNIX_EPOCH + Days::new(4);
        for n in 0..EVENTS {
            let (customer, day) = (self.event)(n);
            let (time, amount) = ((monday + Days::new(day)).format("%Y-%m-%d"), self.amount);
            writeln!(
                out,
                r#"{{"id":"{n}","customer_id":"{customer}","load_amount":"{amount}","time":"{time}T00:00:00Z"}}"#
            )?;
        }
        Ok(())
    }
}

/// Writes the limits into a folder.
pub(crate) fn write_limits(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("shapes.toml");
    std::fs::write(&path, LIMITS)?;
    Ok(path)
}
