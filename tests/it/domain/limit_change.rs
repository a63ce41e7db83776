//! Changes of own limits under the cooling-off rule: a table, and an oracle that knows nothing of raises.

use loadgate::domain::{
    Cents, ChangeEffect, ChangeError, ChangeRequest, CoolingOff, Currency, Millis, OwnLimit, OwnLimitStatus, OwnLimits,
    RAISES_MAX,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::limit;

const DAY: CoolingOff = CoolingOff { delay_ms: 24, needs_confirmation: false };
const CONFIRMED: CoolingOff = CoolingOff { needs_confirmation: true, ..DAY };

fn limit_of(cents: u64) -> OwnLimit {
    OwnLimit { value: Cents::new(cents), active_from: Millis::new(-1_000), ..limit("l", "u") }
}

/// Makes requests at instants, one after the other.
fn after(rule: CoolingOff, requests: &[(i64, ChangeRequest)]) -> (OwnLimit, Vec<Option<ChangeError>>) {
    let (mut limit, mut errors) = (limit_of(100), vec![]);
    for (at, request) in requests {
        errors.push(match limit.change(*request, Millis::new(*at), rule) {
            Ok(ChangeEffect::Changed(changed)) => {
                limit = *changed;
                None
            }
            Ok(ChangeEffect::Unchanged) => None,
            Err(error) => Some(error),
        });
    }
    (limit, errors)
}

/// Returns the maximum for a load at `at` that is decided at `decided_at`; `None` if the limit does not apply to it.
fn in_force(limit: &OwnLimit, at: i64, decided_at: i64) -> Option<u64> {
    let own = OwnLimits::enforced([limit], Currency::USD, Millis::new(decided_at));
    let applying: Vec<u64> = own.iter().filter(|own| own.applies_to(Millis::new(at))).map(|own| own.rule.max).collect();
    assert!(applying.len() <= 1, "one limit has one maximum for a load: {applying:?}");
    applying.first().copied()
}

const fn set(cents: u64) -> ChangeRequest {
    ChangeRequest::Set(Cents::new(cents))
}

/// A rule, requests, and the maximum for loads at an instant that are decided at an instant.
type Row<'r> = (&'r str, CoolingOff, &'r [(i64, ChangeRequest)], &'r [(i64, i64, Option<u64>)]);

#[test]
fn each_change_applies_to_the_loads_that_the_rule_names() {
    use ChangeRequest::{Confirm, Remove, Withdraw};
    let far = 1_000;
    let rows: &[Row<'_>] = &[
        ("nothing", DAY, &[], &[(0, 0, Some(100)), (-far, 0, Some(100)), (far, far, Some(100))]),
        (
            "lower: at once, for every load",
            DAY,
            &[(0, set(60))],
            &[(0, 0, Some(60)), (-5, 0, Some(60)), (9, 9, Some(60))],
        ),
        (
            "higher: both load and decision at the end of the wait",
            DAY,
            &[(0, set(200))],
            &[(23, 23, Some(100)), (24, 23, Some(100)), (23, 24, Some(100)), (24, 24, Some(200)), (far, 23, Some(100))],
        ),
        ("removal: the same", DAY, &[(0, Remove)], &[(24, 23, Some(100)), (23, 24, Some(100)), (24, 24, None)]),
        (
            "a lower value drops the raise",
            DAY,
            &[(0, set(200)), (1, set(99))],
            &[(24, 24, Some(99)), (far, far, Some(99))],
        ),
        (
            "an equal value changes nothing",
            DAY,
            &[(0, set(200)), (1, set(100))],
            &[(23, 23, Some(100)), (24, 24, Some(200))],
        ),
        (
            "a new request restarts the wait",
            DAY,
            &[(0, set(200)), (10, set(150))],
            &[(24, 24, Some(100)), (33, 33, Some(100)), (34, 34, Some(150)), (far, far, Some(150))],
        ),
        ("the removal replaces the raise", DAY, &[(0, set(200)), (10, Remove)], &[(33, 33, Some(100)), (34, 34, None)]),
        ("a withdrawn raise", DAY, &[(0, set(200)), (10, Withdraw)], &[(24, 24, Some(100)), (far, far, Some(100))]),
        (
            "lowering by a cent and raising again gains nothing",
            DAY,
            &[(0, set(200)), (23, set(99)), (23, set(200))],
            &[(24, 24, Some(99)), (46, 46, Some(99)), (47, 47, Some(200)), (46, 47, Some(99))],
        ),
        (
            "lowering by a cent after the raise gains late loads nothing",
            DAY,
            &[(0, set(200)), (24, set(199))],
            &[(23, 24, Some(100)), (24, 24, Some(199)), (-9, far, Some(100))],
        ),
        (
            "two raises, and a load before each",
            DAY,
            &[(0, set(200)), (30, set(300))],
            &[
                (23, far, Some(100)),
                (24, far, Some(200)),
                (53, far, Some(200)),
                (54, far, Some(300)),
                (54, 53, Some(200)),
            ],
        ),
        (
            "lowering between two values",
            DAY,
            &[(0, set(200)), (30, set(300)), (60, set(250))],
            &[(23, far, Some(100)), (53, far, Some(200)), (54, far, Some(250))],
        ),
        ("lowering below all", DAY, &[(0, set(200)), (60, set(50))], &[(23, far, Some(50)), (70, far, Some(50))]),
        ("a raise that is not confirmed", CONFIRMED, &[(0, set(200))], &[(24, 24, Some(100)), (far, far, Some(100))]),
        (
            "a confirmed raise, from the end of its wait on",
            CONFIRMED,
            &[(0, set(200)), (40, Confirm)],
            &[(23, 40, Some(100)), (24, 40, Some(200)), (40, 40, Some(200)), (40, 23, Some(100))],
        ),
        ("a confirmed removal", CONFIRMED, &[(0, Remove), (40, Confirm)], &[(23, 40, Some(100)), (24, 40, None)]),
        (
            "no wait",
            CoolingOff { delay_ms: 0, needs_confirmation: false },
            &[(5, set(200))],
            &[(5, 5, Some(200)), (4, 5, Some(100))],
        ),
    ];
    for (name, rule, requests, expected) in rows {
        let (limit, errors) = after(*rule, requests);
        assert_eq!(errors, vec![None; requests.len()], "{name}");
        for (at, decided_at, max) in *expected {
            assert_eq!(in_force(&limit, *at, *decided_at), *max, "{name}: a load at {at}, decided at {decided_at}");
        }
    }
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    use ChangeRequest::{Confirm, Remove, Withdraw};
    let last = |rule, requests: &[(i64, ChangeRequest)]| after(rule, requests).1.pop().unwrap();
    assert_eq!(last(DAY, &[(0, Withdraw)]), Some(ChangeError::NotPending));
    assert_eq!(last(DAY, &[(0, Confirm)]), Some(ChangeError::NotPending));
    assert_eq!(last(DAY, &[(0, set(200)), (1, Confirm)]), Some(ChangeError::NeedsNone));
    assert_eq!(last(DAY, &[(0, set(200)), (24, Confirm)]), Some(ChangeError::NotPending), "it has come into force");
    assert_eq!(last(DAY, &[(0, set(200)), (24, Withdraw)]), Some(ChangeError::NotPending));
    assert_eq!(last(CONFIRMED, &[(0, set(200)), (23, Confirm)]), Some(ChangeError::TooEarly));
    assert_eq!(last(CONFIRMED, &[(0, set(200)), (24, Confirm)]), None);
    assert_eq!(last(CONFIRMED, &[(0, set(200)), (99, Withdraw)]), None, "it waits for its confirmation");
    for request in [set(1), set(100), set(500), Remove, Withdraw, Confirm] {
        assert_eq!(last(DAY, &[(0, Remove), (24, request)]), Some(ChangeError::Closed));
        let ended = OwnLimit { active_until: Some(Millis::new(7)), ..limit_of(100) };
        assert_eq!(ended.change(request, Millis::new(7), DAY), Err(ChangeError::Closed));
    }
}

#[test]
fn a_removal_closes_the_limit_at_the_end_of_its_wait() {
    let (limit, _) = after(DAY, &[(0, ChangeRequest::Remove)]);
    assert_eq!(limit.closes_at(), Some(Millis::new(24)));
    assert!(limit.is_open(Millis::new(23)) && !limit.is_open(Millis::new(24)));
    assert_eq!(limit.settled(Millis::new(23)).status, OwnLimitStatus::Active);
    assert_eq!(limit.settled(Millis::new(24)).status, OwnLimitStatus::Canceled { at: Millis::new(24) });
    assert_eq!(after(CONFIRMED, &[(0, ChangeRequest::Remove)]).0.closes_at(), None);
}

/// A value that no limit has: the customer has no limit.
const NO_LIMIT: u64 = u64::MAX;

/// A request that had an effect.
#[derive(Clone, Copy, Debug)]
enum Done {
    Lower {
        at: i64,
        to: u64,
    },
    /// `dropped_at` is the moment of the request that dropped it; `confirmed_at` the moment of its confirmation.
    Raise {
        at: i64,
        to: u64,
        applies_at: i64,
        dropped_at: Option<i64>,
        confirmed_at: Option<i64>,
    },
}

/// The rule as LIMITS.md states it, without any state but the list of requests. A value is allowed for a load if some
/// source grants it (the first value, or a raise that is in force for the load), and no later lowering forbids it.
#[derive(Clone, Debug, Default)]
struct Oracle(Vec<Done>);

impl Oracle {
    /// Returns the largest value that is allowed for a load at `at` that is decided at `decided_at`.
    fn allowed(&self, at: i64, decided_at: i64, needs_confirmation: bool) -> u64 {
        let made = |done: &&Done| match done {
            Done::Lower { at, .. } | Done::Raise { at, .. } => *at <= decided_at,
        };
        let made: Vec<(usize, &Done)> = self.0.iter().enumerate().filter(|(_, done)| made(done)).collect();
        let sources = made.iter().filter_map(|(place, done)| {
            let Done::Raise { to, applies_at, dropped_at, confirmed_at, .. } = done else { return None };
            let is_dropped = dropped_at.is_some_and(|dropped_at| dropped_at <= decided_at);
            let is_confirmed = !needs_confirmation || confirmed_at.is_some_and(|confirmed| confirmed <= decided_at);
            let is_in_force = *applies_at <= at && *applies_at <= decided_at && !is_dropped && is_confirmed;
            is_in_force.then_some((place + 1, *to))
        });
        let granted = [(0, 100)].into_iter().chain(sources).map(|(first_later, value)| {
            let later = made.iter().filter(|(place, _)| *place >= first_later);
            let caps = later.filter_map(|(_, done)| match done {
                Done::Lower { to, .. } => Some(*to),
                Done::Raise { .. } => None,
            });
            caps.chain([value]).min().unwrap()
        });
        granted.max().unwrap()
    }

    /// Returns the place of the raise that still waits.
    fn pending(&self, now: i64, needs_confirmation: bool) -> Option<usize> {
        self.0.iter().rposition(|done| match done {
            Done::Lower { .. } => false,
            Done::Raise { applies_at, dropped_at, confirmed_at, .. } => {
                let is_over = if needs_confirmation { confirmed_at.is_some() } else { *applies_at <= now };
                dropped_at.is_none() && !is_over
            }
        })
    }

    fn request(&mut self, now: i64, request: ChangeRequest, rule: CoolingOff) {
        let current = self.allowed(now, now, rule.needs_confirmation);
        if current == NO_LIMIT {
            return;
        }
        let value = match request {
            ChangeRequest::Set(value) => Some(value.get()),
            ChangeRequest::Remove => Some(NO_LIMIT),
            ChangeRequest::Withdraw | ChangeRequest::Confirm => None,
        };
        if value == Some(current) {
            return;
        }
        if let Some(place) = self.pending(now, rule.needs_confirmation)
            && let Done::Raise { dropped_at, confirmed_at, applies_at, .. } = &mut self.0[place]
        {
            match request {
                ChangeRequest::Confirm if rule.needs_confirmation && now >= *applies_at => *confirmed_at = Some(now),
                ChangeRequest::Confirm => {}
                _ => *dropped_at = Some(now),
            }
        }
        match value {
            Some(to) if to < current => self.0.push(Done::Lower { at: now, to }),
            Some(to) => {
                let applies_at = now + rule.delay_ms;
                self.0.push(Done::Raise { at: now, to, applies_at, dropped_at: None, confirmed_at: None });
            }
            None => {}
        }
    }
}

fn requests() -> impl Strategy<Value = Vec<(i64, ChangeRequest)>> {
    let request = prop_oneof![
        6 => (0_u64..8).prop_map(|step| set(step * 50)),
        2 => (95_u64..105).prop_map(set),
        1 => Just(ChangeRequest::Remove),
        1 => Just(ChangeRequest::Withdraw),
        2 => Just(ChangeRequest::Confirm),
    ];
    vec((0_i64..6, request), 0..14).prop_map(|steps| {
        let mut now = 0;
        let step = |(wait, request)| {
            now += wait;
            (now, request)
        };
        steps.into_iter().map(step).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_limit_in_force_is_the_one_that_the_rule_allows(
        requests in requests(),
        delay_ms in 0_i64..6,
        needs_confirmation in any::<bool>(),
    ) {
        let rule = CoolingOff { delay_ms, needs_confirmation };
        let (mut limit, mut oracle) = (limit_of(100), Oracle::default());
        let end = requests.last().map_or(0, |(at, _)| *at) + 8;
        let mut left = requests.iter().peekable();
        for decided_at in 0..end {
            while let Some((at, request)) = left.next_if(|(at, _)| *at <= decided_at) {
                oracle.request(*at, *request, rule);
                if let Ok(ChangeEffect::Changed(changed)) = limit.change(*request, Millis::new(*at), rule) {
                    limit = *changed;
                }
            }
            prop_assert!(limit.raises.len() <= RAISES_MAX);
            for at in -2..end + 2 {
                let expected = oracle.allowed(at, decided_at, needs_confirmation);
                let found = in_force(&limit, at, decided_at).unwrap_or(NO_LIMIT);
                prop_assert_eq!(found, expected, "a load at {} decided at {}: {:?}", at, decided_at, oracle);
            }
        }
    }

    /// Only the end of a wait, or a confirmation, raises the limit of any load; a request itself never does.
    #[test]
    fn no_request_raises_a_limit_at_once(requests in requests(), delay_ms in 1_i64..6) {
        let rule = CoolingOff { delay_ms, needs_confirmation: false };
        let mut limit = limit_of(100);
        for (now, request) in requests {
            if let Ok(ChangeEffect::Changed(changed)) = limit.change(request, Millis::new(now), rule) {
                for at in now - 20..now + 20 {
                    let [before, after] = [&limit, &*changed].map(|it| in_force(it, at, now).unwrap_or(NO_LIMIT));
                    prop_assert!(after <= before);
                }
                limit = *changed;
            }
        }
    }

    /// The bound on what a limit remembers only ever makes it stricter.
    #[test]
    fn forgotten_raises_leave_the_lower_limit(raises in 1_usize..20, at in -3_i64..50, seed in 1_u64..50) {
        let rule = CoolingOff { delay_ms: 1, needs_confirmation: false };
        let (mut limit, mut unbounded) = (limit_of(100), vec![]);
        for nth in 0..raises {
            let now = Millis::new(i64::try_from(nth * 2).unwrap());
            let value = 100 + (u64::try_from(nth).unwrap() + 1) * seed;
            let Ok(ChangeEffect::Changed(changed)) = limit.change(set(value), now, rule) else { panic!() };
            limit = *changed;
            unbounded.push((now.get() + 1, value));
        }
        let found = in_force(&limit, at, 100).unwrap();
        let exact = unbounded.iter().rev().find(|(from, _)| *from <= at).map_or(100, |(_, value)| *value);
        prop_assert!(found == exact || (raises > RAISES_MAX && found == 100), "{found} for {exact}");
        prop_assert!(at < 40 || found == exact);
    }
}

/// Another machine's clock may be ahead: its increase is then in force for it, and lies ahead of this machine's clock.
#[test]
fn a_value_below_an_increase_that_lies_ahead_is_a_lower_one() {
    let (ahead, _) = after(CoolingOff { delay_ms: 0, ..DAY }, &[(10, set(200))]);
    let raised = ahead.settled(Millis::new(10));
    assert_eq!((raised.value_at(Millis::new(5)), raised.latest_value()), (Cents::new(100), Cents::new(200)));
    let ChangeEffect::Changed(lowered) = raised.change(set(150), Millis::new(5), DAY).unwrap() else { panic!() };
    assert_eq!((lowered.pending, in_force(&lowered, 10, 10)), (None, Some(150)));
    assert_eq!(raised.change(set(200), Millis::new(5), DAY).unwrap(), ChangeEffect::Unchanged);
}
