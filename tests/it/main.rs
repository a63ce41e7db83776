//! Everything that loadgate promises, seen from outside: through the library's public items and the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cloud;
mod concurrency;
mod configuration;
mod consumer;
mod support;

mod alarms;
mod cli_bad_files;
mod cli_bad_input;
mod cli_generate;
mod cli_redrive;
mod cli_replay;
mod cli_store;
mod cli_streams;
mod cli_worker;
mod compose;
mod decide;
mod documents;
mod end_to_end;
mod fuzz_corpus;
mod golden;
mod isolation;
mod items;
mod kills;
mod lambda;
mod layering;
mod limits_file;
mod local_stack;
mod messages;
mod money;
mod oracle;
mod parse_attempt;
mod quick_build;
mod redrive;
mod reject;
mod replay_engine;
mod secrecy;
mod sim;
mod store_capacity;
mod store_contract;
mod store_replay;
mod template;
mod throughput;
mod time;
mod worker;
