//! loadgate decides, exactly once and in order, whether an attempt to load funds into a customer's account is within
//! that customer's velocity limits.
//!
//! | module | what is in it |
//! |---|---|
//! | [`domain`] | the rules: pure, synchronous, no I/O and no clock |
//! | [`app`] | the use cases over the rules: each event decided once |
//! | [`wire`] | the JSON shapes, in and out |
//! | [`adapters`] | what stands behind the app's ports: DynamoDB, SQS, memory |
//! | [`config`] | the only reader of configuration |
//! | [`entry`] | the doors: what turns a file or an event into the app's calls and back |
//! | `telemetry` | logs and metrics |
//!
//! Dependencies point one way: `bin → entry → app → domain`; ARCHITECTURE.md has the map, and a test holds it.

#![forbid(unsafe_code)]

pub mod adapters;
pub mod app;
pub mod config;
pub mod domain;
pub mod entry;
#[cfg(any(feature = "lambda", feature = "worker"))]
pub mod telemetry;
pub mod wire;
