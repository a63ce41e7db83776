//! Tries, and delays between them, which grow exponentially.

use std::time::Duration;

use crate::deciding::{Clock, Remedy, StoreError, remedy};

/// Counts tries and doubles the wait before each further one.
///
/// No jitter: at most two consumers contend for a customer, one whose visibility time-out has run out and its
/// successor.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    tries_max: u32,
    next_wait: Duration,
    wait_max: Duration,
    tries: u32,
}

impl Backoff {
    /// Allows at most `tries_max` tries. The wait before the second one is `first_wait`; no wait is longer than
    /// `wait_max`.
    pub const fn new(tries_max: u32, first_wait: Duration, wait_max: Duration) -> Backoff {
        Backoff { tries_max, next_wait: first_wait, wait_max, tries: 1 }
    }

    /// Waits before another try. Returns false, without waiting, when all tries are used up.
    pub async fn again(&mut self, clock: &impl Clock) -> bool {
        if self.is_last() {
            return false;
        }
        self.tries += 1;
        let wait = self.next_wait.min(self.wait_max);
        self.next_wait = self.next_wait.saturating_mul(2);
        clock.sleep(wait).await;
        true
    }

    /// Returns true when no try is left after this one.
    pub const fn is_last(&self) -> bool {
        self.tries >= self.tries_max
    }
}

/// Makes a request until it succeeds, cannot succeed, or has been tried often enough.
///
/// # Errors
/// The error of the last try.
pub async fn retried<T, F: Future<Output = Result<T, StoreError>>>(
    mut tries: Backoff,
    clock: &impl Clock,
    request: impl Fn() -> F,
) -> Result<T, StoreError> {
    loop {
        match request().await {
            Err(error) if remedy(&error) == Remedy::TryAgain && tries.again(clock).await => {}
            result => return result,
        }
    }
}
