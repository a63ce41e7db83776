//! Store of jobs: conditional puts that succeed once, and queries in the order of keys.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, TransactWriteItem, Update};
use futures_util::future::try_join;

use super::answer_item::put_answer;
use super::error::{store_error, unbuilt};
use super::item::{Item, item};
use super::job_item::{
    CHUNK_PREFIX, JOBS_PK, STATE, from_counts, from_failure, from_job, from_page, from_result, job_key, page_key,
    parts_pk, to_job, to_page, to_result,
};
use super::limit_item::SK;
use super::limit_table::put_new;
use super::plan_item::{roster_key, roster_pk};
use super::{DynamoDb, text};
use crate::deciding::StoreError;
use crate::domain::{ChunkResult, Job, JobSize, LinkBasis, LinkOutcome, Millis};
use crate::limits::KeptAnswer;
use crate::limits::jobs::{JobChange, JobStore, ResultList, RosterPage, RosterShard};

/// Conditions: the job has not ended; the roster is being read; the roster has been read.
const IS_OPEN: &str = "#state IN (:enumerating, :running)";
const IS_ENUMERATING: &str = "#state = :enumerating";
const IS_RUNNING: &str = "#state = :running";

/// Updates of a job. `STATE` is a word of DynamoDB's.
const SET_RUNNING: &str = "SET #state = :to, CUSTOMERS = :customers, CHUNKS = :chunks";
const SET_DONE: &str = "SET #state = :to, FINISHED_AT = :at, COUNTS = :counts";
const SET_CANCELED: &str = "SET #state = :to, FINISHED_AT = :at";
const SET_FAILED: &str = "SET #state = :to, FINISHED_AT = :at, FAILURE = :failure";

impl DynamoDb {
    /// Returns true if a job is in a state from which a change is possible.
    async fn can_be(&self, change: &JobChange, number: u64) -> Result<bool, StoreError> {
        Ok(self.read_job(number).await?.is_some_and(|job| change.from().contains(&job.state)))
    }

    /// Opens the connection, and checks that the table of customers' own limits can be read by the requests of jobs, with keys
    /// that nothing has.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if no such table is named, or it is missing or must not be read; another variant if
    /// that is unknown.
    pub async fn connect_jobs(&self) -> Result<(), StoreError> {
        // Boxed: a program's start is no place for a future of many kilobytes.
        let (job, results) = (Box::pin(self.read_job(0)), Box::pin(self.read_results(0, None)));
        try_join(job, results).await.map(drop)
    }
}

impl JobStore for DynamoDb {
    async fn put_job(&self, job: &Job, answer: Option<&KeptAnswer>) -> Result<(), StoreError> {
        let Some(answer) = answer else { return self.put_once(from_job(job)).await.map(drop) };
        let table = self.limit_table()?;
        match self.transact_limits(vec![put_new(table, from_job(job))?, put_answer(table, answer)?]).await {
            // An earlier try has stored both.
            Err(StoreError::Conflict(_)) if self.read_job(job.number).await?.is_some() => Ok(()),
            result => result,
        }
    }

    async fn read_job(&self, number: u64) -> Result<Option<Job>, StoreError> {
        let item = self.get_limit_item(job_key(number)).await?.value;
        let table = self.limit_table()?;
        item.map(|item| to_job(&item, table)).transpose()
    }

    async fn read_jobs(&self, before: Option<u64>, max: u16) -> Result<Vec<Job>, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("PK = :jobs")
            .expression_attribute_values(":jobs", S(JOBS_PK.to_owned()))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::from(max))
            .set_exclusive_start_key(before.map(job_key));
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        answer.items().iter().map(|item| to_job(item, table)).collect()
    }

    async fn change_job(&self, number: u64, change: &JobChange) -> Result<bool, StoreError> {
        let table = self.limit_table()?;
        let (condition, update, values) = change_of(change);
        if let JobChange::Cancel { answer: Some(answer), .. } = change {
            let update = Update::builder()
                .table_name(table)
                .set_key(Some(job_key(number)))
                .condition_expression(condition)
                .update_expression(update)
                .expression_attribute_names("#state", STATE)
                .set_expression_attribute_values(Some(values));
            let update = TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build();
            return match self.transact_limits(vec![update, put_answer(table, answer)?]).await {
                // The job's state, or the key: a read shows which.
                Err(StoreError::Conflict(_)) if !self.can_be(change, number).await? => Ok(false),
                written => written.map(|()| true),
            };
        }
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(job_key(number)))
            .condition_expression(condition)
            .update_expression(update)
            .expression_attribute_names("#state", STATE)
            .set_expression_attribute_values(Some(values))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(store_error("UpdateItem", table, &error)),
        }
    }

    async fn read_page(&self, number: u64, page: u32) -> Result<Option<RosterPage>, StoreError> {
        let item = self.get_limit_item(page_key(number, page)).await?.value;
        let table = self.limit_table()?;
        item.map(|item| to_page(&item, table)).transpose()
    }

    async fn put_page(&self, number: u64, page: u32, content: &RosterPage) -> Result<bool, StoreError> {
        self.put_once(from_page(number, page, content)).await
    }

    async fn read_roster(
        &self,
        roster: &RosterShard<'_>,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let table = self.limit_table()?;
        let mut customers = Vec::new();
        let mut start = after.map(|customer_id| roster_key(roster.program_id, customer_id));
        loop {
            let request = self
                .client
                .query()
                .table_name(table)
                .key_condition_expression("PK = :roster")
                .expression_attribute_values(":roster", S(roster_pk(roster.program_id, roster.shard)))
                .projection_expression(SK)
                .consistent_read(true)
                .limit(i32::try_from(max.saturating_sub(customers.len())).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start);
            let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
            customers.extend(answer.items().iter().map(|item| text(item, SK).to_owned()));
            // A page of a query may end before its limit.
            match answer.last_evaluated_key {
                Some(key) if customers.len() < max => start = Some(key),
                _ => return Ok(customers),
            }
        }
    }

    async fn link_by_job(&self, customer_id: &str, job: &Job, at: Millis) -> Result<LinkOutcome, StoreError> {
        self.update_link(customer_id, job, at).await
    }

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<LinkBasis, StoreError>>, StoreError> {
        self.get_links(customers).await
    }

    async fn put_result(&self, number: u64, result: &ChunkResult) -> Result<bool, StoreError> {
        self.put_once(from_result(number, result)).await
    }

    async fn read_results(&self, number: u64, after: Option<u32>) -> Result<ResultList, StoreError> {
        let table = self.limit_table()?;
        let request = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("PK = :job AND begins_with(SK, :chunks)")
            .expression_attribute_values(":job", S(parts_pk(number)))
            .expression_attribute_values(":chunks", S(CHUNK_PREFIX.to_owned()))
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|chunk| super::job_item::chunk_key(number, chunk)));
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        let results: Vec<ChunkResult> =
            answer.items().iter().map(|item| to_result(item, table)).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key.and_then(|_| results.last().map(|result| result.chunk));
        Ok(ResultList { results, next })
    }
}

/// Returns the condition, the update and the values of both.
fn change_of(change: &JobChange) -> (&'static str, &'static str, Item) {
    let mut values = item([(":to", S(change.to().name().to_owned()))]);
    let number = |at: Millis| N(at.get().to_string());
    let (condition, update, own) = match change {
        JobChange::Run(JobSize { customers, chunks }) => {
            let sizes = vec![(":customers", N(customers.to_string())), (":chunks", N(chunks.to_string()))];
            (IS_ENUMERATING, SET_RUNNING, sizes)
        }
        JobChange::Finish { counts, at } => {
            (IS_RUNNING, SET_DONE, vec![(":at", number(*at)), (":counts", from_counts(*counts))])
        }
        JobChange::Cancel { at, .. } => (IS_OPEN, SET_CANCELED, vec![(":at", number(*at))]),
        JobChange::Fail { failure, at } => {
            (IS_ENUMERATING, SET_FAILED, vec![(":at", number(*at)), (":failure", from_failure(failure))])
        }
    };
    values.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    for from in change.from() {
        values.insert(format!(":{}", from.name().to_ascii_lowercase()), S(from.name().to_owned()));
    }
    (condition, update, values)
}
