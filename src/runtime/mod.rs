//! The outer loops of the programs: each turns its input into the deciding feature's calls, and their results into its
//! answer.

#[cfg(feature = "lambda")]
pub mod init_error;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "cli")]
pub mod send;
#[cfg(feature = "worker")]
pub mod worker;
