//! Jobs, and the links that they make, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{MemoryStore, Tables};
use crate::deciding::{Cause, StoreError};
use crate::domain::{ChunkResult, Job, LinkBasis, LinkOutcome, Millis, PlanVersion};
use crate::limits::jobs::{JobChange, JobStore, ResultList, RosterPage, RosterShard};
use crate::limits::{Author, KeptAnswer, Link};

/// Maximum number of results of one page. It is small, so that tests read several.
const RESULTS_MAX: usize = 50;

/// What jobs read and write.
#[derive(Debug, Default)]
pub(super) struct JobTable {
    /// The plan version before the last link by a job, by the customer.
    linked_from: BTreeMap<String, Option<PlanVersion>>,
    jobs: BTreeMap<u64, Job>,
    pages: BTreeMap<(u64, u32), RosterPage>,
    results: BTreeMap<(u64, u32), ChunkResult>,
}

impl JobTable {
    /// Forgets what belongs to a customer's settings.
    #[cfg(feature = "cli")]
    pub(super) fn forget(&mut self, customer_id: &str) {
        self.linked_from.remove(customer_id);
    }
}

/// Changes a job as a store does, if the change is possible.
fn change(job: &mut Job, change: &JobChange) -> bool {
    if !change.from().contains(&job.state) {
        return false;
    }
    job.state = change.to();
    match change {
        JobChange::Run(size) => job.size = Some(*size),
        JobChange::Finish { counts, at } => (job.counts, job.finished_at) = (Some(*counts), Some(*at)),
        JobChange::Cancel { at, .. } => job.finished_at = Some(*at),
        JobChange::Fail { failure, at } => (job.failure, job.finished_at) = (Some(failure.clone()), Some(*at)),
    }
    true
}

fn link_basis(tables: &Tables, customer_id: &str) -> LinkBasis {
    let link = tables.plans.links.get(customer_id);
    LinkBasis {
        program_id: tables.plans.program_of.get(customer_id).and_then(|of| of.program_id.clone()),
        plan: link.and_then(|link| link.plan.clone()),
        number: link.map_or(0, |link| link.number),
        linked_from: tables.jobs.linked_from.get(customer_id).cloned().flatten(),
    }
}

impl JobStore for MemoryStore {
    async fn put_job(&self, job: &Job, answer: Option<&KeptAnswer>) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        if tables.jobs.jobs.contains_key(&job.number) {
            return Ok(());
        }
        if answer.is_some_and(|answer| !tables.limits.keep(answer)) {
            return Err(StoreError::Conflict(Cause::new("an answer is kept under the same key")));
        }
        tables.jobs.jobs.insert(job.number, job.clone());
        Ok(())
    }

    async fn read_job(&self, number: u64) -> Result<Option<Job>, StoreError> {
        Ok(self.tables().jobs.jobs.get(&number).cloned())
    }

    async fn read_jobs(&self, before: Option<u64>, max: u16) -> Result<Vec<Job>, StoreError> {
        let tables = self.tables();
        let older = tables.jobs.jobs.range(..before.unwrap_or(u64::MAX)).rev();
        Ok(older.map(|(_, job)| job.clone()).take(usize::from(max)).collect())
    }

    async fn change_job(&self, number: u64, wanted: &JobChange) -> Result<bool, StoreError> {
        let tables = &mut *self.tables();
        let job = tables.jobs.jobs.get_mut(&number).filter(|job| wanted.from().contains(&job.state));
        let Some(job) = job else { return Ok(false) };
        if let JobChange::Cancel { answer: Some(answer), .. } = wanted
            && !tables.limits.keep(answer)
        {
            return Err(StoreError::Conflict(Cause::new("an answer is kept under the same key")));
        }
        Ok(change(job, wanted))
    }

    async fn read_page(&self, number: u64, page: u32) -> Result<Option<RosterPage>, StoreError> {
        Ok(self.tables().jobs.pages.get(&(number, page)).cloned())
    }

    async fn put_page(&self, number: u64, page: u32, content: &RosterPage) -> Result<bool, StoreError> {
        let pages = &mut self.tables().jobs.pages;
        let is_new = !pages.contains_key(&(number, page));
        pages.entry((number, page)).or_insert_with(|| content.clone());
        Ok(is_new)
    }

    async fn read_roster(
        &self,
        RosterShard { program_id, shard }: &RosterShard<'_>,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let roster = tables.plans.rosters.get(&((*program_id).to_owned(), *shard));
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let customers = roster.into_iter().flat_map(|roster| BTreeSet::range::<str, _>(roster, behind));
        Ok(customers.take(max).cloned().collect())
    }

    async fn link_by_job(&self, customer_id: &str, job: &Job, at: Millis) -> Result<LinkOutcome, StoreError> {
        let mut tables = self.tables();
        let link = link_basis(&tables, customer_id);
        let outcome = link.outcome_of(job);
        if outcome != LinkOutcome::Superseded && !link.is_of(job) {
            let linked_by = Some(Author(job.started_by.clone()));
            let made = Link { number: job.number, plan: Some(job.plan.clone()), linked_at: Some(at), linked_by };
            tables.plans.links.insert(customer_id.to_owned(), made);
            tables.jobs.linked_from.insert(customer_id.to_owned(), link.plan);
        }
        Ok(outcome)
    }

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<LinkBasis, StoreError>>, StoreError> {
        let tables = self.tables();
        Ok(customers.iter().map(|customer_id| Ok(link_basis(&tables, customer_id))).collect())
    }

    async fn put_result(&self, number: u64, result: &ChunkResult) -> Result<bool, StoreError> {
        let results = &mut self.tables().jobs.results;
        let is_new = !results.contains_key(&(number, result.chunk));
        results.entry((number, result.chunk)).or_insert_with(|| result.clone());
        Ok(is_new)
    }

    async fn read_results(&self, number: u64, after: Option<u32>) -> Result<ResultList, StoreError> {
        let tables = self.tables();
        let first = after.map_or(0, |after| after.saturating_add(1));
        let behind = tables.jobs.results.range((number, first)..=(number, u32::MAX));
        let results: Vec<ChunkResult> = behind.map(|(_, result)| result.clone()).take(RESULTS_MAX).collect();
        let next = results.last().map(|result| result.chunk).filter(|_| results.len() == RESULTS_MAX);
        Ok(ResultList { results, next })
    }
}
