//! Random ids of requests.

use std::sync::atomic::{AtomicU64, Ordering};

/// Returns a new id: 32 hexadecimal digits.
pub fn new_request_id() -> String {
    static UNRANDOM: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 16];
    // Without random bytes, the ids of this process still differ.
    let number = getrandom::fill(&mut bytes).map_or_else(|_| UNRANDOM.fetch_add(1, Ordering::Relaxed), |()| 0);
    let id = u128::from_be_bytes(bytes) ^ u128::from(number);
    format!("{id:032x}")
}
