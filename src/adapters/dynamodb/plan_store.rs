//! Store of plans. A new version is one transaction of the plan's item and the version's.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, ReturnConsumedCapacity, TransactWriteItem, Update};

use super::commit::of_reasons;
use super::error::{store_error, unbuilt};
use super::item::{Item, Reader};
use super::limit_item::{PK, SK};
use super::plan_item::{
    PLANS_PK, from_plan, missing_plan, plan_key, program_key, to_plan, to_plan_limits, to_program, version_key,
};
use super::{DynamoDb, halves, text};
use crate::deciding::{Cause, Metered, StoreError, Units};
use crate::domain::{Limits, PlanVersion};
use crate::limits::{PlanPage, PlanStore, StoredPlan};

/// Condition: there is no such plan, or no such version of one, yet.
const PLAN_IS_NEW: &str = "attribute_not_exists(VERSION)";
const VERSION_IS_NEW: &str = "attribute_not_exists(PK)";

/// Condition: the plan's latest version is the one before the new one.
const PLAN_STANDS: &str = "VERSION = :read";

/// Update of a plan. Attributes that loadgate does not know stay.
const SET_LATEST: &str = "SET VERSION = :version";

impl DynamoDb {
    /// Reads an item of the table of limits, strongly consistent.
    pub(super) async fn get_settings_item(&self, key: Item) -> Result<Metered<Option<Item>>, StoreError> {
        let table = self.limit_table()?;
        let keys = KeysAndAttributes::builder().keys(key).consistent_read(true).build().map_err(unbuilt)?;
        // The request of decisions' first read: whoever may decide may send it.
        let request = self.client.batch_get_item().request_items(table, keys);
        let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await;
        let answer = answer.map_err(|error| store_error("BatchGetItem", table, &error))?;
        let units = Units { read_halves: halves(answer.consumed_capacity()), write_halves: 0 };
        if answer.unprocessed_keys.is_some_and(|left_out| !left_out.is_empty()) {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key");
            return Err(StoreError::Throttled(Cause::new(what)));
        }
        let value = answer.responses.unwrap_or_default().into_values().flatten().next();
        Ok(Metered { value, units })
    }

    /// Writes items of the table of limits, all or nothing.
    pub(super) async fn write_settings_items(&self, actions: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let request = self.client.transact_write_items().set_transact_items(Some(actions));
        // The SDK gives the request a token, so that DynamoDB executes it once, however often the SDK sends it.
        let Err(error) = request.send().await else { return Ok(()) };
        Err(match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                of_reasons("TransactWriteItems", cancelled.cancellation_reasons(), table)
            }
            _ => store_error("TransactWriteItems", table, &error),
        })
    }

    /// Reads the default plan of a programme, for decisions.
    pub(super) async fn get_default_plan(&self, program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        let Metered { value, units } = self.get_settings_item(program_key(program_id)).await?;
        let program = value.map(|item| to_program(&item, self.limit_table()?)).transpose()?;
        Ok(Metered { value: program.and_then(|program| program.default_plan), units })
    }

    /// Reads the limits of a plan version, for decisions.
    pub(super) async fn get_plan_limits(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        let Metered { value, units } = self.get_settings_item(version_key(plan)).await?;
        let table = self.limit_table()?;
        let item = value.ok_or_else(|| missing_plan(plan, table))?;
        Ok(Metered { value: to_plan_limits(&item, table)?, units })
    }
}

impl PlanStore for DynamoDb {
    async fn latest_version(&self, plan_id: &str) -> Result<Option<u64>, StoreError> {
        let item = self.get_settings_item(plan_key(plan_id)).await?.value;
        let table = self.limit_table()?;
        item.map(|item| Reader { item: &item, table, keys: [PK, SK] }.version()).transpose()
    }

    async fn plan_version(&self, plan: &PlanVersion) -> Result<Option<StoredPlan>, StoreError> {
        let item = self.get_settings_item(version_key(plan)).await?.value;
        let table = self.limit_table()?;
        item.map(|item| to_plan(plan, &item, table)).transpose()
    }

    async fn list_plans(&self, after: Option<&str>, max: u16) -> Result<PlanPage, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("PK = :plans")
            .expression_attribute_values(":plans", S(PLANS_PK.to_owned()))
            .consistent_read(true)
            .limit(i32::from(max))
            .set_exclusive_start_key(after.map(plan_key));
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        let plan = |item: &Item| {
            let version = Reader { item, table, keys: [PK, SK] }.version()?;
            Ok(PlanVersion { plan_id: text(item, SK).to_owned(), version })
        };
        let plans = answer.items().iter().map(plan).collect::<Result<_, StoreError>>()?;
        Ok(PlanPage { plans, next: answer.last_evaluated_key.map(|key| text(&key, SK).to_owned()) })
    }

    async fn add_plan_version(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let PlanVersion { plan_id, version } = &plan.plan;
        let read = version.saturating_sub(1);
        let mut head = Update::builder()
            .table_name(table)
            .set_key(Some(plan_key(plan_id)))
            .update_expression(SET_LATEST)
            .condition_expression(if read == 0 { PLAN_IS_NEW } else { PLAN_STANDS })
            .expression_attribute_values(":version", N(version.to_string()));
        if read > 0 {
            head = head.expression_attribute_values(":read", N(read.to_string()));
        }
        let mut item = version_key(&plan.plan);
        item.extend(from_plan(plan));
        let put = Put::builder().table_name(table).set_item(Some(item)).condition_expression(VERSION_IS_NEW);
        let head = TransactWriteItem::builder().update(head.build().map_err(unbuilt)?).build();
        let put = TransactWriteItem::builder().put(put.build().map_err(unbuilt)?).build();
        self.write_settings_items(vec![head, put]).await
    }
}
