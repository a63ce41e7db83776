//! Reading of a customer's own limits with their progress.

use std::time::Duration;

use super::{LimitStore, ReportedLimit};
use crate::deciding::backoff::Backoff;
use crate::deciding::{Clock, FencedLookup, Remedy, Store, StoreError, endless, remedy, touched_weeks};
use crate::domain::{Currency, History, LimitProgress, Limits, LimitsInForce, Millis, OwnLimits};

/// Maximum number of tries. A read fails while a decision of the customer is being stored.
const TRIES_MAX: u32 = 8;

/// Wait before the second try. Each further wait is twice as long, up to `WAIT_MAX`.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Reads customers' own limits.
#[derive(Clone, Debug)]
pub struct LimitReader<S, C> {
    /// The store.
    pub store: S,
    /// The clock, whose instant is the present.
    pub clock: C,
    /// The limits of the deployment.
    pub deployment: Limits,
    /// The currency of all amounts.
    pub currency: Currency,
}

impl<S: Store + LimitStore, C: Clock> LimitReader<S, C> {
    /// Returns a customer's own limits, in the order of their ids, with their progress now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn of(&self, customer_id: &str) -> Result<Vec<LimitProgress>, StoreError> {
        let mut tries = Backoff::new(TRIES_MAX, FIRST_WAIT, WAIT_MAX);
        loop {
            match self.try_of(customer_id).await {
                Err(error) if remedy(&error) == Remedy::TryAgain && tries.again(&self.clock).await => {}
                answer => return answer,
            }
        }
    }

    async fn try_of(&self, customer_id: &str) -> Result<Vec<LimitProgress>, StoreError> {
        let known = self.store.read_limits(customer_id).await?;
        let now = Millis::of(self.clock.now());
        let own = OwnLimits::enforced(known.iter().map(|known| &known.limit), self.currency);
        let limits = LimitsInForce { deployment: &self.deployment, own: &own };
        let history = self.history(customer_id, limits, now).await?;
        let progress =
            |ReportedLimit { limit, reported }| LimitProgress::at(now, limit, reported, &history, self.currency);
        Ok(known.into_iter().map(progress).collect())
    }

    /// Reads the loads that the windows touch around an instant.
    async fn history(&self, customer_id: &str, limits: LimitsInForce<'_>, at: Millis) -> Result<History, StoreError> {
        let (weeks, since) = (touched_weeks(limits, at), endless(limits));
        let read = self.store.read_fenced(&FencedLookup { customer_id: customer_id.to_owned(), weeks }).await?;
        let (totals, is_counted) = match read.fence.kept(&since) {
            Some(totals) => (totals, false),
            None => (self.store.read_rows(customer_id).await?.counted(&read.fence, &since)?, true),
        };
        Ok(read.with_totals(totals, is_counted).history())
    }
}
