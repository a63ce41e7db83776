//! The second read: the usage of a customer whose writers a fence makes meet, in one transaction.

use std::collections::BTreeSet;

use super::round::{Failure, may_begin};
use super::{
    Clock, Cost, Decider, FENCED_WEEKS_MAX, FencedLookup, FencedUsage, Sink, Snapshot, Store, StoreError, Units,
    endless, since, touched_weeks,
};
use crate::domain::{LimitsInForce, Millis, Week};

impl<S: Store, C: Clock> Decider<S, C> {
    /// Reads a customer's usage for the first of these loads' instants, as many as one read takes. Returns their number, and
    /// `None` for the usage of a customer without a fence and without a long limit: the first read is enough for it.
    pub(super) async fn read_usage(
        &self,
        customer_id: &str,
        instants: &[Millis],
        limits: LimitsInForce<'_>,
        snapshot: &Snapshot,
        sink: &impl Sink,
    ) -> Result<(usize, Option<FencedUsage>), Failure> {
        let fence = snapshot.fences.get(customer_id).map(Result::as_ref).transpose().map_err(StoreError::clone)?;
        if fence.is_none() && !limits.iter().any(|(_, limit)| limit.window.is_long()) {
            return Ok((instants.len(), None));
        }
        let (count, lookup) = fenced_lookup(customer_id, instants, limits);
        let read = self.timed(self.store.read_fenced(&lookup), |read| read.units, sink).await?;
        let since = endless(limits.iter().map(|(_, limit)| limit));
        let mut usage = match read.kept(&since) {
            Ok(usage) => usage,
            Err(read) => {
                let all = self.timed(self.store.read_rows(customer_id), |all| all.units, sink).await?;
                read.counted(&all, &since)?
            }
        };
        usage.weeks = lookup.weeks;
        Ok((count, Some(usage)))
    }

    /// Makes a request that reads, and reports its cost.
    pub(super) async fn timed<T>(
        &self,
        request: impl Future<Output = Result<T, StoreError>>,
        units: impl Fn(&T) -> Units,
        sink: &impl Sink,
    ) -> Result<T, Failure> {
        may_begin(sink)?;
        let begun = self.clock.now();
        let answer = request.await;
        let units = answer.as_ref().map_or(Units::default(), units);
        sink.spent(Cost { units, read_time: since(begun, self.clock.now()), ..Cost::default() });
        Ok(answer?)
    }
}

/// Returns the keys that must be read for the first instants, at least one and as many as fit, and their number.
fn fenced_lookup(customer_id: &str, instants: &[Millis], limits: LimitsInForce<'_>) -> (usize, FencedLookup) {
    let (mut count, mut weeks) = (0, BTreeSet::new());
    for at in instants.iter().copied() {
        let applying = limits.applying_to(at).map(|(_, limit)| limit);
        let more: BTreeSet<Week> = weeks.union(&touched_weeks(applying, at)).copied().collect();
        if count > 0 && more.len() > FENCED_WEEKS_MAX {
            break;
        }
        (count, weeks) = (count + 1, more);
    }
    (count, FencedLookup { customer_id: customer_id.to_owned(), weeks })
}
