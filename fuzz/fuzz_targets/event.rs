//! Fuzz target: an SQS event, through the whole consumer.
#![no_main]

#[path = "../properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::check("event", bytes);
});
