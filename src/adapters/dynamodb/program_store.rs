//! Store of programmes, of their rosters, and of customers' links.

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{Delete, Put, ReturnValue, TransactWriteItem, Update};

use super::DynamoDb;
use super::error::{store_error, unbuilt};
use super::item::{Item, number};
use super::limit_item::customer_key;
use super::plan_item::{
    NUMBER, PLAN, counter_key, from_plan_version, program_key, roster_key, to_link, to_membership, to_program,
};
use crate::deciding::{Cause, StoreError};
use crate::domain::Millis;
use crate::limits::{Author, Enrollment, Link, LinkStore, Membership, Program, ProgramStore};

/// Conditions: the programme does not exist yet, or is unchanged since it was read.
const PROGRAM_IS_NEW: &str = "attribute_not_exists(VERSION)";
const PROGRAM_STANDS: &str = "VERSION = :read";

/// Updates of a programme. Attributes that loadgate does not know stay.
const SET_PROGRAM: &str = "SET VERSION = :version REMOVE DEFAULT_PLAN";
const SET_DEFAULT_PLAN: &str = "SET VERSION = :version, DEFAULT_PLAN = :plan";

/// Conditions: the customer's programme is unchanged since it was read, or the customer never was in one.
const MEMBERSHIP_STANDS: &str = "PROGRAM_VERSION = :read";
const NEVER_ENROLLED: &str = "attribute_not_exists(PROGRAM_VERSION)";

/// Updates of a customer's programme. They leave own limits and link as they are.
const SET_PROGRAM_ID: &str = "SET PROGRAM_VERSION = :version, PROGRAM_ID = :after";
const REMOVE_PROGRAM_ID: &str = "SET PROGRAM_VERSION = :version REMOVE PROGRAM_ID";

/// Conditions: the customer's link is the one that was read, or there never was one.
const LINK_STANDS: &str = "LINK_NUMBER = :read";
const NEVER_LINKED: &str = "attribute_not_exists(LINK_NUMBER)";

/// Updates of a customer's link. They leave own limits and programme as they are. `PLAN` is a word of DynamoDB's.
const SET_LINK: &str =
    "SET #plan = :plan, LINK_NUMBER = :number, LINKED_AT = :linked_at, LINKED_BY = :linked_by REMOVE LINKED_FROM";
const REMOVE_LINK: &str =
    "SET LINK_NUMBER = :number, LINKED_AT = :linked_at, LINKED_BY = :linked_by REMOVE #plan, LINKED_FROM";

/// Update of the counter. `NUMBER` is a word of DynamoDB's.
const DRAW: &str = "ADD #number :one";

impl ProgramStore for DynamoDb {
    async fn program(&self, program_id: &str) -> Result<Program, StoreError> {
        let item = self.get_limit_item(program_key(program_id)).await?.value;
        let table = self.limit_table()?;
        Ok(item.map(|item| to_program(&item, table)).transpose()?.unwrap_or_default())
    }

    async fn write_program(&self, program_id: &str, program: &Program) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let Program { version: read, default_plan } = program;
        let mut request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(program_key(program_id)))
            .update_expression(if default_plan.is_some() { SET_DEFAULT_PLAN } else { SET_PROGRAM })
            .condition_expression(if *read == 0 { PROGRAM_IS_NEW } else { PROGRAM_STANDS })
            .expression_attribute_values(":version", N(read.saturating_add(1).to_string()));
        if let Some(plan) = default_plan {
            request = request.expression_attribute_values(":plan", from_plan_version(plan));
        }
        if *read > 0 {
            request = request.expression_attribute_values(":read", N(read.to_string()));
        }
        request.send().await.map(drop).map_err(|error| store_error("UpdateItem", table, &error))
    }

    async fn program_of(&self, customer_id: &str) -> Result<Membership, StoreError> {
        let item = self.get_limit_item(customer_key(customer_id)).await?.value;
        let table = self.limit_table()?;
        Ok(item.map(|item| to_membership(&item, table)).transpose()?.unwrap_or_default())
    }

    async fn enroll(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let Enrollment { customer_id, before, after } = enrollment;
        let mut actions = vec![update_program_id(table, enrollment)?];
        if let Some(before) = &before.program_id {
            let delete = Delete::builder().table_name(table).set_key(Some(roster_key(before, customer_id)));
            actions.push(TransactWriteItem::builder().delete(delete.build().map_err(unbuilt)?).build());
        }
        if let Some(after) = after {
            let put = Put::builder().table_name(table).set_item(Some(roster_key(after, customer_id)));
            actions.push(TransactWriteItem::builder().put(put.build().map_err(unbuilt)?).build());
        }
        self.transact_limits(actions).await
    }
}

fn update_program_id(table: &str, enrollment: &Enrollment) -> Result<TransactWriteItem, StoreError> {
    let Enrollment { customer_id, before, after } = enrollment;
    let values = [
        (":version", Some(N(before.version.saturating_add(1).to_string()))),
        (":read", (before.version > 0).then(|| N(before.version.to_string()))),
        (":after", after.clone().map(S)),
    ];
    let values: Item = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(customer_key(customer_id)))
        .update_expression(if after.is_some() { SET_PROGRAM_ID } else { REMOVE_PROGRAM_ID })
        .condition_expression(if before.version > 0 { MEMBERSHIP_STANDS } else { NEVER_ENROLLED })
        .set_expression_attribute_values(Some(values));
    Ok(TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build())
}

impl LinkStore for DynamoDb {
    async fn draw_number(&self) -> Result<u64, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(counter_key()))
            .update_expression(DRAW)
            .expression_attribute_names("#number", NUMBER)
            .expression_attribute_values(":one", N("1".to_owned()))
            .return_values(ReturnValue::UpdatedNew);
        let answer = request.send().await.map_err(|error| store_error("UpdateItem", table, &error))?;
        let unread = || {
            let what =
                format!("UpdateItem on {table}: {NUMBER} of the item PK 'counter', SK 'links' cannot be understood");
            StoreError::Corrupt(Cause::new(format!("{what}: correct the item by hand")))
        };
        answer.attributes().and_then(|item| number(item.get(NUMBER)?)).ok_or_else(unread)
    }

    async fn link(&self, customer_id: &str) -> Result<Link, StoreError> {
        let item = self.get_limit_item(customer_key(customer_id)).await?.value;
        let table = self.limit_table()?;
        Ok(item.map(|item| to_link(&item, table)).transpose()?.unwrap_or_default())
    }

    async fn write_link(&self, customer_id: &str, read_number: u64, link: &Link) -> Result<(), StoreError> {
        let table = self.limit_table()?;
        let Link { number, plan, linked_at, linked_by } = link;
        let Author(by) = linked_by.clone().unwrap_or(Author(String::new()));
        let mut request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(customer_key(customer_id)))
            .update_expression(if plan.is_some() { SET_LINK } else { REMOVE_LINK })
            .condition_expression(if read_number == 0 { NEVER_LINKED } else { LINK_STANDS })
            .expression_attribute_names("#plan", PLAN)
            .expression_attribute_values(":number", N(number.to_string()))
            .expression_attribute_values(":linked_at", N(linked_at.map_or(0, Millis::get).to_string()))
            .expression_attribute_values(":linked_by", S(by));
        if let Some(plan) = plan {
            request = request.expression_attribute_values(":plan", from_plan_version(plan));
        }
        if read_number > 0 {
            request = request.expression_attribute_values(":read", N(read_number.to_string()));
        }
        request.send().await.map(drop).map_err(|error| store_error("UpdateItem", table, &error))
    }
}
