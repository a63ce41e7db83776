//! Store of plans. A new version is one transaction of the plan's item and the version's.

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};

use super::error::{store_error, unbuilt};
use super::item::{Item, Reader};
use super::limit_item::{PK, SK};
use super::limit_table::put_new;
use super::plan_item::{
    PLANS_PK, from_plan, missing_plan, plan_key, program_key, to_plan, to_plan_limits, to_program, version_key,
};
use super::{DynamoDb, text};
use crate::deciding::{Metered, StoreError};
use crate::domain::{Limits, PlanVersion};
use crate::limits::{PlanPage, PlanStore, StoredPlan};

/// Condition: there is no such plan yet.
const PLAN_IS_NEW: &str = "attribute_not_exists(VERSION)";

/// Condition: the plan's latest version is the one before the new one.
const PLAN_STANDS: &str = "VERSION = :read";

/// Update of a plan. Attributes that loadgate does not know stay.
const SET_LATEST: &str = "SET VERSION = :version";

impl DynamoDb {
    /// Reads the default plan of a programme, for decisions.
    pub(super) async fn get_default_plan(&self, program_id: &str) -> Result<Metered<Option<PlanVersion>>, StoreError> {
        let Metered { value, units } = self.get_limit_item(program_key(program_id)).await?;
        let program = value.map(|item| to_program(&item, self.limit_table()?)).transpose()?;
        Ok(Metered { value: program.and_then(|program| program.default_plan), units })
    }

    /// Reads the limits of a plan version, for decisions.
    pub(super) async fn get_plan_limits(&self, plan: &PlanVersion) -> Result<Metered<Limits>, StoreError> {
        let Metered { value, units } = self.get_limit_item(version_key(plan)).await?;
        let table = self.limit_table()?;
        let item = value.ok_or_else(|| missing_plan(plan, table))?;
        Ok(Metered { value: to_plan_limits(&item, table)?, units })
    }
}

impl PlanStore for DynamoDb {
    async fn latest_version(&self, plan_id: &str) -> Result<Option<u64>, StoreError> {
        let item = self.get_limit_item(plan_key(plan_id)).await?.value;
        let table = self.limit_table()?;
        item.map(|item| Reader { item: &item, table, keys: [PK, SK] }.version()).transpose()
    }

    async fn plan_version(&self, plan: &PlanVersion) -> Result<Option<StoredPlan>, StoreError> {
        let item = self.get_limit_item(version_key(plan)).await?.value;
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
        let head = TransactWriteItem::builder().update(head.build().map_err(unbuilt)?).build();
        self.transact_limits(vec![head, put_new(table, item)?]).await
    }
}
