//! Changes of plans, links and programmes by several people at once, over a network that loses requests and answers.

use std::sync::{Arc, Mutex};

use fastrand::Rng;
use futures_util::future::join_all;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Cause, StoreError};
use loadgate::domain::PlanVersion;
use loadgate::limits::{
    Author, Enrollment, Link, LinkStore, Membership, PlanError, PlanPage, PlanStore, Plans, Precondition, Program,
    ProgramStore, PutPlan, StoredPlan,
};

use super::plan_stores::{plan, version};
use super::store::StandingClock;

/// Changes that the store has made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Version(PlanVersion),
    Link(u64),
    Program(u64),
    Enrollment(Option<String>),
}

/// A store that loses requests and answers, repeats writes as an HTTP client does, and is short of capacity.
#[derive(Clone)]
struct Lossy {
    store: MemoryStore,
    rng: Arc<Mutex<Rng>>,
    made: Arc<Mutex<Vec<Made>>>,
}

impl Lossy {
    fn new(seed: u64) -> Lossy {
        Lossy { store: MemoryStore::default(), rng: Arc::new(Mutex::new(Rng::with_seed(seed))), made: Arc::default() }
    }

    fn plans(&self) -> Plans<Lossy, StandingClock> {
        Plans { store: self.clone(), clock: StandingClock }
    }

    fn draw(&self, below: u32) -> u32 {
        self.rng.lock().unwrap().u32(..below)
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        for _ in 0..self.draw(4) {
            tokio::task::yield_now().await;
        }
        if self.draw(100) < 3 { Err(StoreError::Throttled(Cause::new("no capacity"))) } else { read.await }
    }

    async fn write<F>(&self, write: impl Fn() -> F, made: Made) -> Result<(), StoreError>
    where
        F: Future<Output = Result<(), StoreError>>,
    {
        for _ in 0..self.draw(4) {
            tokio::task::yield_now().await;
        }
        let fault = self.draw(100);
        let lost = || Err(StoreError::Unavailable(Cause::new("no answer")));
        match fault {
            0..10 => return lost(),
            // Two requests that meet: nothing is written, as after a failed condition.
            10..20 => return Err(StoreError::Conflict(Cause::new("another transaction"))),
            _ => {}
        }
        let mut written = write().await;
        if written.is_ok() {
            self.made.lock().unwrap().push(made);
        }
        if fault >= 90 {
            // The client repeats a request whose answer is lost.
            written = write().await;
        }
        if (80..90).contains(&fault) { lost() } else { written }
    }

    fn made(&self) -> Vec<Made> {
        self.made.lock().unwrap().clone()
    }
}

impl PlanStore for Lossy {
    async fn latest_version(&self, plan_id: &str) -> Result<Option<u64>, StoreError> {
        self.read(self.store.latest_version(plan_id)).await
    }

    async fn plan_version(&self, plan: &PlanVersion) -> Result<Option<StoredPlan>, StoreError> {
        self.read(self.store.plan_version(plan)).await
    }

    async fn list_plans(&self, after: Option<&str>, max: u16) -> Result<PlanPage, StoreError> {
        self.read(self.store.list_plans(after, max)).await
    }

    async fn add_plan_version(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        self.write(|| self.store.add_plan_version(plan), Made::Version(plan.plan.clone())).await
    }
}

impl ProgramStore for Lossy {
    async fn program(&self, program_id: &str) -> Result<Program, StoreError> {
        self.read(self.store.program(program_id)).await
    }

    async fn write_program(&self, program_id: &str, program: &Program) -> Result<(), StoreError> {
        self.write(|| self.store.write_program(program_id, program), Made::Program(program.version + 1)).await
    }

    async fn program_of(&self, customer_id: &str) -> Result<Membership, StoreError> {
        self.read(self.store.program_of(customer_id)).await
    }

    async fn enroll(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        self.write(|| self.store.enroll(enrollment), Made::Enrollment(enrollment.after.clone())).await
    }
}

impl LinkStore for Lossy {
    async fn draw_number(&self) -> Result<u64, StoreError> {
        self.read(self.store.draw_number()).await
    }

    async fn link(&self, customer_id: &str) -> Result<Link, StoreError> {
        self.read(self.store.link(customer_id)).await
    }

    async fn write_link(&self, customer_id: &str, read_number: u64, link: &Link) -> Result<(), StoreError> {
        self.write(|| self.store.write_link(customer_id, read_number, link), Made::Link(link.number)).await
    }
}

fn author(number: u64) -> Author {
    Author(format!("author {number}"))
}

/// Returns true if a refused change was certainly not made.
fn is_refused(error: &PlanError) -> bool {
    matches!(error, PlanError::Changed | PlanError::UnknownLink)
}

#[tokio::test]
async fn each_put_makes_one_version_or_none() {
    let (mut made, mut refused) = (0, 0);
    for seed in 0..300 {
        let store = Lossy::new(seed);
        let put = async |number: u64| {
            let limits = plan("p", 1, 1 + number % 4).limits;
            (number, store.plans().put_plan("p", limits, &Precondition::Unset, &author(number)).await)
        };
        let results = join_all((0..6).map(put)).await;
        let latest = store.store.latest_version("p").await.unwrap().unwrap_or_default();
        let mut authors = Vec::new();
        for number in 1..=latest {
            authors.push(store.store.plan_version(&version("p", number)).await.unwrap().unwrap().created_by);
        }
        assert_eq!(store.made(), (1..=latest).map(|n| Made::Version(version("p", n))).collect::<Vec<_>>());
        for (number, result) in results {
            let is_stored = authors.iter().filter(|known| **known == author(number)).count();
            match result {
                Ok(PutPlan::Created(plan) | PutPlan::Changed(plan)) => {
                    assert_eq!(is_stored, 1, "seed {seed}");
                    assert_eq!(store.store.plan_version(&plan.plan).await.unwrap(), Some(plan));
                    made += 1;
                }
                Ok(PutPlan::Unchanged(_)) => assert_eq!(is_stored, 0, "seed {seed}"),
                Err(PlanError::Store(_)) => assert!(is_stored <= 1, "seed {seed}"),
                Err(error) => {
                    assert!(is_refused(&error) && is_stored == 0, "seed {seed}: {error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(made > 300 && refused > 100, "{made} {refused}");
}

#[tokio::test]
async fn each_link_is_made_or_refused_and_none_overwrites_another() {
    let (mut made, mut refused) = (0, 0);
    for seed in 0..300 {
        let store = Lossy::new(seed);
        store.store.add_plan_version(&plan("p", 1, 1)).await.unwrap();
        let change = async |number: u64| {
            let plans = store.plans();
            if number.is_multiple_of(3) {
                plans.unlink("u", &Precondition::Unset, &author(number)).await
            } else {
                plans.put_link("u", &version("p", 1), &Precondition::Unset, &author(number)).await
            }
        };
        let results = join_all((0..6).map(change)).await;
        let applied = store.made();
        for result in &results {
            match result {
                Ok(link) => {
                    assert_eq!(applied.iter().filter(|made| **made == Made::Link(link.number)).count(), 1);
                    made += 1;
                }
                Err(PlanError::Store(_)) => {}
                Err(error) => {
                    assert!(is_refused(error), "seed {seed}: {error}");
                    refused += 1;
                }
            }
        }
        // A change that was refused is not in force.
        let last = applied.last().cloned();
        let stored = store.store.link("u").await.unwrap();
        assert_eq!(last.unwrap_or(Made::Link(0)), Made::Link(stored.number));
        for (number, result) in (0..).zip(&results) {
            let is_in_force = stored.linked_by == Some(author(number));
            assert!(!is_in_force || !matches!(result, Err(error) if is_refused(error)), "seed {seed}: {results:?}");
        }
    }
    assert!(made > 300 && refused > 100, "{made} {refused}");
}

#[tokio::test]
async fn a_customer_ends_in_one_programme_and_its_roster() {
    for seed in 0..300 {
        let store = Lossy::new(seed);
        let enroll = async |number: u64| {
            let (plans, program_id) = (store.plans(), ["gold", "silver"][usize::try_from(number % 2).unwrap()]);
            plans.ensure_program(program_id).await?;
            if number == 5 {
                return plans.remove(program_id, "u").await.map(drop);
            }
            plans.enroll(program_id, "u").await.map(drop)
        };
        let results = join_all((0..6).map(enroll)).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(is_refused(error) || matches!(error, PlanError::Store(_)), "seed {seed}: {error}");
        }
        let made = store.made();
        let last = made.iter().rev().find_map(|made| match made {
            Made::Enrollment(after) => Some(after.clone()),
            _ => None,
        });
        assert_eq!(store.store.program_of("u").await.unwrap().program_id, last.flatten(), "seed {seed}");
        let created = made.iter().filter(|made| matches!(made, Made::Program(_))).count();
        assert!(created <= 2, "seed {seed}: each programme is created once");
    }
}

#[tokio::test]
async fn a_default_plan_is_changed_on_top_of_what_was_read() {
    for seed in 0..300 {
        let store = Lossy::new(seed);
        for number in 1..=4 {
            store.store.add_plan_version(&plan("p", number, number)).await.unwrap();
        }
        let put = async |number: u64| {
            store.plans().put_default_plan("gold", &version("p", number), &Precondition::Is(vec![1])).await
        };
        store.store.write_program("gold", &Program::default()).await.unwrap();
        let results = join_all((1..=4).map(put)).await;
        let stored = store.store.program("gold").await.unwrap();
        assert!(stored.version <= 2, "seed {seed}: at most one change is based on version 1");
        for program in results.iter().filter_map(|result| result.as_ref().ok()) {
            assert_eq!(*program, stored, "seed {seed}");
        }
    }
}
