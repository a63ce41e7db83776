//! Rules of the alarms in template.yaml, and their evaluation.

use std::collections::BTreeMap;

use regex::Regex;

use super::{MINUTE_S, Metrics, Series, expression};

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// Number of periods that CloudWatch retrieves beyond those that it evaluates. It is two in the user guide's examples.
const EXTRA_PERIODS: usize = 2;

/// Condition under which an alarm triggers.
#[derive(Clone, Debug)]
pub struct Rule {
    pub period_s: u64,
    pub evaluation_periods: usize,
    pub datapoints: usize,
    pub threshold: f64,
    pub is_or_equal: bool,
    /// Statistics of the metrics, by name or id.
    pub statistics: BTreeMap<&'static str, &'static str>,
    /// Metric math over the metrics. `None` if the alarm has only one metric.
    pub expression: Option<&'static str>,
}

/// Returns the text of a resource.
fn resource(name: &str) -> &'static str {
    let from = TEMPLATE.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("there is no {name}"));
    let rest = &TEMPLATE[from + 3..];
    let end = Regex::new(r"\n  [A-Za-z]").unwrap().find(rest).map_or(rest.len(), |next| next.start());
    &rest[..end]
}

/// Returns the first value of a key.
fn value(text: &'static str, key: &str) -> Option<&'static str> {
    let found = Regex::new(&format!(r"(?m)^ +(?:- )?{key}: (.+)$")).unwrap().captures(text)?;
    Some(found.get(1).unwrap().as_str())
}

/// Returns the number at a key of a resource, at any depth.
pub fn number(name: &str, key: &str) -> u64 {
    value(resource(name), key).unwrap_or_else(|| panic!("{name} has no {key}")).parse().unwrap()
}

/// Returns the age from which an attempt's loss is near, for each retention of the input queue, both in seconds.
pub fn near_loss() -> Vec<(u64, f64)> {
    let pairs = Regex::new(r#"(?m)^    "(\d+)": \{AgeSeconds: (\d+)\}$"#).unwrap();
    let pairs: Vec<(u64, f64)> =
        pairs.captures_iter(TEMPLATE).map(|found| (found[1].parse().unwrap(), found[2].parse().unwrap())).collect();
    assert!(pairs.len() > 1);
    pairs
}

/// Returns all alarms, by their names without the stack's name.
pub fn rules() -> BTreeMap<&'static str, Rule> {
    let alarms = Regex::new(r"(?m)^  ([A-Za-z]+):\n    Type: AWS::CloudWatch::Alarm$").unwrap();
    let rules = alarms.captures_iter(TEMPLATE).map(|found| {
        let text = resource(found.get(1).unwrap().as_str());
        let name = value(text, "AlarmName").unwrap();
        let name = name.trim_start_matches("!Sub \"${AWS::StackName}-").trim_end_matches('"');
        (name, rule(text))
    });
    rules.collect()
}

fn rule(text: &'static str) -> Rule {
    let number = |key| value(text, key).map(|value| value.parse::<u64>().unwrap());
    let evaluation_periods = usize::try_from(number("EvaluationPeriods").unwrap()).unwrap();
    let datapoints = number("DatapointsToAlarm").map_or(evaluation_periods, |count| usize::try_from(count).unwrap());
    let is_or_equal = match value(text, "ComparisonOperator").unwrap() {
        "GreaterThanThreshold" => false,
        "GreaterThanOrEqualToThreshold" => true,
        other => panic!("{other} is not modelled"),
    };
    assert_eq!(value(text, "TreatMissingData"), Some("notBreaching"));
    let expression = value(text, "Expression");
    let statistics = if expression.is_some() {
        let id = Regex::new(r"(?s)- Id: ([a-z]+)\n +MetricStat:.*?Stat: ([A-Za-z]+)\n").unwrap();
        let found = id.captures_iter(text).map(|found| {
            let [id, statistic] = [1, 2].map(|group| found.get(group).unwrap().as_str());
            (id, statistic)
        });
        found.collect()
    } else {
        let statistic = value(text, "Statistic").or_else(|| value(text, "ExtendedStatistic")).unwrap();
        [(value(text, "MetricName").unwrap(), statistic)].into()
    };
    Rule {
        period_s: number("Period").unwrap(),
        evaluation_periods,
        datapoints,
        // One threshold depends on a parameter. The tests set it.
        threshold: value(text, "Threshold").unwrap().parse().unwrap_or(f64::INFINITY),
        is_or_equal,
        statistics,
        expression,
    }
}

impl Rule {
    /// Returns the name of the only metric.
    pub fn only_metric(&self) -> &'static str {
        assert_eq!(self.statistics.len(), 1);
        self.statistics.keys().next().unwrap()
    }

    /// Returns the minute in which the alarm triggers. The first period begins `offset` minutes into the series, and
    /// CloudWatch gets each value `delay` minutes late.
    pub fn triggers(&self, metrics: &Metrics, offset: u64, delay: u64) -> Option<u64> {
        let minutes = metrics.values().map(Vec::len).max()? as u64;
        let period = self.period_s / MINUTE_S;
        let retrieved = (self.evaluation_periods + EXTRA_PERIODS) as u64;
        (1..=(minutes - offset) / period).map(|periods| (periods, offset + periods * period)).find_map(
            |(periods, now)| {
                // An expression may refer to the previous value, so the series begins one period earlier.
                let begin = offset + periods.saturating_sub(retrieved + 1) * period;
                self.is_on(&self.values(&known(metrics, begin, now, delay))).then_some(now)
            },
        )
    }

    /// Returns true if the alarm is on, by the values of all periods until now.
    ///
    /// CloudWatch retrieves more periods than it evaluates, and evaluates the most recent ones that have a value. A
    /// value that an expression fills in counts. See "How alarm state is evaluated when data is missing" in the user
    /// guide.
    fn is_on(&self, values: &Series) -> bool {
        let retrieved = &values[values.len().saturating_sub(self.evaluation_periods + EXTRA_PERIODS)..];
        let existing: Vec<f64> = retrieved.iter().copied().flatten().collect();
        let breaches =
            |value: &&f64| if self.is_or_equal { **value >= self.threshold } else { **value > self.threshold };
        let evaluated = &existing[existing.len().saturating_sub(self.evaluation_periods)..];
        evaluated.iter().filter(breaches).count() >= self.datapoints
    }

    /// Returns the values that the alarm evaluates, one a period.
    fn values(&self, metrics: &Metrics) -> Series {
        let by_period = |(name, statistic): (&&'static str, &&'static str)| {
            let series = metrics.get(*name).unwrap_or_else(|| panic!("the situation has no {name}"));
            (*name, aggregate(series, statistic, self.period_s))
        };
        let metrics: Metrics = self.statistics.iter().map(by_period).collect();
        match self.expression {
            Some(text) => expression::evaluate(text, &metrics),
            None => metrics.into_values().next().unwrap(),
        }
    }
}

/// Returns the values of metrics from `begin` on that CloudWatch has in the minute `now`.
fn known(metrics: &Metrics, begin: u64, now: u64, delay: u64) -> Metrics {
    let [begin, now, known] = [begin, now, now.saturating_sub(delay)].map(|minute| usize::try_from(minute).unwrap());
    let until_now = |series: &Series| (begin..now).map(|minute| series[minute].filter(|_| minute < known)).collect();
    metrics.iter().map(|(name, series)| (*name, until_now(series))).collect()
}

fn aggregate(series: &[Option<f64>], statistic: &str, period_s: u64) -> Series {
    let fold = match statistic {
        "Sum" | "SampleCount" => |one: f64, other: f64| one + other,
        // The situations have the same value in each minute, which then is every quantile.
        "Maximum" | "p90" => f64::max,
        "Minimum" => f64::min,
        other => panic!("{other} is not modelled"),
    };
    let minutes = usize::try_from(period_s / MINUTE_S).unwrap();
    series.chunks(minutes).map(|values| values.iter().flatten().copied().reduce(fold)).collect()
}
