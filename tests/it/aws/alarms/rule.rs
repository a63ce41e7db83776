//! Alarms as template.yaml has them, and their evaluation.

use std::collections::BTreeMap;

use regex::Regex;

use super::{MINUTE_S, Metrics, Series, expression};

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// Periods that CloudWatch retrieves beyond those that it evaluates: two, in the user guide's examples.
const RETRIEVED_MORE: usize = 2;

/// When an alarm goes off.
#[derive(Clone, Debug)]
pub struct Rule {
    pub period_s: u64,
    pub evaluation_periods: usize,
    pub datapoints: usize,
    pub threshold: f64,
    pub is_or_equal: bool,
    /// Statistics of the metrics, by name or id.
    pub statistics: BTreeMap<&'static str, &'static str>,
    /// What is computed of them. Without, there is one metric.
    pub expression: Option<&'static str>,
}

/// The text of a resource.
fn resource(name: &str) -> &'static str {
    let from = TEMPLATE.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("there is no {name}"));
    let rest = &TEMPLATE[from + 3..];
    let end = Regex::new(r"\n  [A-Za-z]").unwrap().find(rest).map_or(rest.len(), |next| next.start());
    &rest[..end]
}

/// The first value behind a key.
fn value(text: &'static str, key: &str) -> Option<&'static str> {
    let found = Regex::new(&format!(r"(?m)^ +(?:- )?{key}: (.+)$")).unwrap().captures(text)?;
    Some(found.get(1).unwrap().as_str())
}

/// The number behind a key of a resource, whatever depth it stands at.
pub fn number(name: &str, key: &str) -> u64 {
    value(resource(name), key).unwrap_or_else(|| panic!("{name} has no {key}")).parse().unwrap()
}

/// The ages at which an attempt's loss is near, by the retention of the input queue, both in seconds.
pub fn near_loss() -> Vec<(u64, f64)> {
    let pairs = Regex::new(r#"(?m)^    "(\d+)": \{AgeSeconds: (\d+)\}$"#).unwrap();
    let pairs: Vec<(u64, f64)> =
        pairs.captures_iter(TEMPLATE).map(|found| (found[1].parse().unwrap(), found[2].parse().unwrap())).collect();
    assert!(pairs.len() > 1);
    pairs
}

/// All alarms, by what stands behind the stack's name in theirs.
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
        [(value(text, "MetricName").unwrap(), value(text, "Statistic").unwrap())].into()
    };
    Rule {
        period_s: number("Period").unwrap(),
        evaluation_periods,
        datapoints,
        // One is looked up by a parameter: the tests set it.
        threshold: value(text, "Threshold").unwrap().parse().unwrap_or(f64::INFINITY),
        is_or_equal,
        statistics,
        expression,
    }
}

impl Rule {
    /// The name of the only metric.
    pub fn only_metric(&self) -> &'static str {
        assert_eq!(self.statistics.len(), 1);
        self.statistics.keys().next().unwrap()
    }

    /// Minutes after which the alarm goes off, if a period begins so many minutes into the series and CloudWatch gets each value so
    /// many minutes late.
    pub fn goes_off(&self, metrics: &Metrics, offset: u64, delay: u64) -> Option<u64> {
        let minutes = metrics.values().map(Vec::len).max()? as u64;
        let period = self.period_s / MINUTE_S;
        let looked_at = (self.evaluation_periods + RETRIEVED_MORE) as u64;
        (1..=(minutes - offset) / period).map(|periods| (periods, offset + periods * period)).find_map(
            |(periods, now)| {
                // One period more: an expression may look at the value before.
                let begin = offset + periods.saturating_sub(looked_at + 1) * period;
                self.is_on(&self.values(&known(metrics, begin, now, delay))).then_some(now)
            },
        )
    }

    /// Whether the alarm is on, by the values of all periods until now.
    ///
    /// CloudWatch retrieves more periods than it evaluates and takes the most recent that have a value ("How alarm state is evaluated
    /// when data is missing"). A value that an expression fills in counts as one.
    fn is_on(&self, values: &Series) -> bool {
        let retrieved = &values[values.len().saturating_sub(self.evaluation_periods + RETRIEVED_MORE)..];
        let existing: Vec<f64> = retrieved.iter().copied().flatten().collect();
        let breaches =
            |value: &&f64| if self.is_or_equal { **value >= self.threshold } else { **value > self.threshold };
        let evaluated = &existing[existing.len().saturating_sub(self.evaluation_periods)..];
        evaluated.iter().filter(breaches).count() >= self.datapoints
    }

    /// What the alarm looks at: one value a period.
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

/// What CloudWatch has of metrics at a minute, from another one on.
fn known(metrics: &Metrics, begin: u64, now: u64, delay: u64) -> Metrics {
    let [begin, now, known] = [begin, now, now.saturating_sub(delay)].map(|minute| usize::try_from(minute).unwrap());
    let until_now = |series: &Series| (begin..now).map(|minute| series[minute].filter(|_| minute < known)).collect();
    metrics.iter().map(|(name, series)| (*name, until_now(series))).collect()
}

fn aggregate(series: &[Option<f64>], statistic: &str, period_s: u64) -> Series {
    let fold = match statistic {
        "Sum" => |one: f64, other: f64| one + other,
        "Maximum" => f64::max,
        "Minimum" => f64::min,
        other => panic!("{other} is not modelled"),
    };
    let minutes = usize::try_from(period_s / MINUTE_S).unwrap();
    series.chunks(minutes).map(|values| values.iter().flatten().copied().reduce(fold)).collect()
}
