//! Implementations of the ports of [`deciding`](crate::deciding) and [`limits`](crate::limits): DynamoDB, SQS, the system's clock, and a
//! store in memory.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
mod clock;
#[cfg(feature = "aws")]
pub mod dynamodb;
mod memory;
#[cfg(any(feature = "aws", feature = "http"))]
mod request_id;
#[cfg(feature = "aws")]
mod run_id;
#[cfg(feature = "aws")]
pub mod sqs;

#[cfg(feature = "aws")]
pub use clock::SystemClock;
pub use memory::MemoryStore;
#[cfg(any(feature = "aws", feature = "http"))]
pub use request_id::new_request_id;
#[cfg(feature = "aws")]
pub use run_id::new_run_id;
