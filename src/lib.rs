//! loadgate decides, exactly once and in order, whether an attempt to load funds into a customer's account is within
//! that customer's velocity limits.
//!
//! | module | what is in it |
//! |---|---|
//! | [`domain`] | the rules: pure, synchronous, no I/O and no clock |
//! | [`app`] | the use cases over the rules: each event decided once |
//! | [`wire`] | the JSON shapes, in and out |
//! | [`config`] | the only reader of configuration |
//! | [`entry`] | the doors: what turns a file into the app's calls and back |
//!
//! Dependencies point one way: `bin → entry → app → domain`; ARCHITECTURE.md has the map, and a test holds it.

pub mod app;
pub mod config;
pub mod domain;
pub mod entry;
pub mod wire;
