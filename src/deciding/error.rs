//! Errors of stores and queues.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Reason why a store request failed.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// Another writer was first, and nothing was written. The caller must read and decide again.
    Conflict(Cause),
    /// The store lacks capacity at the moment, and nothing was written.
    Throttled(Cause),
    /// The answer is missing or unclear. A write may or may not have happened.
    Unavailable(Cause),
    /// Stored data cannot be parsed. A retry does not help.
    Corrupt(Cause),
    /// A table is missing, has another shape, or may not be used; or a request could not be built, which is a defect
    /// of this program. Nothing was written. A retry does not help.
    Misconfigured(Cause),
}

/// Description of a failure, with the underlying error, if there is one.
#[derive(Clone, Debug)]
pub struct Cause {
    /// One plain sentence.
    pub what: String,
    /// The underlying error.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// Creates a cause without an underlying error.
    pub fn new(what: impl Into<String>) -> Cause {
        Cause { what: what.into(), source: None }
    }

    /// Creates a cause with an underlying error.
    pub fn with(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Cause {
        Cause { what: what.into(), source: Some(Arc::new(source)) }
    }
}

impl StoreError {
    fn cause(&self) -> &Cause {
        match self {
            StoreError::Conflict(cause)
            | StoreError::Throttled(cause)
            | StoreError::Unavailable(cause)
            | StoreError::Corrupt(cause)
            | StoreError::Misconfigured(cause) => cause,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause().what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Reason why a message was not put in a queue, or may not have been.
#[derive(Clone, Debug)]
pub struct QueueError {
    /// Description of the failure.
    pub cause: Cause,
    /// True when a retry may help.
    pub is_retryable: bool,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause.what)
    }
}

impl Error for QueueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl QueueError {
    /// Returns the error for a message that the queue's answer does not mention.
    pub fn no_answer() -> QueueError {
        QueueError { cause: Cause::new("the queue's answer does not mention the message"), is_retryable: true }
    }
}

/// Joins an error's message with those of its sources, for one log line.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        text = format!("{text}: {error}");
        beneath = error.source();
    }
    text
}
