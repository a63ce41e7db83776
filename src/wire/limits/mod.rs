//! Texts of limits: TOML, as in `limits.toml`, and JSON of the same shape. Both have one grammar, in `grammar.rs`.

mod grammar;
mod json;
mod toml;

pub use grammar::LimitsTextError;
pub use json::{LimitJson, LimitsJson, limits_json, parse_limits_json};
pub use toml::parse_limits;
