//! The doors. Each translates what comes in into the app's calls, and their outcome into what goes out. `generate` makes
//! what can be brought to them.

#[cfg(feature = "replay")]
pub mod generate;
#[cfg(feature = "lambda")]
pub mod init_error;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(any(feature = "cli", feature = "lambda"))]
mod message;
#[cfg(feature = "cli")]
pub mod redrive;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(feature = "cli")]
pub mod send;
#[cfg(feature = "worker")]
pub mod worker;
