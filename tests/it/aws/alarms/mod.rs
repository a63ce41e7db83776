//! The alarms of template.yaml, computed: the situation of each runbook section makes its alarm go off, and soon enough.
//!
//! Metrics are written as CloudWatch keeps them, one value a minute; alarms are evaluated as it evaluates them (the CloudWatch user
//! guide, "Evaluating an alarm"): the last so many periods, of which so many have to breach. Missing values do not breach.
// CloudWatch's values are floats.
#![allow(clippy::float_arithmetic)]

mod expression;
mod rule;

use std::collections::BTreeMap;

use loadgate::deciding::PENDING_TTL;
use rule::{Rule, number, rules};

/// A metric's values, one a minute; `None` where nothing was emitted.
pub type Series = Vec<Option<f64>>;

/// Metrics by name, as one alarm sees them.
type Metrics = BTreeMap<&'static str, Series>;

const MINUTE_S: u64 = 60;

/// Seconds between two deliveries of a message that always fails, and how many of them there are.
fn deliveries() -> (u64, u64) {
    (number("InputQueue", "VisibilityTimeout"), number("InputQueue", "maxReceiveCount"))
}

/// The values of a metric over so many minutes, while one customer's message is delivered in vain and other batches go well.
fn stuck(minutes: u64, in_vain: impl Fn(u64) -> f64, otherwise: Option<f64>) -> Series {
    let (every_s, count) = deliveries();
    let mut series = vec![otherwise; usize::try_from(minutes).unwrap()];
    for delivery in 0..count {
        let minute = usize::try_from(delivery * every_s / MINUTE_S).unwrap();
        series[minute] = Some(series[minute].unwrap_or(0.0).max(in_vain(delivery * every_s)));
    }
    series
}

/// Minutes by which CloudWatch usually gets a value late, at most.
const DELAY_MAX: u64 = 3;

/// The same for a queue that was idle: up to 15 (the SQS developer guide, "Monitoring Amazon SQS queues using CloudWatch").
const IDLE_DELAY_MAX: u64 = 15;

/// Minutes of a situation in which an alarm goes off, at the latest, wherever its periods begin and however late values are. `None`
/// if it may stay silent.
fn goes_off(rule: &Rule, metrics: &Metrics) -> Option<u64> {
    goes_off_despite(DELAY_MAX, rule, metrics)
}

fn goes_off_despite(delay_max: u64, rule: &Rule, metrics: &Metrics) -> Option<u64> {
    let cases = (0..rule.period_s / MINUTE_S).flat_map(|offset| (0..=delay_max).map(move |delay| (offset, delay)));
    let minutes = cases.map(|(offset, delay)| rule.goes_off(metrics, offset, delay));
    minutes.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn of(name: &'static str, series: Series) -> Metrics {
    [(name, series)].into()
}

/// A customer's message becomes a dead letter after this many minutes.
fn given_up_after() -> u64 {
    let (every_s, count) = deliveries();
    every_s * count / MINUTE_S
}

#[test]
fn one_stuck_customer_is_alarmed_about_before_its_message_is_given_up() {
    let rules = rules();
    let hour = 60;
    #[allow(clippy::cast_precision_loss)]
    let age = |sent_s: u64| sent_s as f64;
    let situations = [
        ("unsettled-age", "unsettled", stuck(hour, age, Some(0.0))),
        ("failed-messages", "failed", stuck(hour, |_| 1.0, Some(0.0))),
        ("publish-failures", "unpublished", stuck(hour, |_| 3.0, Some(0.0))),
        // The function logs no zeros.
        ("unsettled-age", "unsettled", stuck(hour, age, None)),
        ("failed-messages", "failed", stuck(hour, |_| 1.0, None)),
        ("publish-failures", "unpublished", stuck(hour, |_| 3.0, None)),
        ("function-errors", "Errors", stuck(hour, |_| 1.0, Some(0.0))),
        ("function-throttles", "Throttles", stuck(hour, |_| 1.0, Some(0.0))),
        ("function-duration", "Duration", stuck(hour, |_| 30_000.0, Some(40.0))),
        ("record-throttles", "WriteThrottleEvents", stuck(hour, |_| 18.0, None)),
        ("usage-throttles", "WriteThrottleEvents", stuck(hour, |_| 18.0, None)),
    ];
    for (alarm, metric, series) in situations {
        let minutes = goes_off(&rules[alarm], &of(metric, series));
        assert!(minutes.is_some_and(|minutes| minutes < given_up_after()), "{alarm}: {minutes:?} min");
    }
}

#[test]
fn one_failure_alarms_nobody() {
    let rules = rules();
    for alarm in ["failed-messages", "publish-failures", "function-errors", "record-throttles", "unsettled-age"] {
        let metric = rules[alarm].only_metric();
        let mut series = vec![Some(0.0); 60];
        series[20] = Some(1.0);
        assert_eq!(rules[alarm].goes_off(&[(metric, series)].into(), 0, 0), None, "{alarm}");
    }
}

/// Batches log no zeros. CloudWatch takes older values for those that are missing, unless the alarm fills them in.
#[test]
fn two_failures_with_a_quarter_of_an_hour_between_them_alarm_nobody() {
    let rules = rules();
    for alarm in ["failed-messages", "publish-failures"] {
        let mut series = vec![None; 60];
        (series[20], series[38]) = (Some(1.0), Some(1.0));
        let metrics = of(rules[alarm].only_metric(), series);
        assert_eq!(rules[alarm].goes_off(&metrics, 0, 0), None, "{alarm}");
    }
}

/// The rule that these alarms had once: it is what the model is for.
#[test]
fn three_minutes_of_five_never_see_a_stuck_customer() {
    let rule =
        Rule { period_s: 60, evaluation_periods: 5, datapoints: 3, ..rules().remove("failed-messages").unwrap() };
    assert_eq!(rule.goes_off(&of("failed", stuck(60, |_| 1.0, Some(0.0))), 0, 0), None);
}

/// The age of the oldest message of a queue that nobody reads, and the minutes that this takes.
#[allow(clippy::cast_precision_loss)]
fn aging(minutes: u64) -> Series {
    (0..minutes).map(|minute| Some((minute * MINUTE_S) as f64)).collect()
}

#[test]
fn an_input_queue_that_nobody_reads_is_alarmed_about_within_half_an_hour() {
    let rules = rules();
    let input_age = goes_off(&rules["input-age"], &of("ApproximateAgeOfOldestMessage", aging(60)));
    assert!(input_age.is_some_and(|minutes| minutes < 30), "{input_age:?}");
    // SQS leaves what was received several times out of the age. A message waits, and nothing is received.
    let one = vec![Some(1.0); 60];
    for received in [vec![None; 60], vec![Some(0.0); 60]] {
        let metrics = [("waiting", one.clone()), ("received", received)].into();
        // Nobody asks this queue: its counts may be later than others.
        let stalled = goes_off_despite(10, &rules["input-stalled"], &metrics);
        assert!(stalled.is_some_and(|minutes| minutes < 30), "{stalled:?}");
    }
    let received = stuck(60, |_| 1.0, None);
    let is_read = [("waiting", one), ("received", received)].into();
    let first_half = |series: &Series| series[..30].to_vec();
    let is_read: Metrics = Metrics::into_iter(is_read).map(|(name, series)| (name, first_half(&series))).collect();
    assert_eq!(goes_off(&rules["input-stalled"], &is_read), None, "it is read");
    let empty = [("waiting", vec![Some(0.0); 60]), ("received", vec![None; 60])].into();
    assert_eq!(goes_off(&rules["input-stalled"], &empty), None);
}

#[test]
fn nobody_loses_an_attempt_or_a_letter_without_an_alarm_six_hours_before() {
    let rules = rules();
    let six_hours = 6 * 60;
    for (retention_s, age_s) in rule::near_loss() {
        let expiry = Rule { threshold: age_s, ..rules["input-expiry"].clone() };
        let minutes = goes_off(&expiry, &of("ApproximateAgeOfOldestMessage", aging(retention_s / MINUTE_S)));
        assert!(minutes.is_some_and(|minutes| minutes + six_hours <= retention_s / MINUTE_S), "{retention_s} s");
    }
    let retention_s = number("DeadLetterQueue", "MessageRetentionPeriod");
    let letters = of("ApproximateAgeOfOldestMessage", aging(retention_s / MINUTE_S));
    let minutes = goes_off(&rules["letter-expiry"], &letters);
    assert!(minutes.is_some_and(|minutes| minutes + six_hours <= retention_s / MINUTE_S));
}

/// A count that rises after ten minutes.
fn rising(from: f64, to: f64) -> Series {
    [vec![Some(from); 10], vec![Some(to); 10]].concat()
}

/// A dead-letter queue's metrics over an hour: one invalid letter lies in it.
struct Letters {
    visible: Vec<f64>,
    sent: Vec<f64>,
}

impl Letters {
    const MINUTES: usize = 60;

    fn new() -> Letters {
        Letters { visible: vec![1.0; Letters::MINUTES], sent: vec![0.0; Letters::MINUTES] }
    }

    /// A letter is in the queue from this minute on.
    fn add(mut self, minute: usize) -> Letters {
        self.visible[minute..].iter_mut().for_each(|visible| *visible += 1.0);
        self
    }

    /// A letter was sent in this minute; SQS may count it as visible a minute earlier or later.
    fn send(mut self, minute: usize, visible_from: usize) -> Letters {
        self.sent[minute] += 1.0;
        self.add(visible_from)
    }

    fn metrics(&self) -> Metrics {
        let some = |values: &Vec<f64>| values.iter().map(|value| Some(*value)).collect();
        let none = vec![None; Letters::MINUTES];
        [("visible", some(&self.visible)), ("hidden", none.clone()), ("sent", some(&self.sent)), ("deleted", none)]
            .into()
    }
}

#[test]
fn an_undecided_letter_is_alarmed_about_though_others_lie_in_the_queue() {
    let rules = rules();
    let undecided = &rules["undecided-letters"];
    for delay in 0..=IDLE_DELAY_MAX {
        let goes_off = |letters: Letters| undecided.goes_off(&letters.metrics(), 0, delay);
        assert_eq!(goes_off(Letters::new()), None);
        assert_eq!(goes_off(Letters::new().send(5, 5)), None, "invalid input is sent");
        // The delay does not matter: in the end, CloudWatch has seen the letter.
        assert_eq!(goes_off(Letters::new().add(5)), Some(6 + delay));
        for visible_from in [4, 5, 6] {
            let minutes = goes_off(Letters::new().send(5, visible_from).add(5));
            let minutes = minutes.map(|minutes| minutes - delay);
            assert!(minutes.is_some_and(|minutes| (5..=7).contains(&minutes)), "beside an invalid one: {minutes:?}");
        }
        // The first letter of a queue that has had no metrics for days.
        let visible = (0..Letters::MINUTES).map(|minute| Some(1.0).filter(|_| minute >= 2)).collect();
        let none = ["hidden", "sent", "deleted"].map(|name| (name, vec![None; Letters::MINUTES]));
        let first = none.into_iter().chain([("visible", visible)]).collect();
        assert_eq!(undecided.goes_off(&first, 0, delay), Some(3 + delay));
    }
    let visible = of("ApproximateNumberOfMessagesVisible", rising(0.0, 1.0));
    assert_eq!(goes_off(&rules["dead-letters"], &visible), Some(11 + DELAY_MAX));
}

#[test]
fn an_undecided_letter_is_alarmed_about_again_when_the_next_one_comes() {
    let undecided = &rules()["undecided-letters"];
    // A stuck customer's next messages are given up one series of deliveries later: the alarm must be over by then.
    assert!((undecided.evaluation_periods as u64) * undecided.period_s / MINUTE_S < given_up_after());
}

#[test]
fn a_backlog_is_alarmed_about_at_half_of_what_sqs_looks_through() {
    let visible = of("ApproximateNumberOfMessagesVisible", rising(59_000.0, 60_001.0));
    assert_eq!(goes_off(&rules()["input-depth"], &visible), Some(11 + DELAY_MAX));
}

#[test]
fn a_mark_outlives_its_message_in_both_queues() {
    let longest_s = rule::near_loss().into_iter().map(|(retention_s, _)| retention_s).max().unwrap();
    let waits_s = longest_s + number("DeadLetterQueue", "MessageRetentionPeriod");
    // A mark is renewed when it is a day old.
    let day_s = 24 * 3600;
    assert!(PENDING_TTL.num_seconds().unsigned_abs() > waits_s + day_s);
}
