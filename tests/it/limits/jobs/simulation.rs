//! Jobs in many random runs: requests and answers get lost, messages come repeated and reordered, workers and starters are
//! killed between any two requests, people link, enrol and cancel meanwhile, and several jobs run at once. In the end, a model
//! that knows only the history of stored changes says what each customer's link and each job's counts may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use fastrand::Rng;
use loadgate::deciding::Clock;
use loadgate::domain::{CHUNK_CUSTOMERS_MAX, ChunkResult, Job, JobState, Millis, PlanVersion};
use loadgate::limits::jobs::{JobReader, JobStarter, JobStore, JobWorker, NewJob};
use loadgate::limits::{LinkStore, Program, ProgramStore};
use loadgate::runtime::assignments::handle;
use serde_json::json;

use super::world::{Done, FakeQueue, Sabotage, World};
use super::{plan, put_plans};
use crate::limits::stream::world::PausedClock;

/// Number of random runs. With `SIM_RUNS` it is a hundredth of that: a run takes as much longer than one of the simulation.
const RUNS: u64 = 150;

/// Maximum time of an invocation, in milliseconds.
const TIMEOUT_MS: i64 = 60_000;

/// Time after which every job must have ended, whatever happened: 30 days.
const END: Duration = Duration::from_hours(30 * 24);

const PROGRAMS: [&str; 2] = ["gold", "silver"];

/// What a run is made of.
struct Run {
    world: World,
    queue: FakeQueue,
    customers: Vec<String>,
    /// Frequency of a kill in a hundred invocations.
    kills: u8,
}

impl Run {
    async fn new(seed: u64, rng: &mut Rng, sabotage: Option<Sabotage>) -> Run {
        let world = World::new(seed, *rng.choice(&[0, 20, 80]).unwrap(), sabotage);
        put_plans(&world.inner, 3).await;
        for program in PROGRAMS {
            world.inner.write_program(program, &Program::default()).await.unwrap();
        }
        let queue = FakeQueue::new(&world);
        let customers: Vec<String> = (0..rng.usize(0..130)).map(|number| format!("c-{number}")).collect();
        for customer in &customers {
            if rng.u8(0..10) > 0 {
                world.enroll_now(customer, Some(rng.choice(&PROGRAMS[..]).unwrap())).await;
            }
            if rng.u8(0..4) == 0 {
                world.link_now(customer, Some(plan(rng.u64(1..4)))).await;
            }
        }
        Run { world, queue, customers, kills: *rng.choice(&[0, 10, 40]).unwrap() }
    }

    /// One worker: an instance of the function with its event source mapping.
    async fn work(&self, mut rng: Rng) {
        let worker = JobWorker::new(self.world.clone(), self.queue.clone(), self.world.clock).with_chunks_per_page(2);
        loop {
            let Some((id, message)) = self.queue.receive() else {
                tokio::time::sleep(Duration::from_millis(rng.u64(200..5_000))).await;
                continue;
            };
            let record = json!({"Records": [{"messageId": "m", "body": message.body, "attributes": {
                "ApproximateReceiveCount": message.receive_count.to_string(), "SentTimestamp": message.sent_at.get().to_string()}}]});
            let end = self.world.clock.now() + TimeDelta::milliseconds(TIMEOUT_MS);
            let work = handle(&worker, serde_json::from_value(record).unwrap(), end);
            let time_ms = if rng.u8(0..100) < self.kills { rng.u64(0..600) } else { 60_000 };
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(time_ms), work).await
                && answer.unwrap().0.batch_item_failures.is_empty()
            {
                self.queue.delete(id);
            }
        }
    }

    /// Starts a job, and is killed now and then.
    async fn start(&self, mut rng: Rng) {
        tokio::time::sleep(Duration::from_millis(rng.u64(0..4_000))).await;
        let starter = JobStarter { store: self.world.clone(), queue: self.queue.clone(), clock: self.world.clock };
        let new = NewJob {
            program_id: (*rng.choice(&PROGRAMS[..]).unwrap()).to_owned(),
            plan: plan(rng.u64(1..4)),
            is_dry_run: rng.u8(0..6) == 0,
            by: loadgate::limits::Author("test".to_owned()),
        };
        let time_ms = if rng.u8(0..100) < self.kills { rng.u64(0..100) } else { 600_000 };
        drop(tokio::time::timeout(Duration::from_millis(time_ms), starter.start(new, &|_| None)).await);
        if rng.u8(0..4) == 0 {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..8_000))).await;
            self.cancel_one(&mut rng).await;
        }
    }

    async fn cancel_one(&self, rng: &mut Rng) {
        let jobs = self.world.inner.read_jobs(None, 100).await.unwrap();
        if let Some(job) = rng.choice(&jobs) {
            let reader = JobReader { store: &self.world, clock: &self.world.clock };
            drop(reader.cancel(job.number).await);
        }
    }

    /// Changes links and programmes by hand, for as long as a job takes.
    async fn meddle(&self, mut rng: Rng) {
        for _ in 0..rng.u32(0..60) {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..500))).await;
            let Some(customer) = rng.choice(&self.customers) else { return };
            match rng.u8(0..6) {
                0 | 1 => self.world.link_now(customer, Some(plan(rng.u64(1..4)))).await,
                2 => self.world.link_now(customer, None).await,
                3 => self.world.enroll_now(customer, None).await,
                _ => self.world.enroll_now(customer, Some(rng.choice(&PROGRAMS[..]).unwrap())).await,
            }
        }
    }

    /// Waits until no message is left. An operator redrives the messages that were given up.
    async fn end(&self) {
        while !self.queue.is_empty() {
            tokio::time::sleep(Duration::from_mins(1)).await;
            self.queue.redrive();
        }
        // Writes that are made late.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Performs a run. Returns it with its seed's problems.
async fn run(seed: u64, sabotage: Option<Sabotage>) -> (Run, Result<Tally, String>) {
    let mut rng = Rng::with_seed(seed);
    let run = Run::new(seed, &mut rng, sabotage).await;
    let (first, second, third, meddler) = (rng.fork(), rng.fork(), rng.fork(), rng.fork());
    let starters: Vec<Rng> = (0..rng.usize(1..4)).map(|_| rng.fork()).collect();
    let workers = async { tokio::join!(run.work(first), run.work(second), run.work(third)) };
    let people = async {
        let starts = starters.into_iter().map(|rng| run.start(rng));
        tokio::join!(futures_util::future::join_all(starts), run.meddle(meddler));
        run.end().await;
    };
    let work = async {
        tokio::select! { _ = workers => unreachable!(), () = people => {} }
    };
    let has_ended = tokio::time::timeout(END, Box::pin(work)).await.is_ok();
    let checked = if has_ended { check(&run).await } else { Err("a message is handled without end".to_owned()) };
    (run, checked)
}

/// What has happened in runs: each kind must happen at some time.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    linked: u64,
    already_linked: u64,
    superseded: u64,
    failed: u64,
    done: u64,
    canceled: u64,
    dry_runs: u64,
}

/// One customer's state, as the model knows it.
#[derive(Clone, Debug, Default)]
struct Customer {
    program: Option<String>,
    plan: Option<PlanVersion>,
    number: u64,
}

/// What the history says about one job.
struct JobHistory {
    job: Job,
    stored_at: Millis,
    pages: Vec<String>,
    results: Vec<(Millis, ChunkResult)>,
    canceled_at: Option<Millis>,
    running_at: Option<Millis>,
    /// The customers whom the job has linked, with the instant and the plan version before.
    made: BTreeMap<String, (Millis, Option<PlanVersion>)>,
}

/// Every state of each customer, with the instant from which it held.
type States = BTreeMap<String, Vec<(Millis, Customer)>>;

/// Replays the history: the customers' states, and the jobs.
fn replayed(history: &[(Millis, Done)]) -> Result<(States, BTreeMap<u64, JobHistory>), String> {
    let (mut states, mut jobs) = (States::new(), BTreeMap::<u64, JobHistory>::new());
    for (at, done) in history {
        let change = |states: &mut States, customer: &str, change: &dyn Fn(&mut Customer)| {
            let all = states.entry(customer.to_owned()).or_insert_with(|| vec![(Millis::FIRST, Customer::default())]);
            let mut state = all.last().map(|(_, state)| state.clone()).unwrap_or_default();
            change(&mut state);
            all.push((*at, state));
        };
        match done {
            Done::Enrolled { customer, program } => {
                change(&mut states, customer, &|state| state.program.clone_from(program));
            }
            Done::LinkedByHand { customer, number, plan } => {
                change(&mut states, customer, &|state| {
                    assert!(*number > state.number, "the test's own links are in order");
                    (state.number, state.plan) = (*number, plan.clone());
                });
            }
            Done::LinkedByJob { customer, job, over, read_at } => {
                let of = jobs.get_mut(job).ok_or("a job without an item has linked")?;
                let before = states.get(customer).and_then(|all| all.last()).map(|(_, state)| state.clone());
                let before = before.unwrap_or_default();
                if before.number >= *job {
                    return Err(format!("job {job} has linked {customer} over {}", before.number));
                }
                if before.program.as_ref() != Some(&of.job.program_id) {
                    return Err(format!("job {job} has linked {customer} of {:?}", before.program));
                }
                if before.plan != *over {
                    return Err(format!("{customer} had {:?}, and not {over:?}", before.plan));
                }
                if of.job.is_dry_run {
                    return Err(format!("the dry run {job} has linked {customer}"));
                }
                if of.canceled_at.is_some_and(|canceled_at| *read_at > Some(canceled_at)) {
                    return Err(format!("job {job} was cancelled, and has linked {customer}"));
                }
                of.made.insert(customer.clone(), (*at, over.clone()));
                let plan = of.job.plan.clone();
                change(&mut states, customer, &|state| (state.number, state.plan) = (*job, Some(plan.clone())));
            }
            Done::JobStored(job) => {
                let history = JobHistory {
                    job: job.clone(),
                    stored_at: *at,
                    pages: vec![],
                    results: vec![],
                    canceled_at: None,
                    running_at: None,
                    made: BTreeMap::new(),
                };
                jobs.insert(job.number, history);
            }
            Done::Changed { job, to } => {
                let of = jobs.get_mut(job).ok_or("a job without an item has changed")?;
                match to {
                    JobState::Running => of.running_at = Some(*at),
                    JobState::Canceled => of.canceled_at = Some(*at),
                    _ => {}
                }
            }
            Done::PageStored { job, customers } => {
                jobs.get_mut(job).ok_or("a page without a job")?.pages.extend(customers.iter().cloned());
            }
            Done::ResultStored { job, result } => {
                jobs.get_mut(job).ok_or("a result without a job")?.results.push((*at, result.clone()));
            }
        }
    }
    Ok((states, jobs))
}

async fn check(run: &Run) -> Result<Tally, String> {
    let (states, jobs) = replayed(&run.world.history())?;
    for customer in &run.customers {
        let link = run.world.inner.link(customer).await.unwrap();
        let state = states.get(customer).and_then(|all| all.last()).map(|(_, state)| state.clone()).unwrap_or_default();
        if (link.number, &link.plan) != (state.number, &state.plan) {
            return Err(format!("{customer} has {link:?}, and should have {state:?}"));
        }
    }
    let mut tally = Tally::default();
    let clock: PausedClock = run.world.clock;
    let reader = JobReader { store: &run.world.inner, clock: &clock };
    for of in jobs.values() {
        let progress = reader.get(of.job.number).await.unwrap().unwrap();
        let stored = &progress.job;
        if !stored.state.is_final() {
            return Err(format!("job {} has stopped: {stored:?}", stored.number));
        }
        check_roster(of, &states)?;
        let (counts, size) = (progress.counts, stored.size.map(|size| size.customers));
        match stored.state {
            JobState::Done => {
                if size != Some(of.pages.len() as u64) || Some(counts.total()) != size {
                    return Err(format!("job {}: {counts:?} of {size:?}, {} in pages", stored.number, of.pages.len()));
                }
                tally.done += 1;
                tally.dry_runs += u64::from(stored.is_dry_run);
            }
            JobState::Canceled => tally.canceled += 1,
            state => return Err(format!("job {} is {state:?}", stored.number)),
        }
        for (at, result) in &of.results {
            check_chunk(of, *at, result, &states)?;
        }
        tally.linked += counts.linked;
        tally.already_linked += counts.already_linked;
        tally.superseded += counts.superseded;
        tally.failed += counts.failed;
    }
    Ok(tally)
}

/// Checks that each customer who was in the programme all the time is in the pages once, and who never was is in none.
fn check_roster(of: &JobHistory, states: &States) -> Result<(), String> {
    let listed: BTreeSet<&String> = of.pages.iter().collect();
    if listed.len() != of.pages.len() {
        return Err(format!("job {} has a customer twice", of.job.number));
    }
    let Some(running_at) = of.running_at else { return Ok(()) };
    for (customer, all) in states {
        // The states that held at some time between the two instants.
        let first = all.iter().rposition(|(at, _)| *at < of.stored_at).unwrap_or(0);
        let held: Vec<bool> = all[first..]
            .iter()
            .enumerate()
            .filter(|(place, (at, _))| *place == 0 || *at <= running_at)
            .map(|(_, (_, state))| state.program.as_ref() == Some(&of.job.program_id))
            .collect();
        let is_listed = listed.contains(customer);
        if held.iter().all(|is_in| *is_in) && !is_listed || held.iter().all(|is_in| !is_in) && is_listed {
            return Err(format!("job {}: {customer} is listed: {is_listed}, was in: {held:?}", of.job.number));
        }
    }
    Ok(())
}

/// Time that a chunk's result takes to be stored after its links were read, at most.
const UNSEEN_MS: i64 = 30_000;

/// Checks a result against what each customer's outcome may be, given the history until the result was stored.
fn check_chunk(of: &JobHistory, at: Millis, result: &ChunkResult, states: &States) -> Result<(), String> {
    let job = &of.job;
    let first = usize::try_from(result.chunk).unwrap() * CHUNK_CUSTOMERS_MAX;
    let Some(rest) = of.pages.get(first..) else {
        return Err(format!("job {} has no chunk {}", job.number, result.chunk));
    };
    let customers = &rest[..rest.len().min(CHUNK_CUSTOMERS_MAX)];
    // The smallest and the largest number of customers of each outcome.
    let (mut linked, mut already, mut superseded) = ([0, 0], [0, 0], [0, 0]);
    let failed: BTreeSet<&String> = result.failures.iter().map(|failure| &failure.customer_id).collect();
    // Only a link that is made while the result is stored may be unseen.
    let is_unseen = |customer: &&&String| of.made.get(**customer).is_some_and(|(made, _)| made.plus(UNSEEN_MS) < at);
    if let Some(customer) = failed.iter().find(is_unseen) {
        return Err(format!("job {} has linked {customer}, whom {result:?} has as failed", job.number));
    }
    for customer in customers.iter().filter(|customer| !failed.contains(customer)) {
        let may = outcomes(of, customer, at, &states[customer]);
        let is_only = may.iter().filter(|may| **may).count() == 1;
        for (bounds, may) in [&mut linked, &mut already, &mut superseded].into_iter().zip(may) {
            bounds[0] += u64::from(may && is_only);
            bounds[1] += u64::from(may);
        }
    }
    let counts = result.counts;
    let is_cut = of.canceled_at.is_some_and(|canceled_at| canceled_at <= at);
    let is_within =
        |bounds: [u64; 2], count: u64| (bounds[0]..=bounds[1]).contains(&count) || is_cut && count <= bounds[1];
    let is_right = is_within(linked, counts.linked)
        && is_within(already, counts.already_linked)
        && is_within(superseded, counts.superseded)
        && counts.failed == failed.len() as u64
        && (is_cut || counts.total() == customers.len() as u64);
    if is_right {
        return Ok(());
    }
    Err(format!(
        "job {}: {result:?}, but linked {linked:?}, already {already:?}, superseded {superseded:?}",
        job.number
    ))
}

/// Returns the possible outcomes of a customer: linked, already linked, superseded.
fn outcomes(of: &JobHistory, customer: &str, at: Millis, all: &[(Millis, Customer)]) -> [bool; 3] {
    let job = &of.job;
    // The states since the job was stored.
    let first = all.iter().rposition(|(since, _)| *since < of.stored_at).unwrap_or(0);
    let held = all[first..].iter().filter(|(since, _)| *since <= at);
    let is_refused = |state: &Customer| state.number > job.number || state.program.as_ref() != Some(&job.program_id);
    let made = of.made.get(customer).filter(|(made_at, _)| *made_at <= at);
    if let Some((made_at, over)) = made.filter(|_| !job.is_dry_run) {
        let is_same = over.as_ref() == Some(&job.plan);
        let is_replaced = held.clone().any(|(since, state)| since >= made_at && state.number > job.number);
        return [!is_same, is_same, is_replaced];
    }
    let (mut may, is_dry) = ([false; 3], job.is_dry_run);
    for (_, state) in held {
        if is_refused(state) {
            may[2] = true;
        } else if is_dry {
            may[usize::from(state.plan.as_ref() == Some(&job.plan))] = true;
        }
    }
    may
}

#[tokio::test(start_paused = true)]
#[allow(clippy::print_stdout)]
async fn jobs_end_as_the_model_does_whatever_happens() {
    let runs = std::env::var("SIM_RUNS").map_or(RUNS, |runs| runs.parse::<u64>().unwrap().div_ceil(100));
    let first = std::env::var("SIM_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut all, mut numbers) = (Tally::default(), [0, 0]);
    for seed in first..first + runs {
        let (run, checked) = Box::pin(run(seed, None)).await;
        let tally = checked.unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        let [redrives, repeats] = run.queue.numbers();
        numbers = [numbers[0] + redrives, numbers[1] + repeats];
        all.linked += tally.linked;
        all.already_linked += tally.already_linked;
        all.superseded += tally.superseded;
        all.failed += tally.failed;
        all.done += tally.done;
        all.canceled += tally.canceled;
        all.dry_runs += tally.dry_runs;
    }
    println!("{runs} runs of jobs: {all:?}; redriven and repeated messages: {numbers:?}");
    let Tally { linked, already_linked, superseded, failed: _, done, canceled, dry_runs } = all;
    let happened = [linked, already_linked, superseded, done, canceled, dry_runs, numbers[0], numbers[1]];
    assert!(runs < RUNS || happened.iter().all(|number| *number > 0), "something has never happened: {all:?}");
}

/// Fails unless some run finds that a mechanism is taken out.
#[allow(clippy::print_stdout)]
async fn finds(sabotage: Sabotage) {
    // Some need a rare coincidence: a cancellation while chunks wait.
    for seed in 1..=4 * RUNS {
        if let (_, Err(problem)) = Box::pin(run(seed, Some(sabotage))).await {
            println!("{sabotage:?}: seed {seed}: {problem}");
            return;
        }
    }
    panic!("{} runs do not show that a mechanism is taken out: {sabotage:?}", 4 * RUNS);
}

macro_rules! sabotages {
    ($($name:ident: $sabotage:ident),* $(,)?) => {
        $(#[tokio::test(start_paused = true)] async fn $name() { finds(Sabotage::$sabotage).await; })*
    };
}

sabotages![
    a_link_over_a_newer_one_is_found: NumbersIgnored,
    a_link_of_a_customer_who_has_left_is_found: ProgramIgnored,
    a_repeated_link_that_counts_as_superseded_is_found: OwnLinkForgotten,
    a_repeated_link_that_counts_as_there_before_is_found: LinkedFromForgotten,
    a_page_that_is_not_saved_is_found: PageUnsaved,
    a_chunk_of_a_cancelled_job_that_begins_is_found: CancelUnseen,
    a_result_that_is_counted_again_is_found: ResultAgain,
];
