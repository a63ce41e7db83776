//! Alarms about the stream of limit events, and about the HTTP API.
// CloudWatch's values are floating-point numbers.
#![allow(clippy::float_arithmetic)]

use super::rule::{number, rules};
use super::{MINUTE_S, Metrics, Series, of, triggers};

const HALF_AN_HOUR: u64 = 30;

/// Returns the values of a metric while the batch of a shard fails again and again. Lambda tries it again every so many
/// minutes. `value` maps the minute of a try to the value at that try.
fn repeated(minutes: u64, every: usize, value: impl Fn(u64) -> f64, otherwise: Option<f64>) -> Series {
    (0..minutes).map(|minute| if minute % every as u64 == 0 { Some(value(minute)) } else { otherwise }).collect()
}

/// Returns the age of an event that came in the first minute, in milliseconds.
#[allow(clippy::cast_precision_loss)]
fn age_ms(minute: u64) -> f64 {
    (minute * MINUTE_S * 1000) as f64
}

fn steady(minutes: u64, value: Option<f64>) -> Series {
    vec![value; usize::try_from(minutes).unwrap()]
}

/// Returns the minute in which an alarm triggers at the latest, over some offsets of its periods and delays of its values.
fn triggers_at(alarm: &str, metrics: &Metrics) -> Option<u64> {
    let rule = &rules()[alarm];
    let period = rule.period_s / MINUTE_S;
    let cases = [0, period / 2, period - 1].into_iter().flat_map(|offset| [0, 3].map(|delay| (offset, delay)));
    let minutes = cases.map(|(offset, delay)| rule.triggers(metrics, offset, delay));
    minutes.collect::<Option<Vec<_>>>()?.into_iter().max()
}

#[test]
fn a_shard_that_waits_triggers_an_alarm_within_half_an_hour() {
    let rules = rules();
    for every in [1, 2, 4] {
        let failing = |value: fn(u64) -> f64, otherwise| repeated(60, every, value, otherwise);
        let situations = [
            ("limit-age", "IteratorAge", failing(age_ms, None)),
            ("failed-limit-events", "failed", failing(|_| 1.0, None)),
            ("failed-limit-events", "failed", failing(|_| 1.0, Some(0.0))),
            ("limits-function-errors", "Errors", failing(|_| 1.0, None)),
            ("limits-function-throttles", "Throttles", failing(|_| 1.0, None)),
            ("limits-function-duration", "Duration", failing(|_| 60_000.0, None)),
            ("limit-throttles", "WriteThrottleEvents", failing(|_| 18.0, None)),
        ];
        for (alarm, metric, series) in situations {
            let minutes = triggers(&rules[alarm], &of(metric, series));
            assert!(minutes.is_some_and(|minutes| minutes < HALF_AN_HOUR), "{alarm}, {every}: {minutes:?} min");
        }
    }
}

#[test]
fn events_that_are_applied_at_once_trigger_no_alarm() {
    let quick = of("IteratorAge", steady(60, Some(900.0)));
    assert_eq!(rules()["limit-age"].triggers(&quick, 0, 0), None);
}

/// Metrics of a stream and its function over time, in which a record comes in at some minutes.
struct Stream {
    reads: Series,
    incoming: Series,
    invoked: Series,
}

impl Stream {
    /// Returns a stream that Lambda reads, with a record every so many minutes. Its invocation is counted so much later.
    fn read(minutes: u64, every: usize, later: usize) -> Stream {
        let incoming = repeated(minutes, every, |_| 1.0, None);
        let invoked = [vec![None; later], incoming.clone()].concat();
        Stream { reads: steady(minutes, Some(240.0)), invoked: invoked[..incoming.len()].to_vec(), incoming }
    }

    fn metrics(self) -> Metrics {
        [("reads", self.reads), ("incoming", self.incoming), ("invoked", self.invoked)].into()
    }
}

#[test]
fn a_stream_that_nobody_reads_triggers_an_alarm_within_half_an_hour() {
    let rules = rules();
    let stalled = |stream: Stream| triggers(&rules["limit-stalled"], &stream.metrics());
    let unread = || Stream { reads: steady(60, None), invoked: steady(60, None), ..Stream::read(60, 1, 0) };
    for stream in [unread(), Stream { incoming: steady(60, None), ..unread() }] {
        let minutes = stalled(stream);
        assert!(minutes.is_some_and(|minutes| minutes < HALF_AN_HOUR), "{minutes:?}");
    }
    // Another program reads the same stream.
    let minutes = stalled(Stream { reads: steady(60, Some(60.0)), ..unread() });
    assert!(minutes.is_some_and(|minutes| minutes < HALF_AN_HOUR), "{minutes:?}");
    // There is no age of what nobody reads: this alarm alone would stay silent.
    assert_eq!(triggers(&rules["limit-age"], &of("IteratorAge", steady(60, None))), None);
}

#[test]
fn a_stream_that_is_read_triggers_no_alarm() {
    let rules = rules();
    for (every, later) in [(1, 0), (1, 4), (7, 1), (7, 4), (20, 1), (20, 4)] {
        for offset in 0..5 {
            for delay in 0..=3 {
                let metrics = Stream::read(120, every, later).metrics();
                let minutes = rules["limit-stalled"].triggers(&metrics, offset, delay);
                assert_eq!(minutes, None, "{every}, {later}, {offset}, {delay}");
            }
        }
    }
    let idle = Stream { incoming: steady(60, None), invoked: steady(60, None), ..Stream::read(60, 1, 0) };
    assert_eq!(rules["limit-stalled"].triggers(&idle.metrics(), 0, 0), None, "no event comes");
}

#[test]
fn an_alarm_triggers_six_hours_before_a_limit_event_expires() {
    let hour = 60;
    let week = number("LimitStream", "RetentionPeriodHours") * hour;
    assert_eq!(week, 7 * 24 * hour);
    let half = usize::try_from(week / 2).unwrap();
    let (is_read, unread) = (steady(week, Some(240.0)), steady(week, None));
    let failing = repeated(week, 10, age_ms, None);
    let then = |first: &Series, second: &Series| [&first[..half], &second[half..]].concat();
    let situations = [
        ("nobody reads", unread.clone(), unread.clone()),
        ("every batch fails", is_read.clone(), failing.clone()),
        ("fails, then nobody reads", then(&is_read, &unread), then(&failing, &unread)),
        ("nobody reads, then fails", then(&unread, &is_read), then(&unread, &failing)),
    ];
    for (situation, reads, age) in situations {
        let minutes = triggers_at("limit-expiry", &[("reads", reads), ("age", age)].into());
        assert!(minutes.is_some_and(|minutes| minutes + 6 * hour <= week), "{situation}: {minutes:?}");
        assert!(minutes.is_some_and(|minutes| minutes >= 5 * 24 * hour), "{situation}: {minutes:?}");
    }
    // Two hours without a delay: what has waited until then was applied.
    let mut reads = unread;
    reads[half..half + 2 * 60].fill(Some(240.0));
    assert_eq!(triggers_at("limit-expiry", &[("reads", reads), ("age", steady(week, None))].into()), None);
    let age = repeated(week, 10, |_| 800.0, None);
    assert_eq!(triggers_at("limit-expiry", &[("reads", is_read), ("age", age)].into()), None, "applied at once");
}

#[test]
fn an_api_that_fails_or_is_slow_triggers_an_alarm_within_half_an_hour() {
    let rules = rules();
    for (alarm, metric, value) in
        [("api-errors", "5xx", 1.0), ("api-latency", "Latency", 2_000.0), ("api-throttles", "Throttles", 1.0)]
    {
        let minutes = triggers(&rules[alarm], &of(metric, steady(60, Some(value))));
        assert!(minutes.is_some_and(|minutes| minutes < HALF_AN_HOUR), "{alarm}: {minutes:?}");
    }
    let mut one_cold_start = steady(60, Some(20.0));
    one_cold_start[20] = Some(1_500.0);
    assert_eq!(rules["api-latency"].triggers(&of("Latency", one_cold_start), 0, 0), None);
}
