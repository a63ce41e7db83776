//! The exactly-once protocol, over stores and queues that fail on purpose.

mod concurrency;
mod consumer;
mod fenced_contract;
mod items;
mod log;
mod long_capacity;
pub mod long_limits;
mod messages;
mod plans;
mod retention;
mod shadow;
mod store_capacity;
mod store_contract;
mod worker;
