//! What a run with long limits has, and others do not: its limits, loads of several weeks, rows from before, and requests
//! that take effect long after their sender has given up.

use std::hash::{Hash, Hasher};

use chrono::SecondsFormat;
use chrono_tz::Tz;
use fastrand::Rng;
use loadgate::domain::{self, Limit, Limits, Measure, RollingHours, Zone};
use siphasher::sip::SipHasher13;

use super::oracle::{DAY_MS, HOUR_MS, Rule, Window, instant};
use super::sabotage::Sabotage;

/// Zones with a change of the clock near the loads' times, and one with an odd offset. In each of them the local clock's
/// date is the day, also when the clock is set back.
const ZONES: [Tz; 4] = [Tz::Europe__London, Tz::America__New_York, Tz::America__Sao_Paulo, Tz::Asia__Kathmandu];

/// Ends of months, near changes of the clock, and the end of a year, near which the loads lie.
const TURNS: [&str; 4] =
    ["2019-01-01T00:00:00Z", "2019-02-28T12:00:00Z", "2019-03-31T01:00:00Z", "2018-10-31T23:00:00Z"];

/// Amounts of loads, in cents.
pub const AMOUNTS: [u64; 5] = [1, 100_000, 166_700, 250_000, 500_000];

/// What a run with long limits has, and others do not.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The limits of the deployment.
    pub rules: Vec<Rule>,
    /// The same limits, for the deciders.
    pub deployment: Limits,
    pub has_limit_table: bool,
    /// Versions of a plan that may be linked to customers, from version 1 on.
    pub plans: Vec<PlanRules>,
    /// Times of the loads; `None` for the last days of 2018 only.
    pub times: Option<Times>,
    /// True if several consumers and replays decide for the same few customers at once.
    pub is_contended: bool,
    pub customers_max: u32,
    /// True if some customers have rows from before.
    pub has_rows: bool,
    /// Maximum number of loads that a row keeps.
    pub kept_max: usize,
    /// Chance of a commit that takes effect long after its sender has given up, in thousandths.
    pub zombies: u32,
}

/// The limits of a plan version.
#[derive(Clone, Debug)]
pub struct PlanRules {
    pub rules: Vec<Rule>,
    /// The same limits, for the deciders.
    pub limits: Limits,
}

/// Times of loads.
#[derive(Clone, Debug)]
pub struct Times {
    pub first: i64,
    pub length: i64,
    /// Unit in which instants are drawn.
    step: i64,
    /// True if loads come in any order, and not roughly in that of their times.
    is_shuffled: bool,
}

impl Setting {
    /// Draws a setting. In half of the runs it has nothing that is long.
    pub fn draw(seed: u64, sabotage: Sabotage, is_quiet: bool) -> Setting {
        let mut hasher = SipHasher13::new_with_keys(seed, 0);
        "setting".hash(&mut hasher);
        let mut rng = Rng::with_seed(hasher.finish());
        let kind = match sabotage {
            Sabotage::None => rng.u32(..8),
            Sabotage::OwnLimitsEventual | Sabotage::EarlyTotals => 6,
            _ if sabotage.needs_long_limits() => 4,
            _ => 0,
        };
        let has_limit_table = kind >= 6;
        let has_long = matches!(kind, 4 | 5) || kind == 7 && rng.bool();
        let mut rules = default_rules();
        if has_long {
            rules.extend((0..rng.u32(1..=4)).map(|nth| long_rule(&mut rng, &format!("LONG_{nth}"))));
        }
        if sabotage == Sabotage::FenceDeleted {
            // A fence that starts again agrees with no count of the rows, so that nothing else would be decided.
            rules.retain(|rule| rule.since().is_none());
        }
        if sabotage == Sabotage::UncheckedCount {
            rules.push(Rule::new("LIFETIME", true, Window::Lifetime, 1_000_000));
        }
        let is_long = has_long || has_limit_table;
        let is_contended = is_long && !is_quiet && (sabotage != Sabotage::None || rng.bool());
        let may_trim = is_long && (sabotage == Sabotage::CapForgotten || rng.u32(..3) == 0);
        let mut setting = Setting {
            deployment: Limits::new(rules.iter().map(limit).collect()).unwrap(),
            rules,
            has_limit_table,
            plans: vec![],
            times: is_long.then(|| Times::draw(&mut rng)),
            is_contended,
            customers_max: if is_contended { rng.u32(1..3) } else { u32::MAX },
            has_rows: is_long && rng.bool() && sabotage != Sabotage::EarlyTotals,
            kept_max: if may_trim { rng.usize(1..5) } else { usize::MAX },
            zombies: if is_long && !is_quiet { [0, 100, 200, 400][rng.usize(..4)] } else { 0 },
        };
        if has_limit_table && matches!(sabotage, Sabotage::None | Sabotage::OwnLimitsEventual) {
            setting.plans = (0..3).map(|_| PlanRules::draw(&mut rng)).collect();
        }
        setting
    }

    /// Returns the rules of a customer with this plan version, before its own.
    pub fn base(&self, plan: Option<u64>) -> &[Rule] {
        plan.map_or(&self.rules, |version| &self.plan(version).rules)
    }

    /// Returns the limits of a plan version.
    pub fn plan(&self, version: u64) -> &PlanRules {
        &self.plans[usize::try_from(version).unwrap() - 1]
    }
}

impl PlanRules {
    /// Draws looser and stricter limits than those of the deployment, and some long ones.
    fn draw(rng: &mut Rng) -> PlanRules {
        let mut rules = default_rules();
        for rule in &mut rules {
            rule.max = rule.max * [1, 2, 3][rng.usize(..3)] / [1, 2][rng.usize(..2)];
        }
        rules.extend((0..rng.u32(..2)).map(|nth| long_rule(rng, &format!("PLAN_{nth}"))));
        PlanRules { limits: Limits::new(rules.iter().map(limit).collect()).unwrap(), rules }
    }
}

impl Times {
    fn draw(rng: &mut Rng) -> Times {
        let turn = super::oracle::milliseconds(TURNS[rng.usize(..TURNS.len())]);
        let length = [3, 12, 40, 70][rng.usize(..4)] * DAY_MS;
        let step = [HOUR_MS, HOUR_MS / 4, 1][rng.usize(..3)];
        Times { first: turn - rng.i64(0..length / HOUR_MS) * HOUR_MS, length, step, is_shuffled: rng.u32(..3) == 0 }
    }

    /// Draws the time of the `nth` of so many loads. A quarter of them is late.
    pub fn draw_nth(&self, rng: &mut Rng, nth: u32, of: u32) -> i64 {
        if self.is_shuffled || rng.u32(..4) == 0 {
            return self.draw_any(rng);
        }
        let at = self.length / i64::from(of.max(1)) * i64::from(nth);
        self.first + (at + rng.i64(0..DAY_MS)) / self.step * self.step
    }

    /// Draws any time.
    pub fn draw_any(&self, rng: &mut Rng) -> i64 {
        self.first + rng.i64(0..self.length) / self.step * self.step
    }
}

/// Writes an instant as attempts do.
pub fn written(ms: i64) -> String {
    instant(ms).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn default_rules() -> Vec<Rule> {
    vec![
        Rule::new("DAILY_AMOUNT", true, Window::Day(Tz::UTC), 500_000),
        Rule::new("WEEKLY_AMOUNT", true, Window::Week(Tz::UTC), 2_000_000),
        Rule::new("DAILY_COUNT", false, Window::Day(Tz::UTC), 3),
    ]
}

pub fn long_rule(rng: &mut Rng, code: &str) -> Rule {
    let zone = ZONES[rng.usize(..ZONES.len())];
    let hours = [1, 24, 100, 744, rng.i64(1..=744)][rng.usize(..5)];
    let (window, scale) = match rng.u32(..8) {
        0 => (Window::Day(zone), 1),
        1 => (Window::Week(zone), 2),
        2 => (Window::Month(zone), 3),
        3 => (Window::Month(Tz::UTC), 3),
        4 => (Window::Lifetime, 5),
        _ => (Window::Rolling(hours * HOUR_MS), 1 + hours.unsigned_abs() / 200),
    };
    let is_amount = rng.bool();
    let max = if is_amount { scale * [250_000, 400_000, 600_000][rng.usize(..3)] } else { scale * rng.u64(1..3) };
    Rule::new(code, is_amount, window, max)
}

/// Returns a limit of the deployment as a decider takes it.
pub fn limit(rule: &Rule) -> Limit {
    let zone = |zone: Tz| if zone == Tz::UTC { Zone::UTC } else { Zone::named(zone.name()).unwrap() };
    let window = match rule.window {
        Window::Day(named) => domain::Window::Day(zone(named)),
        Window::Week(named) => domain::Window::Week(zone(named)),
        Window::Month(named) => domain::Window::Month(zone(named)),
        Window::Lifetime => domain::Window::Lifetime,
        Window::Rolling(length) => {
            domain::Window::Rolling(RollingHours::new(u16::try_from(length / HOUR_MS).unwrap()).unwrap())
        }
        Window::Load | Window::Spans { .. } | Window::Months { .. } | Window::Since(_) => panic!("{rule:?}"),
    };
    let measure = if rule.is_amount { Measure::Amount } else { Measure::Count };
    Limit { code: rule.code.clone(), measure, window, max: rule.max }
}
