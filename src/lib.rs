//! loadgate decides, exactly once and in order, whether an attempt to load funds into a customer's account is within
//! that customer's velocity limits.
//!
//! | module | contents |
//! |---|---|
//! | [`domain`] | the rules: pure, synchronous, no I/O and no clock |
//! | [`deciding`] | the exactly-once protocol, and the ports it needs |
//! | [`limits`] | which limits apply: limit events, and what they leave |
//! | `erasing` | erasure of everything that a store keeps about a customer |
//! | `redrive` | dead letters: listing them, and settling them |
//! | `backtest` | the decisions of other limits on the same attempts, and their report |
//! | `replay` | a file through the same rules, in memory or through a store; workloads |
//! | [`wire`] | JSON shapes, in and out |
//! | [`adapters`] | implementations of the ports: DynamoDB, SQS, memory, the clock |
//! | [`runtime`] | the outer loops of the programs: Lambda, worker, sending a file |
//! | [`config`] | the only reader of configuration |
//! | `telemetry` | logs and metrics |
//!
//! Dependencies point one way: `bin -> runtime -> features -> domain`. ARCHITECTURE.md has the map, and a test holds
//! it.

#![forbid(unsafe_code)]

pub mod adapters;
#[cfg(feature = "backtest")]
pub mod backtest;
pub mod config;
pub mod deciding;
pub mod domain;
#[cfg(feature = "cli")]
pub mod erasing;
pub mod limits;
#[cfg(feature = "cli")]
pub mod redrive;
#[cfg(feature = "replay")]
pub mod replay;
pub mod runtime;
#[cfg(any(feature = "api", feature = "api-lambda", feature = "lambda", feature = "worker"))]
pub mod telemetry;
pub mod wire;
