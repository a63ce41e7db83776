//! Changes of plans and links, and reading them.

use super::change::{PlanError, Seen, settle};
use super::{Author, Link, LinkStore, PlanPage, PlanStore, StoredPlan};
use crate::deciding::{Clock, StoreError};
use crate::domain::{Limits, Millis, PlanVersion};
use crate::limits::Precondition;

/// Reads and changes plans, programmes and links in a store.
#[derive(Clone, Debug)]
pub struct Plans<S, C> {
    /// The store.
    pub store: S,
    /// The clock. It dates changes.
    pub clock: C,
}

/// Result of putting a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutPlan {
    /// The plan is new.
    Created(StoredPlan),
    /// The plan has a new version.
    Changed(StoredPlan),
    /// The latest version has the same limits. Nothing was written.
    Unchanged(StoredPlan),
}

impl PutPlan {
    /// Returns the latest version.
    pub const fn plan(&self) -> &StoredPlan {
        match self {
            PutPlan::Created(plan) | PutPlan::Changed(plan) | PutPlan::Unchanged(plan) => plan,
        }
    }
}

impl<S: PlanStore, C: Clock> Plans<S, C> {
    /// Makes these limits the latest version of a plan. The same limits as those of the latest version make none.
    ///
    /// # Errors
    /// [`PlanError`]. After an error of the store, the version may have been added.
    pub async fn put_plan(
        &self,
        plan_id: &str,
        limits: Limits,
        precondition: &Precondition,
        by: &Author,
    ) -> Result<PutPlan, PlanError> {
        let read = self.store.latest_version(plan_id).await?;
        if !precondition.holds(read) {
            return Err(PlanError::Changed);
        }
        if let Some(latest) = read {
            let latest = self.known_plan(&PlanVersion { plan_id: plan_id.to_owned(), version: latest }).await?;
            if latest.limits == limits {
                return Ok(PutPlan::Unchanged(latest));
            }
        }
        let version = read.unwrap_or_default().saturating_add(1);
        let plan = StoredPlan {
            plan: PlanVersion { plan_id: plan_id.to_owned(), version },
            limits,
            created_at: Millis::of(self.clock.now()),
            created_by: by.clone(),
        };
        let seen = || async {
            if self.store.latest_version(plan_id).await? == read {
                return Ok(Seen::Unchanged);
            }
            let is_ours = self.store.plan_version(&plan.plan).await?.as_ref() == Some(&plan);
            Ok(if is_ours { Seen::Made } else { Seen::Changed })
        };
        settle(&self.clock, || self.store.add_plan_version(&plan), seen).await?;
        Ok(if read.is_none() { PutPlan::Created(plan) } else { PutPlan::Changed(plan) })
    }

    /// Returns the latest version of a plan, or another one.
    ///
    /// # Errors
    /// [`PlanError::UnknownPlan`], or the store's error.
    pub async fn plan(&self, plan_id: &str, version: Option<u64>) -> Result<StoredPlan, PlanError> {
        let version = match version {
            Some(version) => version,
            None => self.store.latest_version(plan_id).await?.ok_or(PlanError::UnknownPlan)?,
        };
        self.known_plan(&PlanVersion { plan_id: plan_id.to_owned(), version }).await
    }

    /// Returns at most `max` plans in the order of their ids: the first ones, or those behind an id.
    ///
    /// # Errors
    /// [`StoreError`] when the plans cannot be read, or cannot be understood.
    pub async fn plans(&self, after: Option<&str>, max: u16) -> Result<PlanPage, StoreError> {
        self.store.list_plans(after, max).await
    }

    /// Returns a plan version.
    ///
    /// # Errors
    /// [`PlanError::UnknownPlan`], or the store's error.
    pub(super) async fn known_plan(&self, plan: &PlanVersion) -> Result<StoredPlan, PlanError> {
        self.store.plan_version(plan).await?.ok_or(PlanError::UnknownPlan)
    }
}

impl<S: PlanStore + LinkStore, C: Clock> Plans<S, C> {
    /// Returns the link of a customer.
    ///
    /// # Errors
    /// [`PlanError::UnknownLink`] if no plan is linked to it, or the store's error.
    pub async fn link(&self, customer_id: &str) -> Result<Link, PlanError> {
        let link = self.store.link(customer_id).await?;
        if link.plan.is_some() { Ok(link) } else { Err(PlanError::UnknownLink) }
    }

    /// Links a plan version to a customer: one conditional write, under a number that is above all earlier ones.
    ///
    /// # Errors
    /// [`PlanError`]. After an error of the store, the customer may have been linked.
    pub async fn put_link(
        &self,
        customer_id: &str,
        plan: &PlanVersion,
        precondition: &Precondition,
        by: &Author,
    ) -> Result<Link, PlanError> {
        self.known_plan(plan).await?;
        self.replace_link(customer_id, Some(plan), precondition, by).await
    }

    /// Removes the link of a customer. Its number stays, so that an older job does not link the customer again.
    ///
    /// # Errors
    /// [`PlanError::UnknownLink`] if no plan is linked to it, or another [`PlanError`].
    pub async fn unlink(&self, customer_id: &str, precondition: &Precondition, by: &Author) -> Result<Link, PlanError> {
        self.replace_link(customer_id, None, precondition, by).await
    }

    async fn replace_link(
        &self,
        customer_id: &str,
        plan: Option<&PlanVersion>,
        precondition: &Precondition,
        by: &Author,
    ) -> Result<Link, PlanError> {
        let read = self.store.link(customer_id).await?;
        if plan.is_none() && read.plan.is_none() {
            return Err(PlanError::UnknownLink);
        }
        if !precondition.holds(read.plan.as_ref().map(|_| read.number)) {
            return Err(PlanError::Changed);
        }
        let link = Link {
            number: self.store.draw_number().await?,
            plan: plan.cloned(),
            linked_at: Some(Millis::of(self.clock.now())),
            linked_by: Some(by.clone()),
        };
        let seen = || async {
            let number = self.store.link(customer_id).await?.number;
            Ok(match number {
                number if number == link.number => Seen::Made,
                number if number == read.number => Seen::Unchanged,
                _ => Seen::Changed,
            })
        };
        settle(&self.clock, || self.store.write_link(customer_id, read.number, &link), seen).await?;
        Ok(link)
    }
}
