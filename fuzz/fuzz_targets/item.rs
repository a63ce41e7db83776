//! Fuzz target: a DynamoDB item, as a record and as a row.
#![no_main]

#[path = "../properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::check("item", bytes);
});
