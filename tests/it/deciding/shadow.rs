//! Limits in shadow. They change nothing but what a decision says about them.

use fastrand::Rng;
use loadgate::deciding::{Commit, Writes};
use loadgate::domain::{Limit, LimitMode, Limits, ShadowCodes};
use serde_json::Value;

use crate::sim::oracle::{Counting, Load, Rule, Window};
use crate::sim::setting::{limit, long_rule};
use crate::support::consumer_harness::{Harness, message, raw};
use crate::support::line;

/// A table of limits of all kinds, and shadow limits beside them.
struct Tables {
    live: Vec<Rule>,
    shadow: Vec<Rule>,
}

/// Returns a limit over a day, a week or everything that fires often.
fn rule(rng: &mut Rng, code: &str) -> Rule {
    let utc = chrono_tz::Tz::UTC;
    match rng.u32(..4) {
        0 => Rule::new(code, true, Window::Day(utc), [250_000, 400_000][rng.usize(..2)]),
        1 => Rule::new(code, false, Window::Week(utc), rng.u64(1..4)),
        _ => long_rule(rng, code),
    }
}

impl Tables {
    fn draw(rng: &mut Rng) -> Tables {
        let utc = chrono_tz::Tz::UTC;
        let mut live = vec![Rule::new("DAILY", true, Window::Day(utc), 500_000)];
        live.extend((0..rng.u32(..3)).map(|nth| rule(rng, &format!("LIVE_{nth}"))));
        let shadow = (0..rng.u32(1..4)).map(|nth| rule(rng, &format!("SHADOW_{nth}"))).collect();
        Tables { live, shadow }
    }

    /// Returns the limits without the shadow limits, and with them at drawn places.
    fn limits(&self, rng: &mut Rng) -> [Limits; 2] {
        let live = || self.live.iter().map(limit);
        let mut all: Vec<(Limit, LimitMode)> = live().map(|limit| (limit, LimitMode::Live)).collect();
        for shadow in &self.shadow {
            all.insert(rng.usize(..=all.len()), (limit(shadow), LimitMode::Shadow));
        }
        [Limits::new(live().collect()).unwrap(), Limits::with_modes(all).unwrap()]
    }
}

/// Returns commits without what they say about shadow limits.
fn without_shadow(mut commits: Vec<Commit>) -> Vec<Commit> {
    for commit in &mut commits {
        let records = match &mut commit.writes {
            Writes::Record(record) => std::slice::from_mut(&mut **record),
            Writes::Transaction { records, .. } => records,
        };
        for record in records {
            record.decision.shadow = ShadowCodes::default();
            record.decision.usage.retain(|usage| !usage.is_shadow);
        }
    }
    commits
}

/// Returns the time of a load, in milliseconds since 1970 and as text: roughly in order, some late.
fn time(rng: &mut Rng, nth: i64) -> (i64, String) {
    let late = if rng.u32(..4) == 0 { rng.i64(0..20 * 86_400_000) } else { 0 };
    let ms = 1_551_300_000_000 + nth * 11 * 3_600_000 - late;
    let text = chrono::DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339();
    (ms, text)
}

#[tokio::test(start_paused = true)]
async fn a_shadow_limit_changes_no_decision_no_read_and_no_condition() {
    let (mut fired, mut unjudged, mut judged_long) = (0, 0, 0);
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let tables = Tables::draw(&mut rng);
        let [plain, shadowed] = tables.limits(&mut rng).map(|limits| {
            let mut harness = Harness::new();
            harness.consumer.decider.limits = limits;
            harness
        });
        let mut accepted = Vec::new();
        for nth in 0..12 {
            let (ms, time) = time(&mut rng, nth);
            let cents = [50_000, 150_000, 250_000][rng.usize(..3)];
            let amount = format!("${}.00", cents / 100);
            let body = line(&nth.to_string(), "a", &amount, &time);
            let one = || vec![raw(&format!("m{nth}"), "a", body.trim_end())];
            assert_eq!(plain.handle(one()).await.0, [""; 0], "seed {seed}");
            let (failed, report) = shadowed.handle(one()).await;
            assert!(failed.is_empty());
            let bodies = [&plain, &shadowed].map(|harness| {
                let body = harness.publisher().published.lock().unwrap().last().unwrap().clone();
                serde_json::from_str::<Value>(&body).unwrap()
            });
            let says = check(&bodies, &tables, &accepted, ms, cents, &format!("seed {seed}, load {nth}"));
            assert_eq!(report.shadow_declined.values().sum::<u64>(), says.fired);
            fired += says.fired;
            unjudged += says.unjudged;
            judged_long += says.judged_long;
            if bodies[0]["accepted"] == true {
                accepted.push(Load { ms, cents, is_kept: true });
            }
        }
        let [one, other] = [&plain, &shadowed].map(|harness| {
            let store = harness.store();
            let commits = without_shadow(store.commits.lock().unwrap().clone());
            let fenced = store.fenced_reads.lock().unwrap().clone();
            (commits, fenced, *store.row_reads.lock().unwrap(), store.reads.lock().unwrap().clone())
        });
        assert_eq!(one, other, "seed {seed}");
    }
    assert!(fired > 100 && unjudged > 100 && judged_long > 100, "{fired} {unjudged} {judged_long}");
}

/// Number of shadow limits of one decision.
struct Says {
    fired: u64,
    unjudged: u64,
    judged_long: u64,
}

/// Compares a decision with shadow limits with the same one without them, and with the naive oracle.
fn check([plain, shadowed]: &[Value; 2], tables: &Tables, accepted: &[Load], at: i64, cents: u64, place: &str) -> Says {
    let codes = |name: &str| -> Vec<String> {
        let codes = shadowed[name].as_array().cloned().unwrap_or_default();
        codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
    };
    let (fired, unjudged) = (codes("shadow"), codes("unjudged"));
    let mut rest = shadowed.clone();
    let usage = rest["usage"].as_array_mut().unwrap();
    let (shadow, live): (Vec<Value>, Vec<Value>) = usage.drain(..).partition(|entry| entry["mode"] == "shadow");
    *usage = live;
    for name in ["shadow", "unjudged"] {
        rest.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(rest, *plain, "{place}");

    let has_fence = tables.live.iter().any(Rule::is_long);
    let judged: Vec<&Rule> = tables.shadow.iter().filter(|rule| !unjudged.contains(&rule.code)).collect();
    assert_eq!(shadow.len(), judged.len(), "{place}");
    for rule in judged.iter().copied() {
        let entry = shadow.iter().find(|entry| entry["code"] == rule.code.as_str()).unwrap();
        assert!(has_fence || !rule.is_long(), "{place}: without a fence no loads are kept");
        let used = rule.used(accepted, at, Counting::Truth);
        let is_broken = used + rule.value(cents) > rule.max;
        assert_eq!(fired.contains(&rule.code), is_broken, "{place}: {rule:?}");
        let counted = if plain["accepted"] == true { rule.value(cents) } else { 0 };
        assert_eq!(entry["used"], used + counted, "{place}: {rule:?}");
    }
    for rule in tables.shadow.iter().filter(|rule| unjudged.contains(&rule.code)) {
        assert!(rule.is_long(), "{place}: a UTC day and a UTC week are always known");
    }
    Says {
        fired: fired.len() as u64,
        unjudged: unjudged.len() as u64,
        judged_long: judged.iter().filter(|rule| rule.is_long()).count() as u64,
    }
}

#[tokio::test(start_paused = true)]
async fn loads_that_are_decided_together_count_for_shadow_limits_one_after_another() {
    let mut harness = Harness::new();
    let text = "[[limit]]\ncode='TRIED'\nmeasure='count'\nwindow='day'\nmax=1\nmode='shadow'\n\
                [[limit]]\ncode='DAILY_COUNT'\nmeasure='count'\nwindow='day'\nmax=2\nmode='live'\n";
    harness.consumer.decider.limits = loadgate::wire::parse_limits(text).unwrap();
    let batch = (0..3).map(|n| message(&format!("m{n}"), "a", &n.to_string(), "$1")).collect();
    let (_, report) = harness.handle(batch).await;
    assert_eq!((report.accepted, report.declined, report.shadow_declined["TRIED"]), (2, 1, 2));
    let bodies = harness.publisher().published.lock().unwrap().clone();
    let usage = |used: u64, fired: &str| {
        format!(
            r#"{{"code":"TRIED","mode":"shadow","used":{used},"limit":1,"remaining":0,"resets_at":"2000-01-04T00:00:00Z"}}]{fired}}}"#
        )
    };
    let expected = [usage(1, ""), usage(2, r#","shadow":["TRIED"]"#), usage(2, r#","shadow":["TRIED"]"#)];
    for (body, end) in bodies.iter().zip(expected) {
        assert!(body.ends_with(&end), "{body}\n{end}");
    }
    assert!(bodies[2].contains(r#""reasons":["DAILY_COUNT"]"#), "{}", bodies[2]);
}
