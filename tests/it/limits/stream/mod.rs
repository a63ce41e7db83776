//! Limit events from a stream: what the handler reports, and what becomes of records that cannot be applied.

mod handler;
mod mapping;
pub mod world;
