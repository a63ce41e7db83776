//! That template.yaml, the code and the README say the same names, and that numbers which depend on one another agree.

use std::collections::BTreeSet;

use loadgate::config::{
    CORRELATION_TABLE, CORRELATION_TTL_HOURS, DEAD_LETTER_QUEUE_URL, DECISIONS_QUEUE_URL, LIMITS, LOAD_TABLE, SETTINGS,
    TTL_HOURS_DEFAULT, TableNames,
};
use regex::Regex;

const TEMPLATE: &str = include_str!("../../template.yaml");
const README: &str = include_str!("../../README.md");
const TELEMETRY: &str = include_str!("../../src/telemetry/mod.rs");

/// The one number behind a key, or behind a key of a resource.
fn number(resource: &str, key: &str) -> u64 {
    let from = TEMPLATE.find(&format!("\n  {resource}:\n")).unwrap_or_else(|| panic!("there is no {resource}"));
    let rest = &TEMPLATE[from + 3..];
    let end = Regex::new(r"\n  [A-Za-z]").unwrap().find(rest).map_or(rest.len(), |next| next.start());
    let value = Regex::new(&format!(r"(?m)^ +{key}: (\d+)$")).unwrap().captures(&rest[..end]);
    value.unwrap_or_else(|| panic!("{resource} has no {key}"))[1].parse().unwrap()
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_function_gets_every_variable_that_it_reads_and_no_other() {
    let set = all(r"(?m)^ +(LOADGATE_[A-Z_]+): ", TEMPLATE);
    let read =
        [CORRELATION_TABLE, LOAD_TABLE, DECISIONS_QUEUE_URL, DEAD_LETTER_QUEUE_URL, CORRELATION_TTL_HOURS, LIMITS];
    assert_eq!(set, read.map(str::to_owned).into());
    assert!(set.iter().all(|name| README.contains(&format!("| `{name}` |"))));
    let TableNames { correlation, load } = TableNames::default();
    assert!(
        TEMPLATE.contains(&format!("Default: {correlation}\n")) && TEMPLATE.contains(&format!("Default: {load}\n"))
    );
}

#[test]
fn the_tables_have_the_keys_that_the_code_uses() {
    let item = include_str!("../../src/adapters/dynamodb/item.rs");
    let names = all(r"AttributeName: ([A-Z_]+)", TEMPLATE);
    assert_eq!(names, ["CUSTOMER_ID", "DATE", "EVENT_ID", "EXPIRES_AT"].map(str::to_owned).into());
    assert!(names.iter().all(|name| item.contains(&format!("\"{name}\""))));
}

#[test]
fn alarms_dashboard_and_readme_name_metrics_that_there_are() {
    let emitted = all(r#""([a-z_]+)""#, TELEMETRY);
    let alarms = all(r"Namespace: loadgate\n +MetricName: ([a-z_]+)", TEMPLATE);
    assert_eq!(alarms, ["failed", "oldest_unsettled_s", "publish_failures"].map(str::to_owned).into());
    let shown = all(r#"\["(?:loadgate|\.)", "([a-z_]+)""#, TEMPLATE);
    assert!(shown.len() > 10);
    for name in alarms.iter().chain(&shown) {
        assert!(emitted.contains(name), "{name} is no metric");
        assert!(README.contains(&format!("`{name}`")), "the README does not know {name}");
    }
}

#[test]
fn numbers_that_depend_on_one_another_agree() {
    let timeout_s = number("LoadgateFunction", "Timeout");
    assert_eq!(number("InputQueue", "VisibilityTimeout"), 6 * timeout_s, "as Lambda asks");
    let fortnight_s = 14 * 24 * 3600;
    assert_eq!(number("InputRetentionSeconds", "Default"), fortnight_s);
    assert_eq!(number("DeadLetterQueue", "MessageRetentionPeriod"), fortnight_s);
    assert_eq!(number("CorrelationTtlHours", "Default"), TTL_HOURS_DEFAULT.unsigned_abs());
    assert!(number("LoadgateFunction", "BatchSize") <= 10, "the most for a FIFO queue");
    assert_eq!(number("FunctionDurationAlarm", "Threshold"), (timeout_s - 10) * 1000, "where customers are left out");
    assert!(number("DeadLetterQueue", "MaximumMessageSize") > number("InputQueue", "MaximumMessageSize"));
    assert_eq!(number("InputQueue", "MaximumMessageSize"), loadgate::domain::ATTEMPT_BYTES_MAX as u64);
}

/// The numbers of a list in one line.
fn numbers(list: &str) -> Vec<u64> {
    Regex::new(r"\d+").unwrap().find_iter(list).map(|number| number.as_str().parse().unwrap()).collect()
}

#[test]
fn for_each_retention_the_template_takes_only_longer_times_to_live() {
    let lists = Regex::new(r"AllowedValues: \[([\d, ]+)\]").unwrap();
    let allowed = |parameter: &str| {
        let from = TEMPLATE.find(&format!("\n  {parameter}:\n")).unwrap();
        numbers(&lists.captures(&TEMPLATE[from..]).unwrap()[1])
    };
    let (retentions, ttls) = (allowed("InputRetentionSeconds"), allowed("CorrelationTtlHours"));
    let rule = r#"!Equals \[!Ref InputRetentionSeconds, "(\d+)"\]\n    Assertions:\n      - Assert: !Contains \[\[(.+)\], !Ref CorrelationTtlHours\]"#;
    let rules: Vec<(u64, Vec<u64>)> = Regex::new(rule)
        .unwrap()
        .captures_iter(TEMPLATE)
        .map(|found| (found[1].parse().unwrap(), numbers(&found[2])))
        .collect();
    let expected = |retention_s: &u64| {
        let longer = ttls.iter().copied().filter(|hours| hours * 3600 > *retention_s);
        (*retention_s, longer.collect::<Vec<_>>())
    };
    assert_eq!(rules, retentions.iter().map(expected).collect::<Vec<_>>());
    assert!(ttls.contains(&24) && rules.iter().any(|(_, ttls)| ttls.contains(&24)), "24 hours stay a setting");
    assert!(TEMPLATE.contains("MessageRetentionPeriod: !Ref InputRetentionSeconds"));
}

#[test]
fn nothing_is_allowed_with_a_wildcard() {
    let wildcards = Regex::new(r"(?m)(Action|Resource)s?: .*\*").unwrap();
    assert!(!wildcards.is_match(TEMPLATE), "{:?}", wildcards.find(TEMPLATE));
    assert!(TEMPLATE.contains("FunctionResponseTypes: [ReportBatchItemFailures]"));
}

#[test]
fn the_runbook_says_what_to_do_for_each_alarm() {
    let alarms = all(r#"AlarmName: !Sub "\$\{AWS::StackName\}-([a-z-]+)""#, TEMPLATE);
    let sections = all(r"(?m)^### ([a-z-]+)$", README);
    assert!(alarms.len() > 5);
    assert_eq!(alarms, sections);
}

#[test]
fn the_readme_tells_every_setting_of_the_worker() {
    for name in SETTINGS {
        assert!(README.contains(&format!("| `{name}` |")), "the README does not know {name}");
    }
}
