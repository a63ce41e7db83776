//! Properties that hold for all bytes from outside. The fuzz targets and `cargo test` share them.

mod attempt;
mod decision;
mod event;
mod item;
mod limit_event;
mod limits;
mod stream;

/// Checks the properties of a parser for some bytes. Panics if one does not hold. Returns true if the parser accepts
/// the bytes.
pub type Check = fn(&[u8]) -> bool;

/// Parsers of bytes from outside, each with the name of its fuzz target and the check of its properties.
pub const PARSERS: [(&str, Check); 6] = [
    ("attempt", attempt::check),
    ("limits", limits::check),
    ("limit_event", limit_event::check),
    ("event", event::check),
    ("stream", stream::check),
    ("item", item::check),
];

/// Checks the properties of the parser with this name for some bytes.
pub fn check(parser: &str, bytes: &[u8]) -> bool {
    let (_, check) = PARSERS.iter().find(|(name, _)| *name == parser).expect("a parser of this name");
    check(bytes)
}
