//! Jobs, and the links that they make, in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use crate::deciding::StoreError;
use crate::domain::{ChunkResult, CustomerLink, Job, LinkOutcome, Millis, PlanVersion};
use crate::limits::jobs::{JobChange, JobStore, ResultPage, Roster, RosterPage, roster_shard};

/// Maximum number of results of one page. It is small, so that tests read several.
const RESULTS_MAX: usize = 50;

/// What jobs read and write.
#[derive(Debug, Default)]
pub(super) struct JobTable {
    numbers: u64,
    plans: BTreeSet<PlanVersion>,
    programs: BTreeSet<String>,
    links: BTreeMap<String, CustomerLink>,
    jobs: BTreeMap<u64, Job>,
    pages: BTreeMap<(u64, u32), RosterPage>,
    results: BTreeMap<(u64, u32), ChunkResult>,
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
        JobChange::Cancel { at } => job.finished_at = Some(*at),
        JobChange::Fail { failure, at } => (job.failure, job.finished_at) = (Some(failure.clone()), Some(*at)),
    }
    true
}

impl JobStore for MemoryStore {
    async fn draw_number(&self) -> Result<u64, StoreError> {
        let numbers = &mut self.tables().jobs.numbers;
        *numbers += 1;
        Ok(*numbers)
    }

    async fn has_plan(&self, plan: &PlanVersion) -> Result<bool, StoreError> {
        Ok(self.tables().jobs.plans.contains(plan))
    }

    async fn has_program(&self, program_id: &str) -> Result<bool, StoreError> {
        let tables = self.tables();
        let is_of = |link: &CustomerLink| link.program_id.as_deref() == Some(program_id);
        Ok(tables.jobs.programs.contains(program_id) || tables.jobs.links.values().any(is_of))
    }

    async fn put_job(&self, job: &Job) -> Result<(), StoreError> {
        self.tables().jobs.jobs.entry(job.number).or_insert_with(|| job.clone());
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
        Ok(self.tables().jobs.jobs.get_mut(&number).is_some_and(|job| change(job, wanted)))
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
        Roster { program_id, shard }: &Roster<'_>,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let of_program = tables.jobs.links.iter().filter(|(_, link)| link.program_id.as_deref() == Some(*program_id));
        let customers = of_program.map(|(customer_id, _)| customer_id).filter(|id| roster_shard(id) == *shard);
        let behind = customers.filter(|customer_id| after.is_none_or(|after| customer_id.as_str() > after));
        Ok(behind.take(max).cloned().collect())
    }

    async fn link(&self, customer_id: &str, job: &Job, _at: Millis) -> Result<LinkOutcome, StoreError> {
        let links = &mut self.tables().jobs.links;
        let link = links.get(customer_id).cloned().unwrap_or_default();
        let outcome = link.outcome_of(job);
        if outcome != LinkOutcome::Superseded && !link.is_of(job) {
            let linked = CustomerLink {
                plan: Some(job.plan.clone()),
                number: Some(job.number),
                linked_from: link.plan,
                program_id: link.program_id,
            };
            links.insert(customer_id.to_owned(), linked);
        }
        Ok(outcome)
    }

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<CustomerLink, StoreError>>, StoreError> {
        let tables = self.tables();
        Ok(customers.iter().map(|id| Ok(tables.jobs.links.get(id).cloned().unwrap_or_default())).collect())
    }

    async fn put_result(&self, number: u64, result: &ChunkResult) -> Result<bool, StoreError> {
        let results = &mut self.tables().jobs.results;
        let is_new = !results.contains_key(&(number, result.chunk));
        results.entry((number, result.chunk)).or_insert_with(|| result.clone());
        Ok(is_new)
    }

    async fn read_results(&self, number: u64, after: Option<u32>) -> Result<ResultPage, StoreError> {
        let tables = self.tables();
        let first = after.map_or(0, |after| after.saturating_add(1));
        let behind = tables.jobs.results.range((number, first)..=(number, u32::MAX));
        let results: Vec<ChunkResult> = behind.map(|(_, result)| result.clone()).take(RESULTS_MAX).collect();
        let next = results.last().map(|result| result.chunk).filter(|_| results.len() == RESULTS_MAX);
        Ok(ResultPage { results, next })
    }
}
