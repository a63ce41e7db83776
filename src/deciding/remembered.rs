//! A customer's decisions that are still remembered.

use super::{Clock, CorrelationRecord, Decider, StoreError};
use crate::domain::StoredDecision;

/// Maximum number of records of a page behind the first one. Another page is read where records have expired, and then
/// most have.
const LATER_PAGE_MAX: u16 = 1000;

/// Storage of correlation records, customer by customer.
pub trait RecordReader: Send + Sync {
    /// Reads at most `max` records of a customer in the order of their event ids, strongly consistent: the first ones, or
    /// those behind an event id, which need not have a record. Expired ones are included.
    fn read_records(
        &self,
        customer_id: &str,
        after: Option<&str>,
        max: u16,
    ) -> impl Future<Output = Result<RecordPage, StoreError>> + Send;
}

/// Some records of a customer.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// The records, in the order of their event ids.
    pub records: Vec<CorrelationRecord>,
    /// The event id behind which the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// Some decisions of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionPage {
    /// The decisions, in the order of their event ids.
    pub decisions: Vec<StoredDecision>,
    /// The event id behind which the next page begins; `None` if there is no other decision.
    pub next: Option<String>,
}

impl<S: RecordReader, C: Clock> Decider<S, C> {
    /// Returns at most `max` decisions of a customer in the order of their event ids: the first ones, or those behind an
    /// event id. Expired records are left out, because a store may delete them late.
    ///
    /// # Errors
    /// [`StoreError`] when the records cannot be read, or cannot be understood.
    pub async fn remembered(
        &self,
        customer_id: &str,
        after: Option<&str>,
        max: u16,
    ) -> Result<DecisionPage, StoreError> {
        let now = self.clock.now();
        let (mut page, mut after) = (DecisionPage::default(), after.map(str::to_owned));
        // One record more shows whether there is another page.
        let mut size = max.saturating_add(1);
        loop {
            let read = self.store.read_records(customer_id, after.as_deref(), size).await?;
            let in_force = read.records.into_iter().filter(|record| !record.is_expired(now));
            page.decisions.extend(in_force.map(|record| record.decision));
            if page.decisions.len() > usize::from(max) {
                page.decisions.truncate(usize::from(max));
                page.next = page.decisions.last().map(|decision| decision.key.event_id.clone());
                return Ok(page);
            }
            let Some(next) = read.next else { return Ok(page) };
            (after, size) = (Some(next), LATER_PAGE_MAX);
        }
    }
}
