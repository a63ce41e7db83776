//! A store and a queue with every kind of trouble, in tokio's time. The store keeps a history of all that it has done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use loadgate::adapters::MemoryStore;
use loadgate::deciding::{Cause, Clock, QueueError, StoreError};
use loadgate::domain::{ChunkResult, Job, JobMessage, JobState, LinkBasis, LinkOutcome, Millis, PlanVersion};
use loadgate::limits::jobs::{JobChange, JobQueue, JobStore, RECEIVES_MAX, ResultList, RosterPage, RosterShard};
use loadgate::limits::{
    AnswerStore, Enrollment, KeptAnswer, Link, LinkStore, Membership, PlanPage, PlanStore, Program, ProgramStore,
    RequestKey, StoredPlan,
};
use loadgate::wire::job_message;

use crate::limits::stream::world::PausedClock;

/// A mechanism that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Links go over newer ones.
    NumbersIgnored,
    /// Links do not need the programme.
    ProgramIgnored,
    /// A repeated link does not know that the job has made it.
    OwnLinkForgotten,
    /// A repeated link takes its own plan for the one before.
    LinkedFromForgotten,
    /// A page is not saved: whoever needs it again finds the customers who are in the programme by then.
    PageUnsaved,
    /// A chunk of a cancelled job begins all the same.
    CancelUnseen,
    /// A result is added up each time that its chunk is delivered.
    ResultAgain,
}

/// One entry of the history.
#[derive(Clone, Debug)]
pub enum Done {
    Enrolled {
        customer: String,
        program: Option<String>,
    },
    LinkedByHand {
        customer: String,
        number: u64,
        plan: Option<PlanVersion>,
    },
    /// A job has made a link, over this one. `read_at` is the instant at which its worker read the job.
    LinkedByJob {
        customer: String,
        job: u64,
        over: Option<PlanVersion>,
        read_at: Option<Millis>,
    },
    JobStored(Job),
    Changed {
        job: u64,
        to: JobState,
    },
    PageStored {
        job: u64,
        customers: Vec<String>,
    },
    ResultStored {
        job: u64,
        result: ChunkResult,
    },
}

/// What the troubled store shares.
struct Shared {
    rng: Rng,
    /// Frequency of each kind of trouble in a thousand requests.
    permille: u16,
    history: Vec<(Millis, Done)>,
    sabotage: Option<Sabotage>,
    /// A customer for whom there is never any capacity.
    refused: Option<String>,
    /// A customer whose link is made, and never answered.
    muted: Option<String>,
}

/// A store that loses requests and answers, makes writes late, and is short of capacity. Clones share it.
#[derive(Clone)]
pub struct World {
    pub inner: MemoryStore,
    pub clock: PausedClock,
    shared: Arc<Mutex<Shared>>,
}

impl World {
    pub fn new(seed: u64, permille: u16, sabotage: Option<Sabotage>) -> World {
        let shared =
            Shared { rng: Rng::with_seed(seed), permille, history: vec![], sabotage, refused: None, muted: None };
        World { inner: MemoryStore::default(), clock: PausedClock::new(), shared: Arc::new(Mutex::new(shared)) }
    }

    pub fn history(&self) -> Vec<(Millis, Done)> {
        self.shared.lock().unwrap().history.clone()
    }

    pub fn now(&self) -> Millis {
        Millis::of(self.clock.now())
    }

    /// Lets the store never have capacity for a customer's link.
    pub fn refuse(&self, customer: &str) {
        self.shared.lock().unwrap().refused = Some(customer.to_owned());
    }

    /// Lets the store make a customer's link, and never answer.
    pub fn mute(&self, customer: &str) {
        self.shared.lock().unwrap().muted = Some(customer.to_owned());
    }

    fn is(&self, sabotage: Sabotage) -> bool {
        self.shared.lock().unwrap().sabotage == Some(sabotage)
    }

    fn draw(&self, below: u64) -> u64 {
        self.shared.lock().unwrap().rng.u64(0..below)
    }

    fn chance(&self) -> bool {
        let shared = &mut *self.shared.lock().unwrap();
        shared.rng.u16(0..1000) < shared.permille
    }

    pub fn note(&self, done: Done) {
        let now = self.now();
        self.shared.lock().unwrap().history.push((now, done));
    }

    /// Lets a request take its time, and get lost. `request` runs when its effect comes.
    async fn request<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        request: impl FnOnce(World) -> F + Send + 'static,
    ) -> Result<T, StoreError> {
        let lost = || Err(StoreError::Unavailable(Cause::new("no answer")));
        tokio::time::sleep(Duration::from_millis(self.draw(15))).await;
        if self.chance() {
            return Err(StoreError::Throttled(Cause::new("no capacity")));
        }
        if self.chance() {
            return lost();
        }
        if self.chance() {
            // The write is made after its sender has given up.
            let (world, late) = (self.clone(), Duration::from_millis(self.draw(2_000)));
            tokio::spawn(async move {
                tokio::time::sleep(late).await;
                drop(request(world).await);
            });
            return lost();
        }
        let result = request(self.clone()).await;
        tokio::time::sleep(Duration::from_millis(self.draw(15))).await;
        if self.chance() { lost() } else { result }
    }

    /// Changes a customer's programme.
    pub async fn enroll_now(&self, customer: &str, program: Option<&str>) {
        super::enroll(&self.inner, customer, program).await;
        self.note(Done::Enrolled { customer: customer.to_owned(), program: program.map(str::to_owned) });
    }

    /// Links a customer by hand, or unlinks it.
    pub async fn link_now(&self, customer: &str, plan: Option<PlanVersion>) {
        let number = super::link_by_hand(&self.inner, customer, plan.clone()).await;
        self.note(Done::LinkedByHand { customer: customer.to_owned(), number, plan });
    }

    /// Makes a link, with a mechanism taken out if one is.
    async fn link_or_err(&self, customer: &str, job: &Job) -> Result<LinkOutcome, StoreError> {
        let link = self.inner.read_links(&[customer.to_owned()]).await?.remove(0)?;
        if self.is(Sabotage::OwnLinkForgotten) && link.is_of(job) {
            return Ok(LinkOutcome::Superseded);
        }
        if self.is(Sabotage::LinkedFromForgotten) && link.is_of(job) {
            return Ok(LinkOutcome::AlreadyLinked);
        }
        let is_other = link.program_id.as_ref() != Some(&job.program_id);
        let is_newer = link.number > job.number;
        let is_wrong =
            self.is(Sabotage::NumbersIgnored) && is_newer || self.is(Sabotage::ProgramIgnored) && is_other && !is_newer;
        if is_wrong && !link.is_of(job) {
            let made = Link { number: job.number, plan: Some(job.plan.clone()), ..Link::default() };
            self.inner.write_link(customer, link.number, &made).await?;
            return Ok(LinkOutcome::Linked);
        }
        self.inner.link_by_job(customer, job, self.now()).await
    }
}

impl JobStore for World {
    async fn put_job(&self, job: &Job, answer: Option<&KeptAnswer>) -> Result<(), StoreError> {
        let (job, answer) = (job.clone(), answer.cloned());
        self.request(|world| async move {
            let is_new = world.inner.read_job(job.number).await?.is_none();
            world.inner.put_job(&job, answer.as_ref()).await?;
            if is_new {
                world.note(Done::JobStored(job));
            }
            Ok(())
        })
        .await
    }

    async fn read_job(&self, number: u64) -> Result<Option<Job>, StoreError> {
        let is_unseen = self.is(Sabotage::CancelUnseen);
        let read = self.request(move |world| async move { Ok((world.inner.read_job(number).await?, world.now())) });
        let (job, read_at) = read.await?;
        // A job that goes on has no end. In its place, the instant of the read comes along to the link.
        let open = |job| Job { finished_at: Some(read_at), ..job };
        Ok(job.map(|job| match job.state {
            JobState::Canceled if is_unseen => open(Job { state: JobState::Running, ..job }),
            JobState::Enumerating | JobState::Running => open(job),
            JobState::Done | JobState::Canceled | JobState::Failed => job,
        }))
    }

    async fn read_jobs(&self, before: Option<u64>, max: u16) -> Result<Vec<Job>, StoreError> {
        self.inner.read_jobs(before, max).await
    }

    async fn change_job(&self, number: u64, change: &JobChange) -> Result<bool, StoreError> {
        let change = change.clone();
        self.request(move |world| async move {
            let is_changed = world.inner.change_job(number, &change).await?;
            if is_changed {
                world.note(Done::Changed { job: number, to: change.to() });
            }
            Ok(is_changed)
        })
        .await
    }

    async fn read_page(&self, number: u64, page: u32) -> Result<Option<RosterPage>, StoreError> {
        self.request(move |world| async move {
            let mut stored = world.inner.read_page(number, page).await?;
            if let (true, Some(content)) = (world.is(Sabotage::PageUnsaved), &mut stored) {
                let job = world.inner.read_job(number).await?;
                let links = world.inner.read_links(&content.customers).await?;
                let mut is_in = links
                    .into_iter()
                    .map(|link| link.unwrap().program_id == job.as_ref().map(|job| job.program_id.clone()));
                content.customers.retain(|_| is_in.next().unwrap());
            }
            Ok(stored)
        })
        .await
    }

    async fn put_page(&self, number: u64, page: u32, content: &RosterPage) -> Result<bool, StoreError> {
        let content = content.clone();
        self.request(move |world| async move {
            let is_new = world.inner.put_page(number, page, &content).await?;
            if is_new {
                world.note(Done::PageStored { job: number, customers: content.customers });
            }
            Ok(is_new)
        })
        .await
    }

    async fn read_roster(
        &self,
        roster: &RosterShard<'_>,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (program_id, shard, after) = (roster.program_id.to_owned(), roster.shard, after.map(str::to_owned));
        self.request(move |world| async move {
            let roster = RosterShard { program_id: &program_id, shard };
            world.inner.read_roster(&roster, after.as_deref(), max).await
        })
        .await
    }

    async fn link_by_job(&self, customer_id: &str, job: &Job, _at: Millis) -> Result<LinkOutcome, StoreError> {
        if self.shared.lock().unwrap().refused.as_deref() == Some(customer_id) {
            return Err(StoreError::Throttled(Cause::new("no capacity")));
        }
        let is_muted = self.shared.lock().unwrap().muted.as_deref() == Some(customer_id);
        let (customer, job) = (customer_id.to_owned(), job.clone());
        self.request(move |world| async move {
            let before = world.inner.read_links(std::slice::from_ref(&customer)).await?.remove(0)?;
            let outcome = world.link_or_err(&customer, &job).await?;
            let after = world.inner.read_links(std::slice::from_ref(&customer)).await?.remove(0)?;
            if after.is_of(&job) && !before.is_of(&job) {
                world.note(Done::LinkedByJob {
                    customer,
                    job: job.number,
                    over: before.plan,
                    read_at: job.finished_at,
                });
            }
            if is_muted { Err(StoreError::Unavailable(Cause::new("no answer"))) } else { Ok(outcome) }
        })
        .await
    }

    async fn read_links(&self, customers: &[String]) -> Result<Vec<Result<LinkBasis, StoreError>>, StoreError> {
        let customers = customers.to_vec();
        self.request(move |world| async move { world.inner.read_links(&customers).await }).await
    }

    async fn put_result(&self, number: u64, result: &ChunkResult) -> Result<bool, StoreError> {
        let mut result = result.clone();
        self.request(move |world| async move {
            if world.is(Sabotage::ResultAgain) && !world.inner.put_result(number, &result).await? {
                result.chunk += 1_000 + u32::try_from(world.draw(1_000_000)).unwrap();
            }
            let is_new = world.inner.put_result(number, &result).await?;
            if is_new || world.is(Sabotage::ResultAgain) {
                world.note(Done::ResultStored { job: number, result });
            }
            Ok(is_new)
        })
        .await
    }

    async fn read_results(&self, number: u64, after: Option<u32>) -> Result<ResultList, StoreError> {
        self.request(move |world| async move { world.inner.read_results(number, after).await }).await
    }
}

impl AnswerStore for World {
    async fn read_answer(&self, key: &RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        self.inner.read_answer(key).await
    }
}

impl LinkStore for World {
    async fn draw_number(&self) -> Result<u64, StoreError> {
        self.request(|world| async move { world.inner.draw_number().await }).await
    }

    async fn link(&self, customer_id: &str) -> Result<Link, StoreError> {
        self.inner.link(customer_id).await
    }

    async fn write_link(&self, customer_id: &str, read_number: u64, link: &Link) -> Result<(), StoreError> {
        self.inner.write_link(customer_id, read_number, link).await
    }
}

impl PlanStore for World {
    async fn latest_version(&self, plan_id: &str) -> Result<Option<u64>, StoreError> {
        self.inner.latest_version(plan_id).await
    }

    async fn plan_version(&self, plan: &PlanVersion) -> Result<Option<StoredPlan>, StoreError> {
        let plan = plan.clone();
        self.request(move |world| async move { world.inner.plan_version(&plan).await }).await
    }

    async fn list_plans(&self, after: Option<&str>, max: u16) -> Result<PlanPage, StoreError> {
        self.inner.list_plans(after, max).await
    }

    async fn add_plan_version(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        self.inner.add_plan_version(plan).await
    }
}

impl ProgramStore for World {
    async fn program(&self, program_id: &str) -> Result<Program, StoreError> {
        self.inner.program(program_id).await
    }

    async fn write_program(&self, program_id: &str, program: &Program) -> Result<(), StoreError> {
        self.inner.write_program(program_id, program).await
    }

    async fn program_of(&self, customer_id: &str) -> Result<Membership, StoreError> {
        self.inner.program_of(customer_id).await
    }

    async fn enroll(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        self.inner.enroll(enrollment).await
    }
}

/// A message in the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    pub body: String,
    pub sent_at: Millis,
    pub receive_count: u64,
    visible_from: Millis,
}

/// Time for which a received message is invisible: as template.yaml has it.
const VISIBILITY_MS: i64 = 360_000;

#[derive(Default)]
struct Messages {
    next_id: u64,
    queued: BTreeMap<u64, Queued>,
    /// Messages that were received too often.
    given_up: Vec<Queued>,
    redrives: u64,
    repeats: u64,
}

/// A standard queue: it repeats and reorders messages, and loses requests. Clones share it.
#[derive(Clone)]
pub struct FakeQueue {
    world: World,
    messages: Arc<Mutex<Messages>>,
}

impl FakeQueue {
    pub fn new(world: &World) -> FakeQueue {
        FakeQueue { world: world.clone(), messages: Arc::default() }
    }

    fn put(&self, messages: &[JobMessage], delay: Duration) {
        let (sent_at, queue) = (self.world.now(), &mut *self.messages.lock().unwrap());
        let visible_from = sent_at.plus(i64::try_from(delay.as_millis()).unwrap());
        for message in messages {
            queue.next_id += 1;
            let queued = Queued { body: job_message(message), sent_at, receive_count: 0, visible_from };
            queue.queued.insert(queue.next_id, queued);
        }
    }

    /// Receives one of the visible messages, with its id.
    pub fn receive(&self) -> Option<(u64, Queued)> {
        let now = self.world.now();
        let queue = &mut *self.messages.lock().unwrap();
        let used_up: Vec<u64> = queue
            .queued
            .iter()
            .filter(|(_, message)| message.visible_from <= now && message.receive_count >= RECEIVES_MAX)
            .map(|(id, _)| *id)
            .collect();
        let used_up: Vec<Queued> = used_up.into_iter().filter_map(|id| queue.queued.remove(&id)).collect();
        queue.given_up.extend(used_up);
        let visible: Vec<u64> =
            queue.queued.iter().filter(|(_, message)| message.visible_from <= now).map(|(id, _)| *id).collect();
        if visible.is_empty() {
            return None;
        }
        let id = visible[usize::try_from(self.world.draw(visible.len() as u64)).unwrap()];
        // Now and then, a standard queue delivers a message once more at once.
        let is_repeated = self.world.chance();
        queue.repeats += u64::from(is_repeated);
        let message = queue.queued.get_mut(&id).unwrap();
        message.receive_count += 1;
        message.visible_from = if is_repeated { now.plus(50) } else { now.plus(VISIBILITY_MS) };
        Some((id, message.clone()))
    }

    pub fn delete(&self, id: u64) {
        self.messages.lock().unwrap().queued.remove(&id);
    }

    /// Moves the messages that were given up back.
    pub fn redrive(&self) {
        let now = self.world.now();
        let queue = &mut *self.messages.lock().unwrap();
        for message in std::mem::take(&mut queue.given_up) {
            queue.next_id += 1;
            queue.redrives += 1;
            queue.queued.insert(queue.next_id, Queued { receive_count: 0, visible_from: now, ..message });
        }
    }

    pub fn is_empty(&self) -> bool {
        let queue = self.messages.lock().unwrap();
        queue.queued.is_empty() && queue.given_up.is_empty()
    }

    /// Returns the numbers of redriven and of repeated messages.
    pub fn numbers(&self) -> [u64; 2] {
        let queue = self.messages.lock().unwrap();
        [queue.redrives, queue.repeats]
    }
}

impl JobQueue for FakeQueue {
    async fn send(&self, messages: &[JobMessage], delay: Duration) -> Result<(), QueueError> {
        tokio::time::sleep(Duration::from_millis(self.world.draw(15))).await;
        if self.world.chance() {
            return Err(QueueError::no_answer());
        }
        if self.world.chance() {
            let some = usize::try_from(self.world.draw(messages.len() as u64 + 1)).unwrap();
            self.put(&messages[..some], delay);
            return Err(QueueError::no_answer());
        }
        self.put(messages, delay);
        tokio::time::sleep(Duration::from_millis(self.world.draw(15))).await;
        Ok(())
    }
}
