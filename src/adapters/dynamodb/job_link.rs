//! Links that jobs make: one conditional write each.
//!
//! ```text
//! LINK_NUMBER of the customer     none, or lower      this job's          higher
//! still in the programme          link                made before         superseded
//! in no or another programme      superseded          made before         superseded
//! ```

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::{N, Null, S};
use aws_sdk_dynamodb::types::{
    KeysAndAttributes, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
};

use super::DynamoDb;
use super::error::{store_error, unbuilt};
use super::item::{Item, item};
use super::job_item::to_link_basis;
use super::limit_item::{customer_key, customer_of};
use super::plan_item::{PLAN, from_plan_version, to_plan_version};
use crate::deciding::{Cause, StoreError};
use crate::domain::{Job, LinkBasis, LinkOutcome, Millis};

/// Condition: the customer is still in the job's programme, and has no link, or one that is older than the job.
const MAY_LINK: &str = "PROGRAM_ID = :program AND (attribute_not_exists(LINK_NUMBER) OR LINK_NUMBER < :number)";

/// Update of a customer's link. It leaves own limits and programme as they are, and keeps the plan version before: so a
/// repeated request knows its first outcome. `PLAN` is a word of DynamoDB's.
const SET_LINK: &str = "SET LINKED_FROM = if_not_exists(#plan, :none), #plan = :plan, LINK_NUMBER = :number, \
                        LINKED_AT = :at, LINKED_BY = :by";

/// The attributes of a customer's item that decide the outcome.
const LINK_ATTRIBUTES: &str = "PK, PROGRAM_ID, #plan, LINK_NUMBER, LINKED_FROM";

impl DynamoDb {
    /// Links a customer, unless a newer link or the customer's programme forbids it.
    pub(super) async fn update_link(
        &self,
        customer_id: &str,
        job: &Job,
        at: Millis,
    ) -> Result<LinkOutcome, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(customer_key(customer_id)))
            .condition_expression(MAY_LINK)
            .update_expression(SET_LINK)
            .expression_attribute_names("#plan", PLAN)
            .set_expression_attribute_values(Some(link_values(job, at)))
            .return_values(ReturnValue::UpdatedOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let link = |attributes: Option<&Item>| {
            let mut item = attributes.cloned().unwrap_or_default();
            item.extend(customer_key(customer_id));
            to_link_basis(&item, table)
        };
        match request.send().await {
            Ok(answer) => {
                // The link is made, also over a plan version that cannot be understood.
                let before = answer.attributes().and_then(|before| to_plan_version(before.get(PLAN)?));
                let is_same = before.as_ref() == Some(&job.plan);
                Ok(if is_same { LinkOutcome::AlreadyLinked } else { LinkOutcome::Linked })
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let link = link(failed.item())?;
                    // An earlier try, or an earlier delivery of the chunk, has made the link.
                    Ok(if link.is_of(job) { link.outcome_of(job) } else { LinkOutcome::Superseded })
                }
                _ => Err(store_error("UpdateItem", table, &error)),
            },
        }
    }

    /// Reads the links of customers in one request. A key that DynamoDB leaves out fails its own customer.
    pub(super) async fn get_links(
        &self,
        customers: &[String],
    ) -> Result<Vec<Result<LinkBasis, StoreError>>, StoreError> {
        if customers.is_empty() {
            return Ok(vec![]);
        }
        let table = self.limit_table()?;
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(customers.iter().map(|customer_id| customer_key(customer_id)).collect()))
            .consistent_read(true)
            .projection_expression(LINK_ATTRIBUTES)
            .expression_attribute_names("#plan", PLAN);
        let request = self.client.batch_get_item().request_items(table, keys.build().map_err(unbuilt)?);
        let answer = request.send().await.map_err(|error| store_error("BatchGetItem", table, &error))?;
        let items = answer.responses.unwrap_or_default().into_values().flatten();
        let mut links: HashMap<String, Result<LinkBasis, StoreError>> = items
            .map(|item| (customer_of(&item).unwrap_or_default().to_owned(), to_link_basis(&item, table)))
            .collect();
        let left_out = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|keys| keys.keys);
        for key in left_out {
            let what = format!("BatchGetItem on {table}: DynamoDB left out a key");
            let error = StoreError::Throttled(Cause::new(what));
            links.insert(customer_of(&key).unwrap_or_default().to_owned(), Err(error));
        }
        Ok(customers.iter().map(|id| links.get(id).cloned().unwrap_or_else(|| Ok(LinkBasis::default()))).collect())
    }
}

fn link_values(job: &Job, at: Millis) -> Item {
    item([
        (":program", S(job.program_id.clone())),
        (":plan", from_plan_version(&job.plan)),
        (":number", N(job.number.to_string())),
        (":none", Null(true)),
        (":at", N(at.get().to_string())),
        (":by", S(job.started_by.clone())),
    ])
}
