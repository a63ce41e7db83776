//! The command line: real processes with their files, streams and exit codes.

mod api;
mod backtest;
mod bad_files;
mod bad_input;
mod customer_limits;
mod customers;
mod generate;
mod jobs;
mod limits_apply;
mod limits_change;
mod limits_show;
mod plans;
mod quick_build;
mod redrive;
mod replay;
mod runs;
mod store;
mod streams;
mod worker;
