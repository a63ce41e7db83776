//! Keys and consistency of the read that a decision needs.

use super::{Consistency, Delivery, Lookup};

/// How records have to be read the first time. That of a message which was received before may have been written just now,
/// and has to be found: it is published, or marked at least, whatever happens to what stands before it. Of other messages,
/// the commit's condition finds a stale one out.
pub fn consistency<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Consistency {
    let mut deliveries = deliveries.into_iter();
    if deliveries.any(|delivery| delivery.source.is_redelivery) { Consistency::Strong } else { Consistency::Eventual }
}

/// What has to be read before these deliveries can be decided.
pub fn lookup<'d>(deliveries: impl IntoIterator<Item = &'d Delivery>) -> Lookup {
    let mut lookup = Lookup::default();
    for delivery in deliveries {
        lookup.events.insert(delivery.event());
        lookup.weeks.insert(delivery.week());
    }
    lookup
}
