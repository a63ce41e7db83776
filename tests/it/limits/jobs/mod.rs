//! Jobs that link every customer of a programme.

mod contract;
mod simulation;
mod steps;
mod world;

use loadgate::domain::{Job, JobState, Limits, Millis, PlanVersion};
use loadgate::limits::{Author, Enrollment, Link, LinkStore, PlanStore, ProgramStore, StoredPlan};

use super::store::NOW_MS;

pub fn plan(version: u64) -> PlanVersion {
    PlanVersion { plan_id: "standard".to_owned(), version }
}

/// Puts so many versions of the plan.
pub async fn put_plans(store: &impl PlanStore, versions: u64) {
    for version in 1..=versions {
        let stored = StoredPlan {
            plan: plan(version),
            limits: Limits::default(),
            created_at: Millis::new(NOW_MS),
            created_by: Author("test".to_owned()),
        };
        store.add_plan_version(&stored).await.unwrap();
    }
}

/// Moves a customer to a programme, or out of all.
pub async fn enroll(store: &impl ProgramStore, customer_id: &str, program_id: Option<&str>) {
    let before = store.program_of(customer_id).await.unwrap();
    let after = program_id.map(str::to_owned);
    store.enroll(&Enrollment { customer_id: customer_id.to_owned(), before, after }).await.unwrap();
}

/// Links a customer by hand, or unlinks it. Returns the number.
pub async fn link_by_hand(store: &impl LinkStore, customer_id: &str, plan: Option<PlanVersion>) -> u64 {
    let read = store.link(customer_id).await.unwrap().number;
    let number = store.draw_number().await.unwrap();
    let link = Link { number, plan, linked_at: Some(Millis::new(NOW_MS)), linked_by: Some(Author("hand".to_owned())) };
    store.write_link(customer_id, read, &link).await.unwrap();
    number
}

/// Returns a job of the programme `gold` to this version of the plan.
pub fn job(number: u64, version: u64) -> Job {
    Job {
        number,
        program_id: "gold".to_owned(),
        plan: plan(version),
        is_dry_run: false,
        state: JobState::Enumerating,
        size: None,
        started_at: Millis::new(NOW_MS),
        started_by: "test".to_owned(),
        finished_at: None,
        counts: None,
        failure: None,
    }
}
