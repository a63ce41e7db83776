//! Outer loops of the programs. Each turns its input into calls of the deciding feature, and their results into its
//! output.

#[cfg(feature = "lambda")]
pub mod assignments;
#[cfg(feature = "cli")]
pub mod enrollment;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "api-lambda", feature = "lambda"))]
pub mod init_error;
#[cfg(feature = "lambda")]
pub mod kinesis;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "replay")]
pub mod limit_events;
#[cfg(feature = "cli")]
pub mod log_export;
#[cfg(feature = "cli")]
pub mod send;
#[cfg(feature = "worker")]
pub mod worker;
