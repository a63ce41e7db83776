//! Interfaces to a store of plans, programmes and links. All reads are strongly consistent.
//!
//! After an error of a write, only a read shows whether the write was made.

use super::{Enrollment, Link, Membership, PlanPage, Program, StoredPlan};
use crate::deciding::StoreError;
use crate::domain::PlanVersion;

/// Storage of plans.
pub trait PlanStore: Send + Sync {
    /// Returns the latest version of a plan; `None` if there is no such plan.
    fn latest_version(&self, plan_id: &str) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Reads a plan version; `None` if there is none.
    fn plan_version(&self, plan: &PlanVersion) -> impl Future<Output = Result<Option<StoredPlan>, StoreError>> + Send;

    /// Reads at most `max` plans in the order of their ids: the first ones, or those behind an id.
    fn list_plans(&self, after: Option<&str>, max: u16) -> impl Future<Output = Result<PlanPage, StoreError>> + Send;

    /// Adds a plan version, and makes it the latest.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the latest version is not the one before it (none, for version 1).
    fn add_plan_version(&self, plan: &StoredPlan) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Storage of programmes and of their customers.
pub trait ProgramStore: Send + Sync {
    /// Reads a programme; its version is 0 if it does not exist.
    fn program(&self, program_id: &str) -> impl Future<Output = Result<Program, StoreError>> + Send;

    /// Stores a programme under the version that follows `program.version`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the stored version is not `program.version`.
    fn write_program(&self, program_id: &str, program: &Program)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the programme of a customer.
    fn program_of(&self, customer_id: &str) -> impl Future<Output = Result<Membership, StoreError>> + Send;

    /// Moves a customer from a programme to another one, in the customer's settings and in both rosters, all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the customer's programme has changed since it was read.
    fn enroll(&self, enrollment: &Enrollment) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Storage of links.
pub trait LinkStore: Send + Sync {
    /// Draws the next number for a link, an unlink or a job. No number is drawn twice; some may be lost.
    fn draw_number(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Reads a customer's link.
    fn link(&self, customer_id: &str) -> impl Future<Output = Result<Link, StoreError>> + Send;

    /// Replaces a customer's link, or removes it: `link.plan` is `None` then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the number of the stored link is not `read_number`.
    fn write_link(
        &self,
        customer_id: &str,
        read_number: u64,
        link: &Link,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
