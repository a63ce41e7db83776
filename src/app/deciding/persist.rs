//! Going through rounds until a customer's deliveries are settled: for a door that has nobody to deliver them again.

use super::{Decider, Delivery, Group, Outcome, ROUNDS_MAX, Remedy, Round, Troubled, remedy, wait_after};
use crate::app::{Clock, Consistency, Snapshot, Store};

/// The most deliveries that are looked up at once: as many as one commit may take.
const PART_MAX: usize = 98;

/// What the deliveries of one customer have come to, or the first trouble that no further round helps, with what is
/// left unsettled.
pub type Answer = Result<Vec<(Delivery, Outcome)>, Box<Troubled>>;

impl<S: Store, C: Clock> Decider<S, C> {
    /// Settles all deliveries of one customer, in order, as many as it can in one commit.
    ///
    /// # Errors
    /// See [`Answer`].
    pub async fn settle_all(&self, group: Group) -> Answer {
        let mut settled = Vec::with_capacity(group.deliveries.len());
        let mut waiting = group.deliveries.into_iter().peekable();
        while waiting.peek().is_some() {
            let deliveries = waiting.by_ref().take(PART_MAX).collect();
            let round = self.round(vec![Group { deliveries }], Consistency::Eventual, || true).await;
            self.go_on(round, &mut settled).await?;
        }
        Ok(settled)
    }

    /// The same for deliveries for which all that [`lookup`](super::lookup) names has been read, with those of other
    /// customers.
    ///
    /// # Errors
    /// See [`Answer`].
    pub async fn settle_read(&self, group: Group, snapshot: &Snapshot) -> Answer {
        let mut settled = Vec::with_capacity(group.deliveries.len());
        let round = self.decide_and_commit(vec![group], snapshot, || true).await;
        self.go_on(round, &mut settled).await?;
        Ok(settled)
    }

    /// Goes through further rounds after one of a single customer, until nothing is left.
    async fn go_on(&self, mut round: Round, settled: &mut Vec<(Delivery, Outcome)>) -> Result<(), Box<Troubled>> {
        let mut rounds = 1;
        loop {
            settled.extend(std::mem::take(&mut round.settled).into_iter().flatten());
            let group = match (round.troubled.pop(), round.rest.pop()) {
                (None, None) => return Ok(()),
                (None, Some(rest)) => {
                    rounds = 1;
                    rest
                }
                (Some(troubled), _) if rounds >= ROUNDS_MAX || remedy(&troubled.error) == Remedy::GiveUp => {
                    return Err(Box::new(troubled));
                }
                (Some(troubled), _) => {
                    wait_after(&self.clock, rounds).await;
                    rounds += 1;
                    troubled.group
                }
            };
            round = self.round(vec![group], Consistency::Strong, || true).await;
        }
    }
}
