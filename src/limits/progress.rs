//! Reading of customers' own limits with their progress.

use super::{ChangePage, LimitStore, ReportedLimit};
use crate::deciding::{Clock, FencedLookup, Store, StoreError, endless, read_settled, touched_weeks};
use crate::domain::{Currency, History, LimitProgress, Millis, OwnLimits};

/// Reads customers' own limits, to show them. A decision that is stored meanwhile may be in a total without an end or not.
#[derive(Clone, Copy, Debug)]
pub struct LimitReader<'r, S, C> {
    /// The store.
    pub store: &'r S,
    /// The clock, whose instant is the present.
    pub clock: &'r C,
    /// The currency of all amounts.
    pub currency: Currency,
}

impl<S: Store + LimitStore, C: Clock> LimitReader<'_, S, C> {
    /// Returns the limit with this id, with its progress now. `None` if nobody has defined it, or if it has left its
    /// customer.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn get(&self, limit_id: &str) -> Result<Option<LimitProgress>, StoreError> {
        let Some(pointer) = self.store.read_pointer(limit_id).await? else { return Ok(None) };
        let known = self.of(&pointer.user_id).await?;
        Ok(known.into_iter().find(|known| known.limit.limit_id == limit_id))
    }

    /// Returns a customer's own limits, in the order of their ids, with their progress now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn of(&self, customer_id: &str) -> Result<Vec<LimitProgress>, StoreError> {
        read_settled(self.clock, || self.try_of(customer_id)).await
    }

    /// Returns at most `max` changes of a limit: the first ones, or those behind a version. `None` for a limit that nobody has
    /// defined.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or cannot be understood.
    pub async fn changes(
        &self,
        limit_id: &str,
        after: Option<u64>,
        max: u16,
    ) -> Result<Option<ChangePage>, StoreError> {
        let page = self.store.read_changes(limit_id, after, max).await?;
        if !page.changes.is_empty() {
            return Ok(Some(page));
        }
        // A definition may be older than the records of changes.
        let pointer = self.store.read_pointer(limit_id).await?;
        let is_defined = pointer.is_some_and(|pointer| pointer.definition_mark.is_some() || after.is_some());
        Ok(is_defined.then_some(page))
    }

    async fn try_of(&self, customer_id: &str) -> Result<Vec<LimitProgress>, StoreError> {
        let known = self.store.read_limits(customer_id).await?;
        if known.is_empty() {
            return Ok(vec![]);
        }
        let now = Millis::of(self.clock.now());
        let own = OwnLimits::enforced(known.iter().map(|it| &it.known.limit), self.currency, now);
        let history = self.history(customer_id, &own, now).await?;
        Ok(known.into_iter().map(|known| self.progress(known, &history, now)).collect())
    }

    /// Returns a customer's limit with its progress at an instant.
    pub(super) async fn progress_at(&self, limit: &ReportedLimit, now: Millis) -> Result<LimitProgress, StoreError> {
        let own = OwnLimits::enforced([&limit.known.limit], self.currency, now);
        let customer_id = &limit.known.limit.user_id;
        let history = read_settled(self.clock, || self.history(customer_id, &own, now)).await?;
        Ok(self.progress(limit.clone(), &history, now))
    }

    fn progress(
        &self,
        ReportedLimit { known, reported }: ReportedLimit,
        history: &History,
        now: Millis,
    ) -> LimitProgress {
        let version = known.version_at(now);
        LimitProgress::at(now, &known.limit, version, reported, history, self.currency)
    }

    /// Reads the loads that the windows touch around an instant.
    async fn history(&self, customer_id: &str, own: &OwnLimits, at: Millis) -> Result<History, StoreError> {
        let applying = own.iter().filter(|own| own.applies_to(at)).map(|own| &own.rule);
        let (weeks, since) = (touched_weeks(applying, at), endless(own.iter().map(|own| &own.rule)));
        let read = self.store.read_fenced(&FencedLookup { customer_id: customer_id.to_owned(), weeks }).await?;
        let usage = match read.kept(&since) {
            Ok(usage) => usage,
            Err(read) => read.counted(&self.store.read_rows(customer_id).await?, &since)?,
        };
        Ok(usage.history())
    }
}
