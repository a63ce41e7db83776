//! Tests of loadgate from outside: through the library's public items and the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod aws;
mod backtest;
mod cli;
mod deciding;
mod documents;
mod domain;
mod erasing;
mod fuzz_corpus;
mod layering;
mod limits;
mod redrive;
mod replay;
mod sim;
mod support;
