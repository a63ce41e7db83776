//! Fuzz target: a load attempt, as a line or a message's body.
#![no_main]

#[path = "../properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::check("attempt", bytes);
});
