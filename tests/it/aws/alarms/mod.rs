//! Evaluation of the alarms of template.yaml. The situation of each runbook section triggers its alarm, and soon
//! enough.
//!
//! Metrics have one value a minute, as CloudWatch keeps them. Alarms are evaluated as CloudWatch evaluates them: of
//! the last evaluation periods, a minimum number must breach. Missing values do not breach. See "Evaluating an alarm"
//! in the CloudWatch user guide.
// CloudWatch's values are floating-point numbers.
#![allow(clippy::float_arithmetic)]

mod expression;
mod rule;
mod stream;

use std::collections::BTreeMap;

use loadgate::deciding::PENDING_TTL;
use rule::{Rule, number, rules};

/// Values of a metric, one a minute. `None` stands for a minute without a value.
pub type Series = Vec<Option<f64>>;

/// Metrics of one alarm, by name.
type Metrics = BTreeMap<&'static str, Series>;

const MINUTE_S: u64 = 60;

/// Returns the seconds between two deliveries of a message that always fails, and the number of its deliveries.
fn deliveries() -> (u64, u64) {
    (number("InputQueue", "VisibilityTimeout"), number("InputQueue", "maxReceiveCount"))
}

/// Returns the values of a metric while every delivery of one customer's message fails and other batches succeed.
/// `failing` maps the second of a delivery to the value at that delivery.
fn stuck(minutes: u64, failing: impl Fn(u64) -> f64, otherwise: Option<f64>) -> Series {
    let (every_s, count) = deliveries();
    let mut series = vec![otherwise; usize::try_from(minutes).unwrap()];
    for delivery in 0..count {
        let minute = usize::try_from(delivery * every_s / MINUTE_S).unwrap();
        series[minute] = Some(series[minute].unwrap_or(0.0).max(failing(delivery * every_s)));
    }
    series
}

/// Usual maximum delay until CloudWatch has a value, in minutes.
const DELAY_MINUTES_MAX: u64 = 3;

/// Maximum delay for a queue that was idle, in minutes. See "Monitoring Amazon SQS queues using CloudWatch" in the SQS
/// developer guide.
const IDLE_DELAY_MINUTES_MAX: u64 = 15;

/// Returns the latest minute of a situation in which an alarm triggers, over all offsets of its periods and all
/// delays of its values. Returns `None` if it may not trigger.
fn triggers(rule: &Rule, metrics: &Metrics) -> Option<u64> {
    triggers_within_delay(DELAY_MINUTES_MAX, rule, metrics)
}

fn triggers_within_delay(delay_max: u64, rule: &Rule, metrics: &Metrics) -> Option<u64> {
    let cases = (0..rule.period_s / MINUTE_S).flat_map(|offset| (0..=delay_max).map(move |delay| (offset, delay)));
    let minutes = cases.map(|(offset, delay)| rule.triggers(metrics, offset, delay));
    minutes.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn of(name: &'static str, series: Series) -> Metrics {
    [(name, series)].into()
}

/// Returns the minutes after which a customer's message becomes a dead letter.
fn given_up_after() -> u64 {
    let (every_s, count) = deliveries();
    every_s * count / MINUTE_S
}

#[test]
fn a_stuck_customer_triggers_an_alarm_before_its_message_is_given_up() {
    let rules = rules();
    let hour = 60;
    #[allow(clippy::cast_precision_loss)]
    let age = |sent_s: u64| sent_s as f64;
    let situations = [
        ("unsettled-age", "unsettled", stuck(hour, age, Some(0.0))),
        ("failed-messages", "failed", stuck(hour, |_| 1.0, Some(0.0))),
        ("publish-failures", "unpublished", stuck(hour, |_| 3.0, Some(0.0))),
        // The function emits no zeros.
        ("unsettled-age", "unsettled", stuck(hour, age, None)),
        ("failed-messages", "failed", stuck(hour, |_| 1.0, None)),
        ("publish-failures", "unpublished", stuck(hour, |_| 3.0, None)),
        ("function-errors", "Errors", stuck(hour, |_| 1.0, Some(0.0))),
        ("function-throttles", "Throttles", stuck(hour, |_| 1.0, Some(0.0))),
        ("function-duration", "Duration", stuck(hour, |_| 30_000.0, Some(40.0))),
        ("record-throttles", "WriteThrottleEvents", stuck(hour, |_| 18.0, None)),
        ("usage-throttles", "WriteThrottleEvents", stuck(hour, |_| 18.0, None)),
        ("log-throttles", "WriteThrottleEvents", stuck(hour, |_| 18.0, None)),
    ];
    for (alarm, metric, series) in situations {
        let minutes = triggers(&rules[alarm], &of(metric, series));
        assert!(minutes.is_some_and(|minutes| minutes < given_up_after()), "{alarm}: {minutes:?} min");
    }
}

#[test]
fn one_failure_triggers_no_alarm() {
    let rules = rules();
    for alarm in [
        "failed-messages",
        "publish-failures",
        "function-errors",
        "record-throttles",
        "log-throttles",
        "unsettled-age",
        "failed-limit-events",
        "limits-function-errors",
        "limit-throttles",
        "failed-assignments",
        "assign-function-errors",
        "api-errors",
        "api-throttles",
    ] {
        let metric = rules[alarm].only_metric();
        let mut series = vec![Some(0.0); 60];
        series[20] = Some(1.0);
        assert_eq!(rules[alarm].triggers(&[(metric, series)].into(), 0, 0), None, "{alarm}");
    }
}

/// Batches emit no zeros. CloudWatch uses older values in place of missing ones, unless the alarm fills them in.
#[test]
fn two_failures_far_apart_trigger_no_alarm() {
    let rules = rules();
    for alarm in ["failed-messages", "publish-failures", "failed-limit-events", "failed-assignments"] {
        let mut series = vec![None; 60];
        (series[20], series[38]) = (Some(1.0), Some(1.0));
        let metrics = of(rules[alarm].only_metric(), series);
        assert_eq!(rules[alarm].triggers(&metrics, 0, 0), None, "{alarm}");
    }
}

/// An earlier rule of these alarms, whose defect the model has to reveal.
#[test]
fn three_minutes_of_five_never_detect_a_stuck_customer() {
    let rule =
        Rule { period_s: 60, evaluation_periods: 5, datapoints: 3, ..rules().remove("failed-messages").unwrap() };
    assert_eq!(rule.triggers(&of("failed", stuck(60, |_| 1.0, Some(0.0))), 0, 0), None);
}

/// Returns the age of the oldest message over time, in a queue without a consumer.
#[allow(clippy::cast_precision_loss)]
fn aging(minutes: u64) -> Series {
    (0..minutes).map(|minute| Some((minute * MINUTE_S) as f64)).collect()
}

#[test]
fn an_input_queue_without_a_consumer_triggers_an_alarm_within_half_an_hour() {
    let rules = rules();
    let input_age = triggers(&rules["input-age"], &of("ApproximateAgeOfOldestMessage", aging(60)));
    assert!(input_age.is_some_and(|minutes| minutes < 30), "{input_age:?}");
    // SQS excludes messages that were received several times from the age. Here a message waits, and none is received.
    let one = vec![Some(1.0); 60];
    for received in [vec![None; 60], vec![Some(0.0); 60]] {
        let metrics = [("waiting", one.clone()), ("received", received)].into();
        // No request reaches this queue, so its counts may arrive later than others.
        let stalled = triggers_within_delay(10, &rules["input-stalled"], &metrics);
        assert!(stalled.is_some_and(|minutes| minutes < 30), "{stalled:?}");
    }
    let received = stuck(60, |_| 1.0, None);
    let is_read = [("waiting", one), ("received", received)].into();
    let first_half = |series: &Series| series[..30].to_vec();
    let is_read: Metrics = Metrics::into_iter(is_read).map(|(name, series)| (name, first_half(&series))).collect();
    assert_eq!(triggers(&rules["input-stalled"], &is_read), None, "it is read");
    let empty = [("waiting", vec![Some(0.0); 60]), ("received", vec![None; 60])].into();
    assert_eq!(triggers(&rules["input-stalled"], &empty), None);
}

#[test]
fn an_alarm_triggers_six_hours_before_an_attempt_or_a_dead_letter_expires() {
    let rules = rules();
    let six_hours = 6 * 60;
    for (retention_s, age_s) in rule::near_loss() {
        let expiry = Rule { threshold: age_s, ..rules["input-expiry"].clone() };
        let minutes = triggers(&expiry, &of("ApproximateAgeOfOldestMessage", aging(retention_s / MINUTE_S)));
        assert!(minutes.is_some_and(|minutes| minutes + six_hours <= retention_s / MINUTE_S), "{retention_s} s");
    }
    for (queue, alarm) in [("DeadLetterQueue", "letter-expiry"), ("LimitDeadLetterQueue", "limit-letter-expiry")] {
        let retention_s = number(queue, "MessageRetentionPeriod");
        let letters = of("ApproximateAgeOfOldestMessage", aging(retention_s / MINUTE_S));
        let minutes = triggers(&rules[alarm], &letters);
        assert!(minutes.is_some_and(|minutes| minutes + six_hours <= retention_s / MINUTE_S), "{alarm}");
    }
}

/// Returns a count that rises after ten minutes.
fn rising(from: f64, to: f64) -> Series {
    [vec![Some(from); 10], vec![Some(to); 10]].concat()
}

/// Metrics of a dead-letter queue over an hour. The queue holds one invalid message from the start.
struct DeadLetters {
    visible: Vec<f64>,
    sent: Vec<f64>,
}

impl DeadLetters {
    const MINUTES: usize = 60;

    fn new() -> DeadLetters {
        DeadLetters { visible: vec![1.0; DeadLetters::MINUTES], sent: vec![0.0; DeadLetters::MINUTES] }
    }

    /// Adds a dead letter that is visible from this minute on.
    fn add(mut self, minute: usize) -> DeadLetters {
        self.visible[minute..].iter_mut().for_each(|visible| *visible += 1.0);
        self
    }

    /// Adds a dead letter that is sent in this minute. SQS may count it as visible a minute earlier or later.
    fn send(mut self, minute: usize, visible_from: usize) -> DeadLetters {
        self.sent[minute] += 1.0;
        self.add(visible_from)
    }

    fn metrics(&self) -> Metrics {
        let some = |values: &Vec<f64>| values.iter().map(|value| Some(*value)).collect();
        let none = vec![None; DeadLetters::MINUTES];
        [("visible", some(&self.visible)), ("hidden", none.clone()), ("sent", some(&self.sent)), ("deleted", none)]
            .into()
    }
}

#[test]
fn an_undecided_dead_letter_triggers_an_alarm_beside_invalid_ones() {
    let rules = rules();
    let undecided = &rules["undecided-letters"];
    for delay in 0..=IDLE_DELAY_MINUTES_MAX {
        let triggers = |letters: DeadLetters| undecided.triggers(&letters.metrics(), 0, delay);
        assert_eq!(triggers(DeadLetters::new()), None);
        assert_eq!(
            triggers(DeadLetters::new().send(5, 5)),
            None,
            "invalid input is sent to the queue and triggers nothing"
        );
        // A delay only shifts the alarm: in the end, CloudWatch has the values of the dead letter.
        assert_eq!(triggers(DeadLetters::new().add(5)), Some(6 + delay));
        for visible_from in [4, 5, 6] {
            let minutes = triggers(DeadLetters::new().send(5, visible_from).add(5));
            let minutes = minutes.map(|minutes| minutes - delay);
            assert!(minutes.is_some_and(|minutes| (5..=7).contains(&minutes)), "beside an invalid one: {minutes:?}");
        }
        // This is the first dead letter of a queue without metrics for days.
        let visible = (0..DeadLetters::MINUTES).map(|minute| Some(1.0).filter(|_| minute >= 2)).collect();
        let none = ["hidden", "sent", "deleted"].map(|name| (name, vec![None; DeadLetters::MINUTES]));
        let first = none.into_iter().chain([("visible", visible)]).collect();
        assert_eq!(undecided.triggers(&first, 0, delay), Some(3 + delay));
    }
    let visible = of("ApproximateNumberOfMessagesVisible", rising(0.0, 1.0));
    assert_eq!(triggers(&rules["dead-letters"], &visible), Some(11 + DELAY_MINUTES_MAX));
    assert_eq!(triggers(&rules["limit-dead-letters"], &visible), Some(11 + DELAY_MINUTES_MAX));
    assert_eq!(triggers(&rules["assignment-dead-letters"], &visible), Some(11 + DELAY_MINUTES_MAX));
}

#[test]
fn the_next_undecided_dead_letter_triggers_the_alarm_again() {
    let undecided = &rules()["undecided-letters"];
    // A stuck customer's next messages are given up one series of deliveries later. The alarm must have ended by then.
    assert!((undecided.evaluation_periods as u64) * undecided.period_s / MINUTE_S < given_up_after());
}

#[test]
fn a_backlog_of_half_the_messages_that_sqs_searches_triggers_an_alarm() {
    let visible = of("ApproximateNumberOfMessagesVisible", rising(59_000.0, 60_001.0));
    assert_eq!(triggers(&rules()["input-depth"], &visible), Some(11 + DELAY_MINUTES_MAX));
}

#[test]
fn a_table_that_needs_more_than_its_maximum_triggers_an_alarm_within_half_an_hour() {
    let rules = rules();
    for alarm in ["record-read-capacity", "record-write-capacity", "usage-read-capacity", "usage-write-capacity"] {
        let text = rules[alarm].expression.unwrap().trim_start_matches("!Sub \"").trim_end_matches('"');
        let max = if alarm.contains("read") { "${ReadUnitsMax}" } else { "${WriteUnitsMax}" };
        let text: &'static str = text.replace(max, "4000").replace("${CapacityUtilization}", "70").leak();
        let rule = Rule { expression: Some(text), ..rules[alarm].clone() };
        let minutes = |provisioned: f64, consumed_s: f64| {
            let consumed = vec![Some(consumed_s * 60.0); 60];
            triggers(&rule, &[("provisioned", vec![Some(provisioned); 60]), ("consumed", consumed)].into())
        };
        assert!(minutes(4000.0, 2900.0).is_some_and(|minutes| minutes < 30), "{alarm}: {:?}", minutes(4000.0, 2900.0));
        assert_eq!(minutes(4000.0, 2700.0), None, "{alarm}: the maximum is enough");
        assert_eq!(minutes(3900.0, 3900.0), None, "{alarm}: auto scaling may add capacity");
    }
}

#[test]
fn a_pending_record_outlives_its_message_in_both_queues() {
    let longest_s = rule::near_loss().into_iter().map(|(retention_s, _)| retention_s).max().unwrap();
    let waits_s = longest_s + number("DeadLetterQueue", "MessageRetentionPeriod");
    // A pending record is renewed when it is a day old.
    let day_s = 24 * 3600;
    assert!(PENDING_TTL.num_seconds().unsigned_abs() > waits_s + day_s);
}
