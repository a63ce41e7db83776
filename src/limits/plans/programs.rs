//! Changes of programmes and of their customers.

use super::change::{PlanError, Seen, settle};
use super::{Enrollment, Membership, PlanStore, Plans, Program, ProgramStore};
use crate::deciding::Clock;
use crate::domain::PlanVersion;
use crate::limits::Precondition;

impl<S: PlanStore + ProgramStore, C: Clock> Plans<S, C> {
    /// Returns a programme.
    ///
    /// # Errors
    /// [`PlanError::UnknownProgram`], or the store's error.
    pub async fn program(&self, program_id: &str) -> Result<Program, PlanError> {
        let program = self.store.program(program_id).await?;
        if program.version > 0 { Ok(program) } else { Err(PlanError::UnknownProgram) }
    }

    /// Makes a plan version the default of a programme: the plan of all its customers that have none of their own. Creates
    /// the programme if it does not exist. Decisions may use the default before for 30 s more.
    ///
    /// # Errors
    /// [`PlanError`]. After an error of the store, the default may have been changed.
    pub async fn put_default_plan(
        &self,
        program_id: &str,
        plan: &PlanVersion,
        precondition: &Precondition,
    ) -> Result<Program, PlanError> {
        self.known_plan(plan).await?;
        let read = self.store.program(program_id).await?;
        if !precondition.holds(Some(read.version).filter(|version| *version > 0)) {
            return Err(PlanError::Changed);
        }
        if read.default_plan.as_ref() == Some(plan) {
            return Ok(read);
        }
        self.write_program(program_id, &read, Some(plan)).await
    }

    /// Creates a programme without a default plan, unless it exists.
    ///
    /// # Errors
    /// [`PlanError::Store`].
    pub async fn ensure_program(&self, program_id: &str) -> Result<(), PlanError> {
        let read = self.store.program(program_id).await?;
        if read.version > 0 {
            return Ok(());
        }
        match self.write_program(program_id, &read, None).await {
            // Somebody else has created it.
            Ok(_) | Err(PlanError::Changed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write_program(
        &self,
        program_id: &str,
        read: &Program,
        default_plan: Option<&PlanVersion>,
    ) -> Result<Program, PlanError> {
        let written = Program { version: read.version, default_plan: default_plan.cloned() };
        let after = Program { version: read.version.saturating_add(1), ..written.clone() };
        let seen = || async {
            let stored = self.store.program(program_id).await?;
            Ok(match stored {
                stored if stored == after => Seen::Made,
                stored if stored == *read => Seen::Unchanged,
                _ => Seen::Changed,
            })
        };
        settle(&self.clock, || self.store.write_program(program_id, &written), seen).await?;
        Ok(after)
    }

    /// Enrols a customer in a programme, and removes it from another one. The programme must exist:
    /// [`Plans::ensure_program`]. Returns the programme before. Repeating it costs one read.
    ///
    /// # Errors
    /// [`PlanError`]. After an error of the store, the customer may have been enrolled.
    pub async fn enroll(&self, program_id: &str, customer_id: &str) -> Result<Option<String>, PlanError> {
        let before = self.store.program_of(customer_id).await?;
        let program_before = before.program_id.clone();
        if program_before.as_deref() != Some(program_id) {
            self.move_customer(customer_id, before, Some(program_id)).await?;
        }
        Ok(program_before)
    }

    /// Removes a customer from a programme. Returns false if it was not in this one. Its link stays.
    ///
    /// # Errors
    /// [`PlanError`]. After an error of the store, the customer may have been removed.
    pub async fn remove(&self, program_id: &str, customer_id: &str) -> Result<bool, PlanError> {
        let before = self.store.program_of(customer_id).await?;
        let is_enrolled = before.program_id.as_deref() == Some(program_id);
        if is_enrolled {
            self.move_customer(customer_id, before, None).await?;
        }
        Ok(is_enrolled)
    }

    async fn move_customer(&self, customer_id: &str, before: Membership, after: Option<&str>) -> Result<(), PlanError> {
        let (customer_id, after) = (customer_id.to_owned(), after.map(str::to_owned));
        let moved = Membership { program_id: after.clone(), version: before.version.saturating_add(1) };
        let enrollment = Enrollment { customer_id, before, after };
        let seen = || async {
            let stored = self.store.program_of(&enrollment.customer_id).await?;
            Ok(match stored {
                stored if stored == moved => Seen::Made,
                stored if stored == enrollment.before => Seen::Unchanged,
                _ => Seen::Changed,
            })
        };
        settle(&self.clock, || self.store.enroll(&enrollment), seen).await
    }
}
