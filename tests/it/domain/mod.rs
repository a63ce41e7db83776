//! The rules, the parsers and the limits file.

mod decide;
mod history;
mod limit_change;
mod limit_plan;
mod limits_file;
mod limits_json;
mod money;
mod parse_attempt;
mod reject;
mod time;
pub mod windows;
