//! Reading of a customer's own limits with their progress.

use super::{LimitStore, ReportedLimit, TRIES};
use crate::deciding::{Clock, FencedLookup, Remedy, Store, StoreError, endless, remedy, touched_weeks};
use crate::domain::{Currency, History, LimitProgress, Millis, OwnLimits};

/// Reads customers' own limits, to show them. A decision that is stored meanwhile may be in a total without an end or not.
#[derive(Clone, Debug)]
pub struct LimitReader<S, C> {
    /// The store.
    pub store: S,
    /// The clock, whose instant is the present.
    pub clock: C,
    /// The currency of all amounts.
    pub currency: Currency,
}

impl<S: Store + LimitStore, C: Clock> LimitReader<S, C> {
    /// Returns a customer's own limits, in the order of their ids, with their progress now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn of(&self, customer_id: &str) -> Result<Vec<LimitProgress>, StoreError> {
        // A read fails while a decision of the customer is being stored.
        let mut tries = TRIES;
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
        let history = self.history(customer_id, &own, now).await?;
        let progress =
            |ReportedLimit { limit, reported }| LimitProgress::at(now, limit, reported, &history, self.currency);
        Ok(known.into_iter().map(progress).collect())
    }

    /// Reads the loads that the windows touch around an instant.
    async fn history(&self, customer_id: &str, own: &OwnLimits, at: Millis) -> Result<History, StoreError> {
        let applying = own.iter().filter(|(limit, _)| limit.applies_to(at)).map(|(_, rule)| rule);
        let (weeks, since) = (touched_weeks(applying, at), endless(own.iter().map(|(_, rule)| rule)));
        let read = self.store.read_fenced(&FencedLookup { customer_id: customer_id.to_owned(), weeks }).await?;
        let usage = match read.kept(&since) {
            Ok(usage) => usage,
            Err(read) => read.counted(&self.store.read_rows(customer_id).await?, &since)?,
        };
        Ok(usage.history())
    }
}
