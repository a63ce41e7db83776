//! Customers' own limits, and an actor that changes them while decisions are under way. Also: customers' loads from
//! before.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loadgate::deciding::{Commit, CustomerSettings, Fence, Snapshot, UsageKey, UsageRow};
use loadgate::domain::{
    Cents, Currency, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod, PlanVersion, Week, WeekHistory,
};

use super::oracle::{DAY_MS, Load, Rule, Window};
use super::sabotage::Sabotage;
use super::setting::{AMOUNTS, Setting};
use super::simulation::{Chance, Simulation, State, beginning};

const ACTOR: &str = "limits";

/// The only plan.
pub const PLAN: &str = "plan";

/// Maximum number of a customer's own limits.
const LIMITS_MAX: usize = 5;

/// Maximum time after a change for which an eventually consistent read may miss it.
const STALE_MAX_MS: i64 = 60_000;

/// Number of an actor's latest reads of a customer that are remembered.
const READS_MAX: usize = 8;

/// All versions of customers' own limits, and the reads on which decisions rely.
#[derive(Default)]
pub struct OwnLimitStore {
    /// The versions of each customer's limits.
    pub versions: BTreeMap<String, Vec<Version>>,
    /// Loads from before the run, by customer.
    pub loads_before: BTreeMap<String, Vec<Load>>,
    /// First reads, by actor and customer.
    reads: BTreeMap<(String, String), Vec<Basis>>,
    commits: u64,
}

/// A version of a customer's settings, with the time at which it was stored.
pub type Version = (DateTime<Utc>, Settings);

/// A customer's own limits, and the version of the plan that is linked to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub own: Vec<OwnLimit>,
    pub plan: Option<u64>,
}

/// The settings of a customer that has none.
static NO_SETTINGS: Settings = Settings { own: vec![], plan: None };

impl Settings {
    /// Returns true if the customer has a long limit, enforced or not yet.
    pub fn has_long(&self, state: &State) -> bool {
        state.setting.base(self.plan).iter().any(Rule::is_long)
            || self.own.iter().filter_map(own_rule).any(|rule| rule.is_long())
    }
}

/// The first read on which a commit relies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Basis {
    /// Number of the commit.
    pub commit: u64,
    pub begun_at: DateTime<Utc>,
    pub read_at: DateTime<Utc>,
    /// True if the read has shown neither a fence nor a long limit.
    pub is_unaware: bool,
    /// True if the commit changes the fence, so that its loads are kept.
    pub is_fenced: bool,
    /// Time from which all reads show all of the commit.
    pub applied_at: DateTime<Utc>,
}

impl OwnLimitStore {
    /// Returns the settings at a time.
    pub fn at(&self, customer: &str, time: DateTime<Utc>) -> &Settings {
        let versions = self.versions.get(customer).map_or(&[][..], Vec::as_slice);
        versions.iter().rev().find(|(stored_at, _)| *stored_at <= time).map_or(&NO_SETTINGS, |(_, settings)| settings)
    }

    /// Returns the settings at the first of two times, and all that were stored up to the second one.
    pub fn between(&self, customer: &str, first: DateTime<Utc>, last: DateTime<Utc>) -> Vec<&Settings> {
        let versions = self.versions.get(customer).map_or(&[][..], Vec::as_slice);
        let later = versions.iter().filter(|(stored_at, _)| first < *stored_at && *stored_at <= last);
        std::iter::once(self.at(customer, first)).chain(later.map(|(_, settings)| settings)).collect()
    }

    /// Returns the largest maximum that a limit of the first group has had for a customer.
    pub fn most(&self, setting: &Setting, customer: &str, code: &str) -> u64 {
        let versions = self.versions.get(customer).map_or(&[][..], Vec::as_slice);
        let plans = versions.iter().filter_map(|(_, settings)| settings.plan);
        let all = std::iter::once(None).chain(plans.map(Some)).flat_map(|plan| setting.base(plan));
        all.filter(|rule| rule.code == code).map(|rule| rule.max).max().unwrap()
    }

    /// Notes a first read.
    pub fn note_read(&mut self, actor: &str, customer: &str, read: Basis) {
        let reads = self.reads.entry((actor.to_owned(), customer.to_owned())).or_default();
        reads.push(read);
        if reads.len() > READS_MAX {
            reads.remove(0);
        }
    }

    /// Returns the read from which a commit was decided. `decided_at` is the true time.
    pub fn basis(&mut self, actor: &str, commit: &Commit, decided_at: DateTime<Utc>) -> Basis {
        self.commits += 1;
        let reads = self.reads.get(&(actor.to_owned(), commit.customer_id.clone()));
        let mut reads = reads.into_iter().flatten().rev();
        let read = reads.find(|read| read.read_at <= decided_at).copied().unwrap_or_default();
        Basis { commit: self.commits, is_fenced: commit.fence().is_some(), ..read }
    }
}

impl State {
    /// Draws limits and loads from before the run.
    pub fn begin(&mut self) {
        let Some(times) = self.setting.times.clone() else { return };
        self.count("long_runs", 1);
        for customer in (0..self.customers).map(|number| format!("c{number}")) {
            let mut rng = self.draw(ACTOR, "before");
            if self.setting.has_limit_table && self.sabotage != Sabotage::EarlyTotals && rng.u32(..3) == 0 {
                let limits = (0..rng.u32(1..4)).map(|nth| self.draw_limit(&mut rng, &customer, nth)).collect();
                let settings = Settings { own: limits, plan: None };
                self.own_limits.versions.insert(customer.clone(), vec![(beginning(), settings)]);
            }
            if self.setting.has_rows && rng.u32(..3) > 0 {
                let first = times.first - 10 * DAY_MS;
                let at = |rng: &mut Chance| first + rng.i64(0..times.length + 10 * DAY_MS);
                let load = |rng: &mut Chance| Load { ms: at(rng), cents: AMOUNTS[rng.usize(..3)], is_kept: false };
                let loads = (0..rng.u32(1..8)).map(|_| load(&mut rng)).collect();
                self.put_loads_before(&customer, loads, &mut rng);
            }
        }
    }

    /// Stores loads from before. A customer with a fence has rows that keep their loads, and older ones that do not.
    fn put_loads_before(&mut self, customer: &str, mut loads: Vec<Load>, rng: &mut Chance) {
        let has_fence = rng.bool();
        let mut rows = BTreeMap::<Week, (WeekHistory, u64, u64)>::new();
        let is_old: [bool; 2] = [rng.bool(), rng.bool()];
        for load in &mut loads {
            load.is_kept = has_fence && !is_old[usize::from(load.monday() % 2 == 0)];
            self.count("old_rows", u64::from(!load.is_kept));
            let at = Millis::new(load.ms);
            let (history, fenced_changes, version) = rows.entry(at.day().week()).or_default();
            history.add(at, Cents::new(load.cents), load.is_kept);
            (*fenced_changes, *version) = (*fenced_changes + u64::from(load.is_kept), *version + 1);
        }
        if has_fence {
            let minutes = [1, 58, 59, 60, 10_000][rng.usize(..5)];
            let row_changes: u64 = rows.values().map(|(_, fenced_changes, _)| *fenced_changes).sum();
            let created_at = beginning() - TimeDelta::minutes(minutes);
            let fence = Fence { version: row_changes.max(1), created_at, row_changes, totals: BTreeMap::new() };
            self.tables.put_fence(customer, fence, beginning());
        }
        for (week, (history, fenced_changes, version)) in rows {
            let (usage, loads) = (*history.usage(), history.loads().clone());
            let key = UsageKey { customer_id: customer.to_owned(), week };
            self.tables.put_row(key, UsageRow { usage, loads, fenced_changes, version }, beginning());
        }
        self.own_limits.loads_before.insert(customer.to_owned(), loads);
    }

    fn draw_limit(&self, rng: &mut Rng, customer: &str, nth: u32) -> OwnLimit {
        let times = self.setting.times.as_ref().unwrap();
        let period = match self.sabotage {
            Sabotage::EarlyTotals => OwnPeriod::Indefinite,
            _ => OwnPeriod::ALL[rng.usize(..OwnPeriod::ALL.len())],
        };
        let scale = match period {
            OwnPeriod::Instance | OwnPeriod::CalendarDay | OwnPeriod::Day => 1,
            OwnPeriod::CalendarWeek | OwnPeriod::Week => 2,
            OwnPeriod::CalendarMonth | OwnPeriod::Month => 3,
            OwnPeriod::Indefinite => 5,
        };
        let is_early = rng.bool();
        let active_from = if is_early { times.first - rng.i64(0..40 * DAY_MS) } else { times.draw_any(rng) };
        let active_until = if rng.u32(..4) == 0 { Some(Millis::new(times.draw_any(rng))) } else { None };
        let status = match rng.u32(..8) {
            0 => OwnLimitStatus::Canceled { at: Millis::new(times.draw_any(rng)) },
            1 => OwnLimitStatus::Future,
            2 => OwnLimitStatus::InCooldown,
            _ => OwnLimitStatus::Active,
        };
        OwnLimit {
            limit_id: format!("limit {nth}"),
            user_id: customer.to_owned(),
            brand_id: None,
            kind: if rng.u32(..10) == 0 { OwnLimitKind::Loss } else { OwnLimitKind::Deposit },
            period,
            currency: if rng.u32(..10) == 0 { Currency::parse("EUR").unwrap() } else { Currency::USD },
            value: Cents::new(scale * [0, 100_000, 250_000, 400_000, 600_000][rng.usize(..5)]),
            status,
            active_from: Millis::new(active_from),
            active_until,
            raises: vec![],
            pending: None,
        }
    }

    /// Stores a new version of a customer's settings: a limit is defined, or defined anew, or changes its value, or is
    /// canceled; or a plan is linked or unlinked.
    fn change_limits(&mut self, customer: &str, rng: &mut Chance) {
        let now = self.now();
        let mut settings = self.own_limits.at(customer, now).clone();
        let plans = self.setting.plans.len() as u64;
        if plans > 0 && rng.u32(..3) == 0 {
            settings.plan = Some(rng.u64(..=plans)).filter(|version| *version > 0);
            self.count("link_changes", 1);
            self.own_limits.versions.entry(customer.to_owned()).or_default().push((now, settings));
            return;
        }
        let limits = &mut settings.own;
        let nth = rng.usize(..LIMITS_MAX);
        let place = limits.iter().position(|limit| limit.limit_id == format!("limit {nth}"));
        let drawn = self.draw_limit(rng, customer, u32::try_from(nth).unwrap());
        let times = self.setting.times.as_ref().unwrap();
        match place.map(|place| &mut limits[place]) {
            None => limits.push(drawn),
            Some(limit) => match rng.u32(..3) {
                0 => *limit = drawn,
                1 => limit.value = drawn.value,
                _ => limit.status = OwnLimitStatus::Canceled { at: Millis::new(times.draw_any(rng)) },
            },
        }
        self.count("limit_changes", 1);
        self.trace(|| format!("limits of {customer}: {limits:?}"));
        self.own_limits.versions.entry(customer.to_owned()).or_default().push((now, settings));
    }

    /// Adds customers' settings, as a read now returns them, to a snapshot.
    pub fn read_own_limits<'c>(
        &self,
        customers: impl Iterator<Item = &'c String>,
        snapshot: &mut Snapshot,
        rng: &mut Chance,
    ) {
        for customer in customers {
            let is_stale = self.sabotage == Sabotage::OwnLimitsEventual && rng.bool();
            let stale = if is_stale { rng.i64(0..STALE_MAX_MS) } else { 0 };
            let stored = self.own_limits.at(customer, self.now() - TimeDelta::milliseconds(stale));
            if *stored != NO_SETTINGS {
                let link = stored.plan.map(|version| PlanVersion { plan_id: PLAN.to_owned(), version });
                let settings = CustomerSettings { own_limits: stored.own.clone(), link, program_id: None };
                snapshot.settings.insert(customer.clone(), Ok(settings));
            }
        }
    }

    /// Notes what a first read has shown of a customer.
    pub fn note_first_read(&mut self, actor: &str, customer: &str, begun_at: DateTime<Utc>, snapshot: &Snapshot) {
        if self.setting.times.is_none() {
            return;
        }
        let settings = snapshot.settings.get(customer).and_then(|settings| settings.as_ref().ok());
        let read = settings.map_or_else(Settings::default, |settings| Settings {
            own: settings.own_limits.clone(),
            plan: settings.link.as_ref().map(|link| link.version),
        });
        let has_long = read.has_long(self);
        let is_unaware = !has_long && !snapshot.fences.contains_key(customer);
        let read = Basis { begun_at, read_at: self.now(), is_unaware, ..Basis::default() };
        self.own_limits.note_read(actor, customer, read);
    }
}

/// Returns an own limit as the oracle takes it; `None` if it is not enforced.
pub fn own_rule(limit: &OwnLimit) -> Option<Rule> {
    if limit.kind != OwnLimitKind::Deposit || limit.currency != Currency::USD {
        return None;
    }
    let anchor = limit.active_from.get();
    let (name, window) = match limit.period {
        OwnPeriod::CalendarDay => ("CALENDAR_DAY", Window::Day(chrono_tz::UTC)),
        OwnPeriod::CalendarWeek => ("CALENDAR_WEEK", Window::Week(chrono_tz::UTC)),
        OwnPeriod::CalendarMonth => ("CALENDAR_MONTH", Window::Month(chrono_tz::UTC)),
        OwnPeriod::Day => ("DAY", Window::Spans { anchor, length: DAY_MS }),
        OwnPeriod::Week => ("WEEK", Window::Spans { anchor, length: 7 * DAY_MS }),
        OwnPeriod::Month => ("MONTH", Window::Months { anchor }),
        OwnPeriod::Indefinite => ("INDEFINITE", Window::Since(anchor)),
        OwnPeriod::Instance => ("INSTANCE", Window::Load),
    };
    let canceled_at = match limit.status {
        OwnLimitStatus::Canceled { at } => at.get(),
        OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => i64::MAX,
    };
    let until = limit.active_until.map_or(i64::MAX, Millis::get).min(canceled_at);
    let rule = Rule::new(&format!("CUSTOMER_{name}"), true, window, limit.value.get());
    Some(Rule { limit_id: Some(limit.limit_id.clone()), applies: (anchor, until), ..rule })
}

/// Changes customers' own limits while decisions are under way.
pub async fn change(simulation: Arc<Simulation>) {
    if !simulation.state().setting.has_limit_table {
        return;
    }
    let mut rng = simulation.state().draw(ACTOR, "changes");
    for change in 0..rng.u32(1..12) {
        // Some loads are decided before the first limit is stored.
        let wait_ms = rng.u64(..if change == 0 { 25_000 } else { 8_000 });
        simulation.pause(&rng, wait_ms).await;
        let mut state = simulation.state();
        let customer = format!("c{}", rng.u32(..state.customers));
        state.change_limits(&customer, &mut rng);
    }
}
