//! A deterministic workload for tests, benchmarks and demonstrations. The same settings yield the same bytes.
//!
//! The generator tracks each customer's usage, by the real rules and the default limits. So many amounts exactly
//! reach a limit, or miss it by a cent on either side.

mod fault;
mod text;

use std::collections::HashMap;
use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use crate::domain::{AttemptText, Cents, Day, Limits, LoadAttempt, Measure, Week, WeekUsage, decide_in_week};

/// Number of each customer's first event. All customers use the same ids, which are unique only for one customer.
const FIRST_EVENT: u64 = 10_000;

/// Settings of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Number of customers.
    pub customers: u32,
    /// Number of lines.
    pub attempts: u64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// The first attempt's time.
    pub start: DateTime<Utc>,
    /// Number of days over which the attempts are spread evenly.
    pub days: u32,
    /// Percentage of valid attempts that repeat an earlier event, with another amount.
    pub duplicates_percent: u8,
    /// Percentage of invalid lines. Their faults include every fault that a line of ordinary length can have.
    pub invalid_percent: u8,
    /// 0 draws customers evenly. Each further step draws again among those up to the last one drawn, so that few
    /// customers make most attempts.
    pub skew: u32,
}

/// State of a customer during generation.
#[derive(Clone, Copy, Debug, Default)]
struct Customer {
    events: u64,
    week: Option<Week>,
    usage: WeekUsage,
}

/// Contents of a line. Amounts are valid by construction, so nothing checks them here.
struct Draft {
    id: u64,
    customer: u32,
    amount: Cents,
    time: DateTime<Utc>,
}

impl Workload {
    /// Writes the workload, one line for each attempt, in the order of their times.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut generator = Generator {
            workload: self,
            rng: Rng::with_seed(self.seed),
            limits: Limits::default(),
            customers: HashMap::new(),
            known: Vec::new(),
        };
        (0..self.attempts).try_for_each(|number| generator.write_line(number, out))
    }

    /// Returns the time of a line, in whole seconds, so that every notation keeps the order.
    fn time(&self, number: u64) -> DateTime<Utc> {
        let span_s = u128::from(self.days) * 86_400;
        let since_start_s = u128::from(number) * span_s / u128::from(self.attempts.max(1));
        let since_start = i64::try_from(since_start_s).ok().and_then(TimeDelta::try_seconds).unwrap_or_default();
        self.start.checked_add_signed(since_start).unwrap_or(self.start)
    }
}

struct Generator<'w> {
    workload: &'w Workload,
    rng: Rng,
    limits: Limits,
    /// Customers that have made an attempt, by their number.
    customers: HashMap<u32, Customer>,
    /// Their numbers, in the order of their first attempts.
    known: Vec<u32>,
}

impl Generator<'_> {
    fn write_line(&mut self, number: u64, out: &mut impl Write) -> io::Result<()> {
        let time = self.workload.time(number);
        if self.rng.u8(0..100) < self.workload.invalid_percent {
            return self.write_invalid(time, out);
        }
        if self.rng.u8(0..100) < self.workload.duplicates_percent
            && let Some(draft) = self.duplicate(time)
        {
            return text::write(&draft, &mut self.rng, out);
        }
        let draft = self.first_sight(time);
        text::write(&draft, &mut self.rng, out)
    }

    /// Generates a new event. Its decision changes the customer's usage.
    fn first_sight(&mut self, time: DateTime<Utc>) -> Draft {
        let (place, customer) = self.draw_customer();
        let day = Day::of(time);
        let mut usage = if customer.week == Some(day.week()) { customer.usage } else { WeekUsage::default() };
        let amount = self.draw_amount(&usage, day);
        let draft = Draft { id: customer.events + FIRST_EVENT, customer: place, amount, time };
        if let Some(attempt) = draft.attempt() {
            usage = decide_in_week(&self.limits, &usage, &attempt).1;
        }
        if customer.events == 0 {
            self.known.push(place);
        }
        self.customers.insert(place, Customer { events: customer.events + 1, week: Some(day.week()), usage });
        draft
    }

    /// Repeats an earlier event, if there is one, with a new amount. Only the ids identify an event.
    fn duplicate(&mut self, time: DateTime<Utc>) -> Option<Draft> {
        let known = self.draw(u32::try_from(self.known.len()).unwrap_or(u32::MAX))?;
        let customer = *self.known.get(known as usize)?;
        let events = self.customer(customer).events;
        let id = FIRST_EVENT + self.rng.u64(0..events.max(1));
        Some(Draft { id, customer, amount: Cents::new(self.rng.u64(0..2_500_00)), time })
    }

    /// Writes an invalid line with the id of an event that comes later, because an invalid line must not count as
    /// seen.
    fn write_invalid(&mut self, time: DateTime<Utc>, out: &mut impl Write) -> io::Result<()> {
        let (place, customer) = self.draw_customer();
        let draft = Draft { id: customer.events + FIRST_EVENT, customer: place, amount: Cents::new(100_00), time };
        fault::write(&draft, &mut self.rng, out)
    }

    /// Draws a number below `end`. With skew, low numbers are more likely.
    fn draw(&mut self, end: u32) -> Option<u32> {
        let first = (end > 0).then(|| self.rng.u32(0..end))?;
        Some((0..self.workload.skew).fold(first, |drawn, _| self.rng.u32(0..=drawn)))
    }

    fn draw_customer(&mut self) -> (u32, Customer) {
        let place = self.draw(self.workload.customers).unwrap_or_default();
        (place, self.customer(place))
    }

    fn customer(&self, place: u32) -> Customer {
        self.customers.get(&place).copied().unwrap_or_default()
    }

    fn draw_amount(&mut self, usage: &WeekUsage, day: Day) -> Cents {
        let left = self.left(usage, day);
        Cents::new(match self.rng.u8(0..16) {
            0..=2 => left,
            3 => left + 1,
            4 => left.saturating_sub(1),
            5 => 0,
            6 => self.rng.u64(0..=50) * 100_00,
            7 => self.rng.u64(5_000_00..30_000_00),
            _ => self.rng.u64(1..2_500_00),
        })
    }

    /// Returns what the tightest amount limit leaves, in cents.
    fn left(&self, usage: &WeekUsage, day: Day) -> u64 {
        let amounts = self.limits.iter().filter(|limit| limit.measure == Measure::Amount);
        let left = amounts.map(|limit| limit.max.saturating_sub(usage.used(limit, day)));
        left.min().unwrap_or_default()
    }
}

impl Draft {
    fn attempt(&self) -> Option<LoadAttempt<'static>> {
        let text = AttemptText {
            id: self.id.to_string().into(),
            customer_id: self.customer.to_string().into(),
            load_amount: self.amount.to_string().into(),
            time: text::utc(self.time).into(),
        };
        LoadAttempt::check(text).ok()
    }
}
