//! What the benches share: running programs, tables, plots, and the page that both go to.
//!
//! A bench prints its table. With `PUBLISH=1` it also puts it into docs/PERFORMANCE.md, and its plots beside it.
#![allow(dead_code)] // No bench uses everything.

pub(crate) mod measure;
pub(crate) mod page;
pub(crate) mod plot;
#[cfg(feature = "sqlite")]
pub(crate) mod server;
pub(crate) mod table;
