//! Conversion between jobs and DynamoDB items.
//!
//! | item | `PK` | `SK` | attributes |
//! |---|---|---|---|
//! | a job | `jobs` | its number, with 20 digits | `PROGRAM_ID`, `PLAN`, `DRY_RUN`, `STATE`, `STARTED_AT`, `STARTED_BY`; later `CUSTOMERS`, `CHUNKS`, `FINISHED_AT`, `COUNTS`, `FAILURE` |
//! | a page; never changes | `job/` and the number | `page/` and eight digits | `IDS`, `CUSTOMERS_BEFORE`, `CHUNKS_BEFORE`, `NEXT` |
//! | a chunk's result; never changes | `job/` and the number | `chunk/` and eight digits | `COUNTS`, `FAILURES`, `DONE_AT` |
//! | a customer's settings | as in `limit_item.rs` | | `LINKED_FROM`: `PLAN` before the last link by a job, null if there was none |
//!
//! Instants are milliseconds since 1970. The digits of a key keep the items in the order of their numbers.

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, L, M, N, S};

use super::item::{CUSTOMER_ID, Item, Reader, item, number};
use super::limit_item::{PK, SK, instant, to_instant};
use super::plan_item::{LINK_NUMBER, PLAN, PROGRAM_ID, from_plan_version, to_plan_version, to_program_id};
use super::text;
use crate::deciding::StoreError;
use crate::domain::{ChunkResult, CustomerFailure, Job, JobCounts, JobFailure, JobSize, JobState, LinkBasis};
use crate::limits::ROSTER_SHARDS;
use crate::limits::jobs::{RosterCursor, RosterPage};

/// Partition of all jobs.
pub const JOBS_PK: &str = "jobs";

/// Beginning of the keys of results.
pub const CHUNK_PREFIX: &str = "chunk/";

pub const LINKED_FROM: &str = "LINKED_FROM";
pub const STATE: &str = "STATE";
const DRY_RUN: &str = "DRY_RUN";
const CUSTOMERS: &str = "CUSTOMERS";
const CHUNKS: &str = "CHUNKS";
const STARTED_AT: &str = "STARTED_AT";
const STARTED_BY: &str = "STARTED_BY";
const FINISHED_AT: &str = "FINISHED_AT";
const COUNTS: &str = "COUNTS";
const FAILURE: &str = "FAILURE";
const FAILURES: &str = "FAILURES";
const DONE_AT: &str = "DONE_AT";
const IDS: &str = "IDS";
const CUSTOMERS_BEFORE: &str = "CUSTOMERS_BEFORE";
const CHUNKS_BEFORE: &str = "CHUNKS_BEFORE";
const NEXT: &str = "NEXT";
const SHARD: &str = "SHARD";
const AFTER: &str = "AFTER";
const LINKED: &str = "LINKED";
const ALREADY_LINKED: &str = "ALREADY_LINKED";
const SUPERSEDED: &str = "SUPERSEDED";
const FAILED: &str = "FAILED";
const CODE: &str = "CODE";
const REASON: &str = "REASON";

/// Returns the key of a job.
pub fn job_key(job_number: u64) -> Item {
    item([(PK, S(JOBS_PK.to_owned())), (SK, S(format!("{job_number:020}")))])
}

/// Returns the hash key of a job's pages and results.
pub fn parts_pk(job_number: u64) -> String {
    format!("job/{job_number}")
}

/// Returns the key of a page.
pub fn page_key(job_number: u64, page: u32) -> Item {
    item([(PK, S(parts_pk(job_number))), (SK, S(format!("page/{page:08}")))])
}

/// Returns the key of a chunk's result.
pub fn chunk_key(job_number: u64, chunk: u32) -> Item {
    item([(PK, S(parts_pk(job_number))), (SK, S(format!("{CHUNK_PREFIX}{chunk:08}")))])
}

/// Converts a job.
pub fn from_job(job: &Job) -> Item {
    let mut attributes = job_key(job.number);
    attributes.extend(item([
        (PROGRAM_ID, S(job.program_id.clone())),
        (PLAN, from_plan_version(&job.plan)),
        (DRY_RUN, Bool(job.is_dry_run)),
        (STATE, S(job.state.name().to_owned())),
        (STARTED_AT, instant(job.started_at)),
        (STARTED_BY, S(job.started_by.clone())),
    ]));
    attributes
}

/// Reads a job.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_job(item: &Item, table: &str) -> Result<Job, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let state = |value: &AttributeValue| {
        let name = value.as_s().ok()?;
        JobState::ALL.into_iter().find(|state| state.name() == name)
    };
    let size = match reader.optional(CUSTOMERS, number)? {
        Some(customers) => Some(JobSize { customers, chunks: reader.get(CHUNKS, number)? }),
        None => None,
    };
    Ok(Job {
        number: text(item, SK).parse().map_err(|_| reader.wrong(SK))?,
        program_id: reader.string(PROGRAM_ID)?,
        plan: reader.get(PLAN, to_plan_version)?,
        is_dry_run: reader.get(DRY_RUN, |value| value.as_bool().ok().copied())?,
        state: reader.get(STATE, state)?,
        size,
        started_at: reader.get(STARTED_AT, to_instant)?,
        started_by: reader.string(STARTED_BY)?,
        finished_at: reader.optional(FINISHED_AT, to_instant)?,
        counts: reader.optional(COUNTS, to_counts)?,
        failure: reader.optional(FAILURE, to_failure)?,
    })
}

/// Converts counts.
pub fn from_counts(counts: JobCounts) -> AttributeValue {
    let JobCounts { linked, already_linked, superseded, failed } = counts;
    let number = |number: u64| N(number.to_string());
    M(item([
        (LINKED, number(linked)),
        (ALREADY_LINKED, number(already_linked)),
        (SUPERSEDED, number(superseded)),
        (FAILED, number(failed)),
    ]))
}

fn to_counts(value: &AttributeValue) -> Option<JobCounts> {
    let fields = value.as_m().ok()?;
    Some(JobCounts {
        linked: number(fields.get(LINKED)?)?,
        already_linked: number(fields.get(ALREADY_LINKED)?)?,
        superseded: number(fields.get(SUPERSEDED)?)?,
        failed: number(fields.get(FAILED)?)?,
    })
}

/// Converts the reason of a failure.
pub fn from_failure(failure: &JobFailure) -> AttributeValue {
    M(item([(CODE, S(failure.code.clone())), (REASON, S(failure.reason.clone()))]))
}

fn to_failure(value: &AttributeValue) -> Option<JobFailure> {
    let fields = value.as_m().ok()?;
    let text = |name| fields.get(name)?.as_s().ok().cloned();
    Some(JobFailure { code: text(CODE)?, reason: text(REASON)? })
}

/// Converts a page.
pub fn from_page(job_number: u64, page: u32, content: &RosterPage) -> Item {
    let mut attributes = page_key(job_number, page);
    attributes.extend(item([
        (IDS, L(content.customers.iter().cloned().map(S).collect())),
        (CUSTOMERS_BEFORE, N(content.customers_before.to_string())),
        (CHUNKS_BEFORE, N(content.chunks_before.to_string())),
    ]));
    if let Some(RosterCursor { shard, after }) = &content.next {
        let mut next = item([(SHARD, N(shard.to_string()))]);
        next.extend(after.clone().map(|after| (AFTER.to_owned(), S(after))));
        attributes.insert(NEXT.to_owned(), M(next));
    }
    attributes
}

/// Reads a page.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_page(item: &Item, table: &str) -> Result<RosterPage, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let ids = |value: &AttributeValue| value.as_l().ok()?.iter().map(|id| id.as_s().ok().cloned()).collect();
    Ok(RosterPage {
        customers: reader.get(IDS, ids)?,
        customers_before: reader.get(CUSTOMERS_BEFORE, number)?,
        chunks_before: reader.get(CHUNKS_BEFORE, number)?,
        next: reader.optional(NEXT, to_cursor)?,
    })
}

fn to_cursor(value: &AttributeValue) -> Option<RosterCursor> {
    let fields = value.as_m().ok()?;
    let after = match fields.get(AFTER) {
        Some(after) => Some(after.as_s().ok()?.clone()),
        None => None,
    };
    Some(RosterCursor { shard: number(fields.get(SHARD)?).filter(|shard| *shard < ROSTER_SHARDS)?, after })
}

/// Converts a chunk's result.
pub fn from_result(job_number: u64, result: &ChunkResult) -> Item {
    let failure = |failed: &CustomerFailure| {
        let CustomerFailure { customer_id, failure: JobFailure { code, reason } } = failed;
        let text = |text: &String| S(text.clone());
        M(item([(CUSTOMER_ID, text(customer_id)), (CODE, text(code)), (REASON, text(reason))]))
    };
    let mut attributes = chunk_key(job_number, result.chunk);
    attributes.extend(item([(COUNTS, from_counts(result.counts)), (DONE_AT, instant(result.done_at))]));
    if !result.failures.is_empty() {
        attributes.insert(FAILURES.to_owned(), L(result.failures.iter().map(failure).collect()));
    }
    attributes
}

/// Reads a chunk's result.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_result(item: &Item, table: &str) -> Result<ChunkResult, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let failed = |value: &AttributeValue| {
        let customer_id = value.as_m().ok()?.get(CUSTOMER_ID)?.as_s().ok()?.clone();
        Some(CustomerFailure { customer_id, failure: to_failure(value)? })
    };
    let failures = |value: &AttributeValue| value.as_l().ok()?.iter().map(failed).collect();
    let chunk = text(item, SK).strip_prefix(CHUNK_PREFIX).and_then(|digits| digits.parse().ok());
    Ok(ChunkResult {
        chunk: chunk.ok_or_else(|| reader.wrong(SK))?,
        counts: reader.get(COUNTS, to_counts)?,
        failures: reader.optional(FAILURES, failures)?.unwrap_or_default(),
        done_at: reader.get(DONE_AT, to_instant)?,
    })
}

/// Reads what decides a job's outcome for a customer.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is invalid.
pub fn to_link_basis(item: &Item, table: &str) -> Result<LinkBasis, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    Ok(LinkBasis {
        program_id: to_program_id(item, table)?,
        plan: reader.optional(PLAN, to_plan_version)?,
        number: reader.optional(LINK_NUMBER, number)?.unwrap_or_default(),
        // A plan version that could not be understood was not the job's. Nor was it before, without a link.
        linked_from: item.get(LINKED_FROM).and_then(to_plan_version),
    })
}
