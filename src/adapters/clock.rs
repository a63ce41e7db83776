//! Clock of the system.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use crate::deciding::Clock;

/// Clock of the system, in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from(SystemTime::now())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
