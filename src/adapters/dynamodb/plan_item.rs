//! Conversion between plans, programmes or links and DynamoDB items.
//!
//! | item | `PK` | `SK` | attributes |
//! |---|---|---|---|
//! | a plan | `plans` | its id | `VERSION`: the latest version |
//! | a plan version; never changes | `plan/` and the plan's id | `version/` and ten digits | `LIMITS`: JSON, `CREATED_AT`, `CREATED_BY` |
//! | a programme | `program/` and its id | `program` | `VERSION`, `DEFAULT_PLAN` |
//! | a customer of a programme | `roster/NN/` and the programme's id | the customer's id | |
//! | the counter of links, unlinks and jobs | `counter` | `links` | `NUMBER`: the last one drawn |
//! | a customer's settings | as in `limit_item.rs` | | `PLAN`, `LINK_NUMBER`, `LINKED_AT`, `LINKED_BY`; `PROGRAM_ID`, `PROGRAM_VERSION` |
//!
//! Reference to a plan version: a map of `ID` and `VERSION`. Instants are milliseconds since 1970. A customer without a link
//! has no `PLAN`; an unlink leaves the other attributes.

use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};

use super::item::{Item, Reader, VERSION, item, number};
use super::limit_item::{LIMITS, PK, SK, instant, to_customer_limits, to_instant};
use crate::deciding::{Cause, CustomerSettings, StoreError};
use crate::domain::{Limits, PlanVersion};
use crate::limits::{Author, Link, Membership, Program, StoredPlan, roster_shard};
use crate::wire::{limits_json, parse_limits_json};

pub const PLAN: &str = "PLAN";
pub const PROGRAM_ID: &str = "PROGRAM_ID";
/// Number of changes of a customer's programme.
const PROGRAM_VERSION: &str = "PROGRAM_VERSION";
pub const LINK_NUMBER: &str = "LINK_NUMBER";
pub const NUMBER: &str = "NUMBER";
const DEFAULT_PLAN: &str = "DEFAULT_PLAN";
const ID: &str = "ID";
const LINKED_AT: &str = "LINKED_AT";
const LINKED_BY: &str = "LINKED_BY";
const CREATED_AT: &str = "CREATED_AT";
const CREATED_BY: &str = "CREATED_BY";

/// Partition of all plans.
pub const PLANS_PK: &str = "plans";

fn key(pk: String, sk: impl Into<String>) -> Item {
    item([(PK, S(pk)), (SK, S(sk.into()))])
}

/// Returns the key of a plan.
pub fn plan_key(plan_id: &str) -> Item {
    key(PLANS_PK.to_owned(), plan_id)
}

/// Returns the key of a plan version.
pub fn version_key(PlanVersion { plan_id, version }: &PlanVersion) -> Item {
    key(format!("plan/{plan_id}"), format!("version/{version:010}"))
}

/// Returns the key of a programme.
pub fn program_key(program_id: &str) -> Item {
    key(format!("program/{program_id}"), "program")
}

/// Returns the hash key of one shard of a programme's roster.
pub fn roster_pk(program_id: &str, shard: u8) -> String {
    format!("roster/{shard:02}/{program_id}")
}

/// Returns the key of a customer in the roster of its programme.
pub fn roster_key(program_id: &str, customer_id: &str) -> Item {
    key(roster_pk(program_id, roster_shard(customer_id)), customer_id)
}

/// Returns the key of the counter of links, unlinks and jobs.
pub fn counter_key() -> Item {
    key("counter".to_owned(), "links")
}

/// Converts a reference to a plan version.
pub fn from_plan_version(PlanVersion { plan_id, version }: &PlanVersion) -> AttributeValue {
    M(item([(ID, S(plan_id.clone())), (VERSION, N(version.to_string()))]))
}

/// Reads a reference to a plan version.
pub fn to_plan_version(value: &AttributeValue) -> Option<PlanVersion> {
    let fields = value.as_m().ok()?;
    let version = number(fields.get(VERSION)?).filter(|version| *version > 0)?;
    Some(PlanVersion { plan_id: fields.get(ID)?.as_s().ok()?.clone(), version })
}

/// Returns the values of the attributes of a plan version's item, without its key.
pub fn from_plan(plan: &StoredPlan) -> Item {
    item([
        (LIMITS, S(limits_json(&plan.limits))),
        (CREATED_AT, instant(plan.created_at)),
        (CREATED_BY, S(plan.created_by.0.clone())),
    ])
}

/// Reads a plan version from its item.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_plan(plan: &PlanVersion, item: &Item, table: &str) -> Result<StoredPlan, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    Ok(StoredPlan {
        plan: plan.clone(),
        limits: to_plan_limits(item, table)?,
        created_at: reader.get(CREATED_AT, to_instant)?,
        created_by: Author(reader.string(CREATED_BY)?),
    })
}

/// Reads the limits of a plan version.
///
/// # Errors
/// [`StoreError::Corrupt`] if they are missing or invalid.
pub fn to_plan_limits(item: &Item, table: &str) -> Result<Limits, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    reader.get(LIMITS, |value| parse_limits_json(value.as_s().ok()?).ok())
}

/// Returns the error for a plan version that something refers to, and that is missing.
pub fn missing_plan(PlanVersion { plan_id, version }: &PlanVersion, table: &str) -> StoreError {
    StoreError::Corrupt(Cause::new(format!(
        "the item {PK} 'plan/{plan_id}', {SK} 'version/{version:010}' in table {table} is missing, although a customer or a \
         programme refers to it: restore it, or choose another plan version there"
    )))
}

/// Reads a programme.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_program(item: &Item, table: &str) -> Result<Program, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    Ok(Program { version: reader.version()?, default_plan: reader.optional(DEFAULT_PLAN, to_plan_version)? })
}

/// Reads the programme of a customer.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is invalid.
pub fn to_program_id(item: &Item, table: &str) -> Result<Option<String>, StoreError> {
    Reader { item, table, keys: [PK, SK] }.optional(PROGRAM_ID, |value| value.as_s().ok().cloned())
}

/// Reads the programme of a customer, and how often it has changed.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is invalid.
pub fn to_membership(item: &Item, table: &str) -> Result<Membership, StoreError> {
    let version = Reader { item, table, keys: [PK, SK] }.optional(PROGRAM_VERSION, number)?.unwrap_or_default();
    Ok(Membership { program_id: to_program_id(item, table)?, version })
}

/// Reads a customer's link.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is invalid.
pub fn to_link(item: &Item, table: &str) -> Result<Link, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    Ok(Link {
        number: reader.optional(LINK_NUMBER, number)?.unwrap_or_default(),
        plan: reader.optional(PLAN, to_plan_version)?,
        linked_at: reader.optional(LINKED_AT, to_instant)?,
        linked_by: reader.optional(LINKED_BY, |value| value.as_s().ok().cloned())?.map(Author),
    })
}

/// Reads what decisions need of a customer.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_settings(item: &Item, table: &str) -> Result<CustomerSettings, StoreError> {
    let own_limits = to_customer_limits(item, table)?.limits.into_values().map(|known| known.limit).collect();
    let link = Reader { item, table, keys: [PK, SK] }.optional(PLAN, to_plan_version)?;
    Ok(CustomerSettings { own_limits, link, program_id: to_program_id(item, table)? })
}
