//! Code that the benchmarks share: measured runs, tables, plots, and the pages that both go to.
//!
//! A benchmark prints its table. With `PUBLISH=1` it also writes the table into a page of docs/, and its plots next
//! to that page.
#![allow(dead_code)] // No benchmark uses all of it.

pub(crate) mod candidates;
pub(crate) mod measure;
pub(crate) mod page;
pub(crate) mod plot;
#[cfg(feature = "sqlite")]
pub(crate) mod server;
pub(crate) mod table;
