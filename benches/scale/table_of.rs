//! Formats of figures in tables.

/// Formats a number with commas between thousands.
pub(crate) fn number(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// Formats a rate as a percentage of its maximum, in bold above the maximum.
pub(crate) fn percent(rate: u64, most: u64) -> String {
    let share = (rate * 100).div_ceil(most);
    if share > 100 { format!("**{} %**", number(share)) } else { format!("{share} %") }
}

/// Formats microseconds as milliseconds, or as seconds from one second on.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..10_000_000 => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
        _ => format!("{} s", number(us / 1_000_000)),
    }
}

/// Returns a quantile of sorted times. The quantile is given in thousandths.
pub(crate) fn quantile(sorted: &[u64], thousandths: usize) -> u64 {
    let place = (sorted.len() * thousandths).div_ceil(1_000).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}
