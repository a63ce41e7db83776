//! Plans, programmes and links in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::MemoryStore;
use crate::deciding::{Cause, StoreError};
use crate::domain::{Limits, PlanVersion};
use crate::limits::{
    Enrollment, Link, LinkStore, Membership, PlanPage, PlanStore, Program, ProgramStore, StoredPlan, roster_shard,
};

/// The tables of plans, programmes and links.
#[derive(Debug, Default)]
pub(super) struct PlanTables {
    /// The latest version of each plan.
    heads: BTreeMap<String, u64>,
    versions: BTreeMap<PlanVersion, StoredPlan>,
    programs: BTreeMap<String, Program>,
    /// The last number that was drawn.
    pub(super) number: u64,
    /// The customers of each part of a programme's roster.
    pub(super) rosters: BTreeMap<(String, u8), BTreeSet<String>>,
    /// The programme of each customer that has one.
    pub(super) program_of: BTreeMap<String, Membership>,
    pub(super) links: BTreeMap<String, Link>,
}

impl PlanTables {
    /// Returns the default plan of a programme.
    pub(super) fn default_plan(&self, program_id: &str) -> Option<PlanVersion> {
        self.programs.get(program_id)?.default_plan.clone()
    }

    /// Returns the limits of a plan version.
    pub(super) fn limits(&self, plan: &PlanVersion) -> Result<Limits, StoreError> {
        let missing = || {
            let PlanVersion { plan_id, version } = plan;
            let what = format!("version {version} of the plan {plan_id} is missing: put it back");
            StoreError::Corrupt(Cause::new(what))
        };
        Ok(self.versions.get(plan).ok_or_else(missing)?.limits.clone())
    }
}

impl PlanStore for MemoryStore {
    async fn latest_version(&self, plan_id: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.tables().plans.heads.get(plan_id).copied())
    }

    async fn plan_version(&self, plan: &PlanVersion) -> Result<Option<StoredPlan>, StoreError> {
        Ok(self.tables().plans.versions.get(plan).cloned())
    }

    async fn list_plans(&self, after: Option<&str>, max: u16) -> Result<PlanPage, StoreError> {
        let tables = self.tables();
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let heads = tables.plans.heads.range::<str, _>(behind);
        let mut plans: Vec<PlanVersion> = heads
            .map(|(plan_id, version)| PlanVersion { plan_id: plan_id.clone(), version: *version })
            .take(usize::from(max).saturating_add(1))
            .collect();
        let is_end = plans.len() <= usize::from(max);
        plans.truncate(usize::from(max));
        let next = plans.last().filter(|_| !is_end).map(|plan| plan.plan_id.clone());
        Ok(PlanPage { plans, next })
    }

    async fn add_plan_version(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let PlanVersion { plan_id, version } = &plan.plan;
        let latest = tables.plans.heads.get(plan_id).copied().unwrap_or_default();
        if latest.checked_add(1) != Some(*version) {
            return Err(StoreError::Conflict(Cause::new("the plan has been changed by another writer")));
        }
        tables.plans.heads.insert(plan_id.clone(), *version);
        tables.plans.versions.insert(plan.plan.clone(), plan.clone());
        Ok(())
    }
}

impl ProgramStore for MemoryStore {
    async fn program(&self, program_id: &str) -> Result<Program, StoreError> {
        Ok(self.tables().plans.programs.get(program_id).cloned().unwrap_or_default())
    }

    async fn write_program(&self, program_id: &str, program: &Program) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let stored = tables.plans.programs.entry(program_id.to_owned()).or_default();
        if stored.version != program.version {
            return Err(StoreError::Conflict(Cause::new("the programme has been changed by another writer")));
        }
        *stored = Program { version: program.version + 1, default_plan: program.default_plan.clone() };
        Ok(())
    }

    async fn program_of(&self, customer_id: &str) -> Result<Membership, StoreError> {
        Ok(self.tables().plans.program_of.get(customer_id).cloned().unwrap_or_default())
    }

    async fn enroll(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Enrollment { customer_id, before, after } = enrollment;
        let plans = &mut tables.plans;
        let stored = plans.program_of.entry(customer_id.clone()).or_default();
        if stored != before {
            return Err(StoreError::Conflict(Cause::new(
                "the customer's programme has been changed by another writer",
            )));
        }
        *stored = Membership { program_id: after.clone(), version: before.version + 1 };
        let shard = |program_id: &String| (program_id.clone(), roster_shard(customer_id));
        if let Some(before) = &before.program_id {
            plans.rosters.entry(shard(before)).or_default().remove(customer_id);
        }
        if let Some(after) = after {
            plans.rosters.entry(shard(after)).or_default().insert(customer_id.clone());
        }
        Ok(())
    }
}

impl LinkStore for MemoryStore {
    async fn draw_number(&self) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        tables.plans.number += 1;
        Ok(tables.plans.number)
    }

    async fn link(&self, customer_id: &str) -> Result<Link, StoreError> {
        Ok(self.tables().plans.links.get(customer_id).cloned().unwrap_or_default())
    }

    async fn write_link(&self, customer_id: &str, read_number: u64, link: &Link) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let stored = tables.plans.links.entry(customer_id.to_owned()).or_default();
        if stored.number != read_number {
            return Err(StoreError::Conflict(Cause::new("the customer's link has been changed by another writer")));
        }
        *stored = link.clone();
        Ok(())
    }
}
