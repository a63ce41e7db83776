//! The use cases over the rules.

#[cfg(feature = "cli")]
pub mod ledger;
#[cfg(feature = "cli")]
mod tally;

#[cfg(feature = "cli")]
pub use tally::Tally;
