//! The file replay: in memory, and through a store.

mod engine;
mod golden;
mod store;
