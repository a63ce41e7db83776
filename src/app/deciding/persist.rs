//! Going through rounds until a customer's deliveries are settled: for a door that has nobody to deliver them again.

use super::{Decider, Delivery, Group, Outcome, ROUNDS_MAX, Remedy, Troubled, remedy, wait_after};
use crate::app::{Clock, Consistency, Store};

/// The most deliveries that are looked up at once: as many as one commit may take.
const PART_MAX: usize = 98;

impl<S: Store, C: Clock> Decider<S, C> {
    /// Settles all deliveries of one customer, in order, as many as it can in one commit.
    ///
    /// # Errors
    /// The first trouble that no further round helps, with what is left unsettled.
    pub async fn settle_all(&self, group: Group) -> Result<Vec<(Delivery, Outcome)>, Box<Troubled>> {
        let mut settled = Vec::with_capacity(group.deliveries.len());
        let mut waiting = group.deliveries.into_iter().peekable();
        while waiting.peek().is_some() {
            let deliveries = waiting.by_ref().take(PART_MAX).collect();
            self.settle_part(Group { deliveries }, &mut settled).await?;
        }
        Ok(settled)
    }

    async fn settle_part(&self, mut group: Group, settled: &mut Vec<(Delivery, Outcome)>) -> Result<(), Box<Troubled>> {
        let (mut rounds, mut records) = (1, Consistency::Eventual);
        loop {
            let mut round = self.round(vec![group], records, || true).await;
            settled.extend(round.settled.into_iter().flatten());
            records = Consistency::Strong;
            match (round.troubled.pop(), round.rest.pop()) {
                (None, None) => return Ok(()),
                (None, Some(rest)) => (group, rounds) = (rest, 1),
                (Some(troubled), _) if rounds >= ROUNDS_MAX || remedy(&troubled.error) == Remedy::GiveUp => {
                    return Err(Box::new(troubled));
                }
                (Some(troubled), _) => {
                    wait_after(&self.clock, rounds).await;
                    (group, rounds) = (troubled.group, rounds + 1);
                }
            }
        }
    }
}
