//! Reads the record and the row, decides, and writes both without conditions, as most first versions do.
//!
//! It guarantees neither the limits nor the usage. Two consumers that read the same row both accept loads of which
//! only one is allowed. A consumer that ends between its two writes leaves a record without its usage.

use std::io::{Error, Result};

use loadgate::adapters::dynamodb::{from_days, from_record};
use loadgate::deciding::{Commit, Delivery, Plan};

use super::{Decision, Design, Store, TOTAL, number, published, week_key};

pub(crate) struct ReadThenWrite(pub(crate) Store);

impl Design for ReadThenWrite {
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for delivery in batch {
            let plan = self.0.plan(delivery, &self.0.snapshot(delivery, false).await?)?;
            self.write(delivery, &plan).await?;
            decisions.extend(published(&plan));
        }
        Ok(decisions)
    }
}

impl ReadThenWrite {
    async fn write(&self, delivery: &Delivery, plan: &Plan) -> Result<()> {
        let Store { client, names, .. } = &self.0;
        for record in plan.commit.iter().flat_map(Commit::records) {
            let put = client.put_item().table_name(&names.correlation).set_item(Some(from_record(record)));
            put.return_consumed_capacity(TOTAL).send().await.map_err(Error::other)?;
        }
        for change in plan.commit.iter().flat_map(Commit::usage) {
            let put = client.put_item().table_name(&names.load).set_item(Some(week_key(delivery)));
            let put = put.item("VERSION", number(change.after.version)).item("DAYS", from_days(&change.after.usage));
            put.return_consumed_capacity(TOTAL).send().await.map_err(Error::other)?;
        }
        Ok(())
    }
}
