//! Simulation of a FIFO queue, an event source and functions, event by event, in whole microseconds. One seed
//! determines everything.
//!
//! It models: message groups, with one batch of a group at a time; batches of up to ten messages of several groups; a
//! maximum number of functions at once; commits of a batch's customers in parallel; a round trip for each decision of
//! a customer; DynamoDB's write limit for one key; provisioned capacity of the tables; and SQS's window, beyond which SQS
//! does not look for groups. It does not model failures, cold starts, and the time that pollers and tables take to grow.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;

use crate::capacity::{Capacity, Scaling};
use crate::times::Times;

/// Number of the customer that a scenario makes hot. All others have greater numbers.
pub(crate) const HOT: u32 = 0;

/// Longest waits of the client before it repeats a request that was refused: the first time, and later.
const FIRST_WAIT_MAX_US: u64 = 100_000;
const WAIT_MAX_US: u64 = 200_000;

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) concurrency: usize,
    pub(crate) batch_max: usize,
    /// Number of messages among which SQS looks for groups, counted from the oldest one that is not deleted.
    pub(crate) window_max: u64,
    /// Maximum write units of one customer in a second.
    pub(crate) key_units_per_s_max: u64,
    /// Auto scaling of the write capacity of both tables, each with a capacity of its own; `None` on demand.
    pub(crate) scaling: Option<Scaling>,
    pub(crate) times: Times,
    /// Length of a step in the history of the queue's depth.
    pub(crate) step_us: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at_us: u64,
    pub(crate) customer: u32,
}

#[derive(Clone, Copy)]
pub(crate) struct Decided {
    pub(crate) at_us: u64,
    /// Time from the arrival in the queue until the decision is published.
    pub(crate) latency_us: u64,
    pub(crate) customer: u32,
}

#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) decided: Vec<Decided>,
    /// Maximum numbers of messages in the queue, by step: of the other customers, and of the hot one.
    pub(crate) depths: Vec<[u64; 2]>,
    pub(crate) arrived: u64,
    pub(crate) batches: u64,
    pub(crate) groups: u64,
    /// Requests to the decisions queue.
    pub(crate) rounds: u64,
    /// Time of all batches that Lambda bills, in whole milliseconds.
    pub(crate) billed_ms: u64,
    /// Commits that had to wait because their customer's key, or a table, had used up its write units.
    pub(crate) throttled: u64,
    /// Mean write capacity of both tables together, in units a second; 0 on demand.
    pub(crate) write_units_per_s: u64,
    /// Messages in the queue, integrated over time.
    pub(crate) area: u128,
    pub(crate) out_of_order: u64,
    pub(crate) end_us: u64,
}

impl Outcome {
    /// Returns true if Little's law holds exactly: all messages have left in order, and their times add up to the
    /// area.
    pub(crate) fn holds_little(&self) -> bool {
        let times: u128 = self.decided.iter().map(|decided| u128::from(decided.latency_us)).sum();
        self.arrived == self.decided.len() as u64 && self.area == times && self.out_of_order == 0
    }

    /// Returns the counts of this outcome, without the single decisions.
    pub(crate) fn clone_counts(&self) -> Outcome {
        let Outcome { arrived, batches, groups, rounds, billed_ms, throttled, .. } = *self;
        Outcome { arrived, batches, groups, rounds, billed_ms, throttled, ..Outcome::default() }
    }

    pub(crate) fn depth_max(&self, class: usize) -> u64 {
        self.depths.iter().map(|depths| depths[class]).max().unwrap_or(0)
    }
}

#[derive(Default)]
struct Group {
    /// Number and arrival of each message within the window.
    waiting: VecDeque<(u64, u64)>,
    is_held: bool,
    /// Instant until which the writes so far occupy the key.
    key_busy_until_us: u64,
    published_until_us: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Decisions have been published: the numbers of the others' and of the hot customer's.
    Published([u64; 2]),
    /// A function has ended: it is free again, its messages are deleted, and its customers are free.
    Ended { messages: u64, customers: Vec<u32> },
}

struct Simulation<'s> {
    settings: &'s Settings,
    rng: Rng,
    now_us: u64,
    groups: Vec<Group>,
    /// Groups that can be received, by their first message.
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Messages beyond the window, which SQS does not see yet.
    beyond: VecDeque<(u64, Arrival)>,
    in_window: u64,
    working: usize,
    depth: [u64; 2],
    count: u64,
    /// Capacity of the records' and of the rows' table.
    capacities: Option<[Capacity; 2]>,
    outcome: Outcome,
}

/// Runs the simulation until every attempt is decided. Customers are numbers below `customers`.
pub(crate) fn run(settings: &Settings, customers: usize, arrivals: impl Iterator<Item = Arrival>) -> Outcome {
    let mut simulation = Simulation {
        settings,
        rng: Rng::with_seed(settings.seed),
        now_us: 0,
        groups: std::iter::repeat_with(Group::default).take(customers).collect(),
        ready: BinaryHeap::new(),
        events: BinaryHeap::new(),
        beyond: VecDeque::new(),
        in_window: 0,
        working: 0,
        depth: [0; 2],
        count: 0,
        capacities: settings.scaling.map(|scaling| [Capacity::new(scaling), Capacity::new(scaling)]),
        outcome: Outcome::default(),
    };
    let mut arrivals = arrivals.peekable();
    loop {
        let event_us = simulation.events.peek().map(|Reverse((at_us, ..))| *at_us);
        match (arrivals.peek().map(|arrival| arrival.at_us), event_us) {
            (None, None) => break,
            (Some(arrival_us), event_us) if event_us.is_none_or(|event_us| arrival_us < event_us) => {
                arrivals.next().into_iter().for_each(|arrival| simulation.arrive(arrival));
            }
            _ => simulation.process_event(),
        }
    }
    simulation.outcome.end_us = simulation.now_us;
    simulation.outcome.write_units_per_s = simulation.capacities.iter().flatten().map(Capacity::mean_units_per_s).sum();
    simulation.outcome
}

impl Simulation<'_> {
    fn advance(&mut self, to_us: u64) {
        self.outcome.area += u128::from(to_us - self.now_us) * u128::from(self.depth[0] + self.depth[1]);
        self.now_us = to_us;
    }

    fn note_depth(&mut self) {
        let step = usize::try_from(self.now_us / self.settings.step_us).unwrap_or(usize::MAX);
        let depths = &mut self.outcome.depths;
        while depths.len() <= step {
            depths.push([0; 2]);
        }
        for (most, depth) in depths[step].iter_mut().zip(self.depth) {
            *most = depth.max(*most);
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.advance(arrival.at_us);
        self.beyond.push_back((self.outcome.arrived, arrival));
        self.outcome.arrived += 1;
        self.depth[class(arrival.customer)] += 1;
        self.note_depth();
        self.fill_window();
        self.dispatch();
    }

    fn process_event(&mut self) {
        let Some(Reverse((at_us, _, event))) = self.events.pop() else { return };
        self.advance(at_us);
        match event {
            Event::Published(decisions) => {
                self.depth.iter_mut().zip(decisions).for_each(|(depth, out)| *depth -= out);
                self.note_depth();
            }
            Event::Ended { messages, customers } => {
                self.working -= 1;
                self.in_window -= messages;
                for customer in customers {
                    self.groups[customer as usize].is_held = false;
                    self.offer(customer);
                }
                self.fill_window();
                self.dispatch();
            }
        }
    }

    /// Lets messages into the window while there is room.
    fn fill_window(&mut self) {
        while self.in_window < self.settings.window_max
            && let Some((number, Arrival { at_us, customer })) = self.beyond.pop_front()
        {
            self.in_window += 1;
            let group = &mut self.groups[customer as usize];
            group.waiting.push_back((number, at_us));
            if group.waiting.len() == 1 {
                self.offer(customer);
            }
        }
    }

    fn offer(&mut self, customer: u32) {
        let group = &self.groups[customer as usize];
        if let Some((number, _)) = group.waiting.front().filter(|_| !group.is_held) {
            self.ready.push(Reverse((*number, customer)));
        }
    }

    /// Hands batches to functions: the oldest group first, as much of it as possible, then the next.
    fn dispatch(&mut self) {
        while self.working < self.settings.concurrency && !self.ready.is_empty() {
            let (mut room, mut batch) = (self.settings.batch_max, Vec::new());
            while room > 0
                && let Some(Reverse((_, customer))) = self.ready.pop()
            {
                let group = &mut self.groups[customer as usize];
                group.is_held = true;
                let messages: Vec<(u64, u64)> = group.waiting.drain(..room.min(group.waiting.len())).collect();
                room -= messages.len();
                batch.push((customer, messages));
            }
            self.work(&batch);
        }
    }

    fn work(&mut self, batch: &[(u32, Vec<(u64, u64)>)]) {
        let times = self.settings.times;
        let begin_us = self.now_us + times.hand_over.draw(&mut self.rng);
        let mut at_us = begin_us + times.work.draw(&mut self.rng) + times.read.draw(&mut self.rng);
        at_us = batch
            .iter()
            .map(|(customer, messages)| self.commit(*customer, messages.len(), at_us))
            .max()
            .unwrap_or(at_us);
        let rounds = batch.iter().map(|(_, messages)| messages.len()).max().unwrap_or(0);
        for round in 0..rounds {
            at_us += times.publish.draw(&mut self.rng);
            self.publish(batch, round, at_us);
        }
        self.outcome.billed_ms += (at_us - begin_us).div_ceil(1_000);
        at_us += times.settle.draw(&mut self.rng);
        let messages = batch.iter().map(|(_, messages)| messages.len() as u64).sum();
        let customers = batch.iter().map(|(customer, _)| *customer).collect();
        self.schedule(at_us, Event::Ended { messages, customers });
        self.working += 1;
        self.outcome.batches += 1;
        self.outcome.groups += batch.len() as u64;
        self.outcome.rounds += rounds as u64;
    }

    /// Returns the instant at which a customer's commit ends. It writes two units for each record and for the row, and waits for
    /// the write limit of its key, and for both tables' capacity.
    fn commit(&mut self, customer: u32, messages: usize, from_us: u64) -> u64 {
        let took_us = self.settings.times.commit.draw(&mut self.rng);
        let busy_us = 2 * messages as u64 * 1_000_000 / self.settings.key_units_per_s_max;
        let group = &mut self.groups[customer as usize];
        let begin_us = from_us.max(group.key_busy_until_us);
        self.outcome.throttled += u64::from(begin_us > from_us);
        group.key_busy_until_us = begin_us + busy_us;
        self.retried(messages as u64, begin_us) + took_us
    }

    /// Returns the instant at which a commit is taken that is refused while a table has no capacity. Its client tries again after
    /// a random wait, up to 100 ms at first and 200 ms later (`src/adapters/aws.rs`), and so later than it could.
    fn retried(&mut self, messages: u64, from_us: u64) -> u64 {
        let Some([records, rows]) = &mut self.capacities else { return from_us };
        let refused_us = records.take(2 * messages, from_us).max(rows.take(2, from_us));
        self.outcome.throttled += u64::from(refused_us > 0);
        let (mut waited_us, mut most_us) = (0, FIRST_WAIT_MAX_US);
        while waited_us < refused_us {
            waited_us += self.rng.u64(..most_us);
            most_us = WAIT_MAX_US;
        }
        from_us + waited_us
    }

    fn publish(&mut self, batch: &[(u32, Vec<(u64, u64)>)], round: usize, at_us: u64) {
        let mut out = [0; 2];
        for (customer, messages) in batch {
            let Some((_, arrived_us)) = messages.get(round) else { continue };
            let group = &mut self.groups[*customer as usize];
            self.outcome.out_of_order += u64::from(at_us < group.published_until_us);
            group.published_until_us = at_us;
            out[class(*customer)] += 1;
            let decided = Decided { at_us: *arrived_us, latency_us: at_us - arrived_us, customer: *customer };
            self.outcome.decided.push(decided);
        }
        self.schedule(at_us, Event::Published(out));
    }

    fn schedule(&mut self, at_us: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at_us, self.count, event)));
    }
}

fn class(customer: u32) -> usize {
    usize::from(customer == HOT)
}
