//! One transaction for each event. It reads the record and the row, decides, and writes both with conditions, message
//! by message.
//!
//! It keeps the limits and decides each event once, at the price of a write of the row for each event. A decline has
//! only a record, which is put alone. Without loadgate's pending state, an unpublished decision is lost when its
//! message returns under another id.

use std::io::{Error, Result};

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use loadgate::adapters::dynamodb::{from_days, from_record};
use loadgate::deciding::{Commit, CorrelationRecord, Delivery, UsageChange};

use super::{Decision, Design, Store, TOTAL, number, published, week_key};

const EVENT_IS_NEW: &str = "attribute_not_exists(EVENT_ID) OR EXPIRES_AT <= :now";
const ROW_IS_NEW: &str = "attribute_not_exists(VERSION)";
const ROW_STANDS: &str = "VERSION = :read";

pub(crate) struct Transaction(pub(crate) Store);

impl Design for Transaction {
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for delivery in batch {
            let plan = self.0.plan(delivery, &self.0.snapshot(delivery, true).await?)?;
            if let Some(commit) = &plan.commit {
                self.commit(delivery, commit).await?;
            }
            decisions.extend(published(&plan));
        }
        Ok(decisions)
    }
}

impl Transaction {
    async fn commit(&self, delivery: &Delivery, commit: &Commit) -> Result<()> {
        let mut actions = Vec::new();
        for record in commit.records() {
            if commit.usage().is_empty() {
                return self.put_alone(record, commit).await;
            }
            let put = self.put(record, commit).map_err(Error::other)?;
            actions.push(TransactWriteItem::builder().put(put).build());
        }
        for change in commit.usage() {
            let update = self.update(delivery, change).map_err(Error::other)?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        let request = self.0.client.transact_write_items().set_transact_items(Some(actions));
        request.return_consumed_capacity(TOTAL).send().await.map_err(Error::other).map(drop)
    }

    fn put(&self, record: &CorrelationRecord, commit: &Commit) -> std::result::Result<Put, BuildError> {
        let put = Put::builder().table_name(&self.0.names.correlation).set_item(Some(from_record(record)));
        let put = put.condition_expression(EVENT_IS_NEW);
        put.expression_attribute_values(":now", number(commit.now.timestamp())).build()
    }

    async fn put_alone(&self, record: &CorrelationRecord, commit: &Commit) -> Result<()> {
        let put = self.0.client.put_item().table_name(&self.0.names.correlation).set_item(Some(from_record(record)));
        let put = put.condition_expression(EVENT_IS_NEW);
        let put = put.expression_attribute_values(":now", number(commit.now.timestamp()));
        put.return_consumed_capacity(TOTAL).send().await.map_err(Error::other).map(drop)
    }

    fn update(&self, delivery: &Delivery, change: &UsageChange) -> std::result::Result<Update, BuildError> {
        let read = change.read_version();
        let update = Update::builder().table_name(&self.0.names.load).set_key(Some(week_key(delivery)));
        let update = update.update_expression("SET VERSION = :next, DAYS = :days");
        let update = update.expression_attribute_values(":next", number(read + 1));
        let update = update.expression_attribute_values(":days", from_days(&change.after.usage));
        let update = match read {
            0 => update.condition_expression(ROW_IS_NEW),
            _ => update.condition_expression(ROW_STANDS).expression_attribute_values(":read", number(read)),
        };
        update.build()
    }
}
