//! The accepted loads that a usage row keeps, in few bytes.
//!
//! Each load is two numbers: the milliseconds since the load before it, or since the week's first instant, and the cents.
//! A number takes one byte for each seven bits (`varint` of Protocol Buffers). An amount up to $163.83 takes two bytes,
//! one up to $20,971.51 three. A time takes five bytes at most, and four if it follows a load within three days.

use integer_encoding::VarInt;

use crate::domain::{AcceptedLoads, Cents, DAY_MS, Millis, Week, Zone};

/// Converts the loads of a week to bytes.
pub fn encode_loads(week: Week, loads: &AcceptedLoads) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = first_instant(week);
    for (at, amount) in loads.iter() {
        let since = u64::try_from(at.get().saturating_sub(before.get())).unwrap_or_default();
        bytes.extend(since.encode_var_vec());
        bytes.extend(amount.get().encode_var_vec());
        before = at;
    }
    bytes
}

/// Reads the loads of a week. Returns `None` for bytes that [`encode_loads`] does not write.
pub fn decode_loads(week: Week, bytes: &[u8]) -> Option<AcceptedLoads> {
    let (mut loads, mut rest, mut before) = (AcceptedLoads::default(), bytes, first_instant(week));
    let end = before.plus(7 * DAY_MS);
    while !rest.is_empty() {
        let (since, amount);
        (since, rest) = take(rest)?;
        (amount, rest) = take(rest)?;
        before = before.plus(i64::try_from(since).ok()?);
        if before >= end {
            return None;
        }
        loads.add(before, Cents::new(amount));
    }
    Some(loads)
}

fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, length) = u64::decode_var(bytes)?;
    Some((number, bytes.get(length..)?))
}

fn first_instant(week: Week) -> Millis {
    Zone::UTC.start_of(week.monday())
}
