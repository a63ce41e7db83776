//! Keys and consistency of the read that a decision needs.

use super::{Consistency, Delivery, Lookup};

/// Consistency of the first read of records. The record of a redelivered message may have been written just now,
/// and must be found: its decision is published, or becomes pending, whatever happens to the messages before it. Of
/// other
/// messages,
/// the commit's condition finds a stale one out.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

/// Keys that must be read before these deliveries can be decided.
pub fn lookup<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in deliveries {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}
