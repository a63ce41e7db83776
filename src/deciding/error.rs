//! Errors of stores and queues.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Reason why a store did not do what it was asked to.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// Another writer was first: this was not written. Read again and decide again.
    Conflict(Cause),
    /// The store has no capacity at the moment: this was not written.
    Throttled(Cause),
    /// No answer, or one that does not say what happened: a write may have happened or not.
    Unavailable(Cause),
    /// A stored item cannot be understood. No repetition helps.
    Corrupt(Cause),
    /// A table is missing or of another shape, or may not be used; or a request could not be built, which is a defect
    /// of this program. Nothing was written. No repetition helps.
    Misconfigured(Cause),
}

/// Cause of an error: one sentence that says what happened, where, and what to do, and the error beneath, if there is
/// one.
#[derive(Clone, Debug)]
pub struct Cause {
    /// One plain sentence.
    pub what: String,
    /// The error beneath.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// A cause with nothing beneath.
    pub fn new(what: impl Into<String>) -> Cause {
        Cause { what: what.into(), source: None }
    }

    /// A cause with the error beneath it.
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
    /// The cause.
    pub cause: Cause,
    /// True when trying again may help.
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
    /// The queue's answer says nothing of a message.
    pub fn no_answer() -> QueueError {
        QueueError { cause: Cause::new("the queue's answer does not mention the message"), is_retryable: true }
    }
}

/// An error's sentence with those of everything beneath it, for a line of a log.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(error) = beneath {
        text = format!("{text}: {error}");
        beneath = error.source();
    }
    text
}
