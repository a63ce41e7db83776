//! Identities of customers and events, as keyed 128-bit hashes.
//!
//! A replay stores 16 bytes for an event instead of its ids, which may be 256 bytes long. The hash is SipHash-1-3
//! with 128 bits of output, under a random key for each run, so nobody can prepare ids that collide. The probability
//! that two of `n` distinct events collide is at most n² / 2^129: for 20 million events, 6 in 10^25. The same holds
//! for customers, whose usage is stored under the hash of their id.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::domain::LoadAttempt;

/// Computes identities under one secret key.
#[derive(Clone, Copy, Debug)]
pub struct Identifier {
    hasher: SipHasher13,
}

/// The identity of one attempt's customer and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hash of the customer's id.
    pub(super) customer: u128,
    /// Hash of the event, unique among all customers' events.
    pub(super) event: u128,
}

impl Identifier {
    /// Creates an identifier with this key, which should be random for each run.
    pub fn new(key: [u8; 16]) -> Identifier {
        Identifier { hasher: SipHasher13::new_with_key(&key) }
    }

    /// Returns the identity of the attempt's customer and event.
    pub fn identify(&self, attempt: &LoadAttempt<'_>) -> Identity {
        let mut hasher = self.hasher;
        hasher.write(attempt.customer_id.as_str().as_bytes());
        let customer = hasher.finish128().as_u128();
        // 0xFF never occurs in UTF-8, so no other pair of ids has these bytes.
        hasher.write_u8(0xff);
        hasher.write(attempt.id.as_str().as_bytes());
        Identity { customer, event: hasher.finish128().as_u128() }
    }
}

impl Identity {
    /// Returns the hash of the customer's id.
    pub const fn customer(self) -> u128 {
        self.customer
    }

    /// Returns a number below `end`, evenly distributed over customers, and always the same for one customer.
    pub fn draw_by_customer(self, end: u32) -> u32 {
        let low_half = self.customer & u128::from(u64::MAX);
        u32::try_from((low_half * u128::from(end)) >> 64).unwrap_or_default()
    }
}
