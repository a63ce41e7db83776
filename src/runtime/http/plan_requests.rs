//! Requests of the handlers for plans, programmes and links.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::deciding::Clock;
use crate::domain::{Limits, PlanVersion};
use crate::limits::{
    Author, Link, LinkStore, PlanError, PlanPage, PlanStore, Plans, Precondition, Program, ProgramStore, PutPlan,
    StoredPlan,
};

/// Answer to a request about plans.
pub type PlanAnswer<'r, T> = BoxFuture<'r, Result<T, PlanError>>;

/// Plans, programmes and links. It keeps the types of stores out of the handlers.
pub trait PlanRequests: Send + Sync {
    /// See [`Plans::put_plan`].
    fn put_plan<'r>(
        &'r self,
        plan_id: &'r str,
        limits: Limits,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, PutPlan>;

    /// See [`Plans::plan`].
    fn plan<'r>(&'r self, plan_id: &'r str, version: Option<u64>) -> PlanAnswer<'r, StoredPlan>;

    /// See [`Plans::plans`].
    fn plans<'r>(&'r self, after: Option<&'r str>, max: u16) -> PlanAnswer<'r, PlanPage>;

    /// See [`Plans::link`].
    fn link<'r>(&'r self, customer_id: &'r str) -> PlanAnswer<'r, Link>;

    /// See [`Plans::put_link`].
    fn put_link<'r>(
        &'r self,
        customer_id: &'r str,
        plan: &'r PlanVersion,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, Link>;

    /// See [`Plans::unlink`].
    fn unlink<'r>(
        &'r self,
        customer_id: &'r str,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, Link>;

    /// See [`Plans::program`].
    fn program<'r>(&'r self, program_id: &'r str) -> PlanAnswer<'r, Program>;

    /// See [`Plans::put_default_plan`].
    fn put_default_plan<'r>(
        &'r self,
        program_id: &'r str,
        plan: &'r PlanVersion,
        precondition: &'r Precondition,
    ) -> PlanAnswer<'r, Program>;

    /// Enrols a customer in a programme, which is created if it does not exist. Returns the programme before.
    fn enroll<'r>(&'r self, program_id: &'r str, customer_id: &'r str) -> PlanAnswer<'r, Option<String>>;

    /// See [`Plans::remove`].
    fn remove<'r>(&'r self, program_id: &'r str, customer_id: &'r str) -> PlanAnswer<'r, bool>;
}

impl<S: PlanStore + ProgramStore + LinkStore, C: Clock> PlanRequests for Plans<S, C> {
    fn put_plan<'r>(
        &'r self,
        plan_id: &'r str,
        limits: Limits,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, PutPlan> {
        Plans::put_plan(self, plan_id, limits, precondition, by).boxed()
    }

    fn plan<'r>(&'r self, plan_id: &'r str, version: Option<u64>) -> PlanAnswer<'r, StoredPlan> {
        Plans::plan(self, plan_id, version).boxed()
    }

    fn plans<'r>(&'r self, after: Option<&'r str>, max: u16) -> PlanAnswer<'r, PlanPage> {
        async move { Ok(Plans::plans(self, after, max).await?) }.boxed()
    }

    fn link<'r>(&'r self, customer_id: &'r str) -> PlanAnswer<'r, Link> {
        Plans::link(self, customer_id).boxed()
    }

    fn put_link<'r>(
        &'r self,
        customer_id: &'r str,
        plan: &'r PlanVersion,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, Link> {
        Plans::put_link(self, customer_id, plan, precondition, by).boxed()
    }

    fn unlink<'r>(
        &'r self,
        customer_id: &'r str,
        precondition: &'r Precondition,
        by: &'r Author,
    ) -> PlanAnswer<'r, Link> {
        Plans::unlink(self, customer_id, precondition, by).boxed()
    }

    fn program<'r>(&'r self, program_id: &'r str) -> PlanAnswer<'r, Program> {
        Plans::program(self, program_id).boxed()
    }

    fn put_default_plan<'r>(
        &'r self,
        program_id: &'r str,
        plan: &'r PlanVersion,
        precondition: &'r Precondition,
    ) -> PlanAnswer<'r, Program> {
        Plans::put_default_plan(self, program_id, plan, precondition).boxed()
    }

    fn enroll<'r>(&'r self, program_id: &'r str, customer_id: &'r str) -> PlanAnswer<'r, Option<String>> {
        async move {
            self.ensure_program(program_id).await?;
            Plans::enroll(self, program_id, customer_id).await
        }
        .boxed()
    }

    fn remove<'r>(&'r self, program_id: &'r str, customer_id: &'r str) -> PlanAnswer<'r, bool> {
        Plans::remove(self, program_id, customer_id).boxed()
    }
}
