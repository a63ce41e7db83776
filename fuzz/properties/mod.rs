//! What holds for all bytes that come from outside, whatever they are. The fuzz targets and `cargo test` share it.

mod attempt;
mod decision;
mod event;
mod item;
mod limits;

/// Panics where a property does not hold for the bytes. Says whether the parser took them.
pub type Check = fn(&[u8]) -> bool;

/// Each parser of outside bytes: its fuzz target's name, and what holds.
pub const PARSERS: [(&str, Check); 4] =
    [("attempt", attempt::check), ("limits", limits::check), ("event", event::check), ("item", item::check)];

/// Holds the bytes against a parser's properties.
pub fn check(parser: &str, bytes: &[u8]) -> bool {
    let (_, check) = PARSERS.iter().find(|(name, _)| *name == parser).expect("a parser of this name");
    check(bytes)
}
