//! Consistency of template.yaml, the code and the pages of docs/: they use the same names, and numbers that depend on
//! one another agree.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use loadgate::config::{
    CORRELATION_TABLE, CORRELATION_TTL_HOURS, CURRENCY, DEAD_LETTER_QUEUE_URL, DECISIONS_QUEUE_URL, LIMIT_TABLE,
    LIMITS, LOAD_TABLE, SETTINGS, TTL_HOURS_DEFAULT, TableNames, parse_limits,
};
use regex::Regex;

use crate::support::cloud::tool;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const CONFIGURATION: &str = include_str!("../../../docs/configuration.md");
const LOGGING: &str = include_str!("../../../docs/LOGGING.md");
const RUNBOOK: &str = include_str!("../../../docs/runbook.md");
const DEPLOYMENT: &str = include_str!("../../../docs/DEPLOYMENT.md");
const SAMCONFIG: &str = include_str!("../../../samconfig.toml");
const TELEMETRY: &str = include_str!("../../../src/telemetry/mod.rs");

/// Returns the number at a key of a resource or a parameter.
fn number(resource: &str, key: &str) -> u64 {
    let value = Regex::new(&format!(r"(?m)^ +{key}: (\d+)$")).unwrap().captures(part(resource));
    value.unwrap_or_else(|| panic!("{resource} has no {key}"))[1].parse().unwrap()
}

/// Returns the text of a resource or a parameter.
fn part(name: &str) -> &'static str {
    let from = TEMPLATE.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("there is no {name}"));
    let rest = &TEMPLATE[from + 3..];
    let end = Regex::new(r"\n  [A-Za-z]").unwrap().find(rest).map_or(rest.len(), |next| next.start());
    &rest[..end]
}

/// Returns the actions that the function's role allows on a table or a queue.
fn allowed(table_or_queue: &str) -> BTreeSet<String> {
    let statements = part("FunctionRole").split("- Sid: ").skip(1);
    let of_this = statements.filter(|statement| statement.contains(&format!("!GetAtt {table_or_queue}.Arn")));
    of_this.flat_map(|statement| all(r"((?:dynamodb|sqs):[A-Za-z]+)", statement)).collect()
}

/// Returns the value of a parameter as the SAM CLI reads it from `--parameter-overrides` or samconfig.toml.
fn as_sam_reads(overrides: &str, parameter: &str) -> String {
    let script = "import json, sys\n\
        from samcli.cli.types import CfnParameterOverridesType\n\
        from samcli.lib.config.file_manager import tomlkit\n\
        written = tomlkit.parse(sys.argv[1])['parameter_overrides'].unwrap()\n\
        print(CfnParameterOverridesType().convert((written,), None, None)[sys.argv[2]], end='')";
    let python = tool("venv").join("bin/python");
    let read = Command::new(python).args(["-c", script, overrides, parameter]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    String::from_utf8(read.stdout).unwrap()
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_function_gets_exactly_the_variables_that_it_reads() {
    let set = all(r"(?m)^ +(LOADGATE_[A-Z_]+): ", TEMPLATE);
    let read = [
        CORRELATION_TABLE,
        LOAD_TABLE,
        LIMIT_TABLE,
        DECISIONS_QUEUE_URL,
        DEAD_LETTER_QUEUE_URL,
        CORRELATION_TTL_HOURS,
        LIMITS,
        CURRENCY,
    ];
    assert_eq!(set, read.map(str::to_owned).into());
    assert!(set.iter().all(|name| CONFIGURATION.contains(&format!("| `{name}` |"))));
    let TableNames { correlation, load, .. } = TableNames::default();
    assert!(
        TEMPLATE.contains(&format!("Default: {correlation}\n")) && TEMPLATE.contains(&format!("Default: {load}\n"))
    );
}

#[test]
fn the_tables_have_the_keys_that_the_code_uses() {
    let item = concat!(
        include_str!("../../../src/adapters/dynamodb/item.rs"),
        include_str!("../../../src/adapters/dynamodb/limit_item.rs")
    );
    let names = all(r"AttributeName: ([A-Z_]+)", TEMPLATE);
    assert_eq!(names, ["CUSTOMER_ID", "DATE", "EVENT_ID", "EXPIRES_AT", "PK", "SK"].map(str::to_owned).into());
    assert!(names.iter().all(|name| item.contains(&format!("\"{name}\""))));
}

#[test]
fn alarms_and_dashboard_use_emitted_and_documented_metrics() {
    let emitted = all(r#""([a-z_]+)""#, TELEMETRY);
    let alarms = all(r"Namespace: loadgate\n +MetricName: ([a-z_]+)", TEMPLATE);
    assert_eq!(alarms, ["failed", "oldest_unsettled_s", "publish_failures"].map(str::to_owned).into());
    let shown = all(r#"\["(?:loadgate|\.)", "([a-z_]+)""#, TEMPLATE);
    assert!(shown.len() > 10);
    for name in alarms.iter().chain(&shown) {
        assert!(emitted.contains(name), "{name} is not a metric");
        assert!(LOGGING.contains(&format!("\n| `{name}` |")), "LOGGING.md does not list {name}");
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

/// Returns the numbers of a list in one line.
fn numbers(list: &str) -> Vec<u64> {
    Regex::new(r"\d+").unwrap().find_iter(list).map(|number| number.as_str().parse().unwrap()).collect()
}

#[test]
fn the_template_accepts_only_times_to_live_longer_than_the_retention() {
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
    assert!(ttls.contains(&24) && rules.iter().any(|(_, ttls)| ttls.contains(&24)), "24 hours stay possible");
    assert!(TEMPLATE.contains("MessageRetentionPeriod: !Ref InputRetentionSeconds"));
}

#[test]
fn no_permission_has_a_wildcard() {
    let wildcards = Regex::new(r"(?m)(Action|Resource)s?: .*\*").unwrap();
    assert!(!wildcards.is_match(TEMPLATE), "{:?}", wildcards.find(TEMPLATE));
    assert!(TEMPLATE.contains("FunctionResponseTypes: [ReportBatchItemFailures]"));
}

#[test]
fn the_role_allows_every_request_of_the_function() {
    let actions = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let records = actions(&["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
    assert_eq!(allowed("CorrelationTable"), records);
    // A transaction consists of puts, updates and condition checks. Each kind needs its own permission.
    let usage = ["BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "UpdateItem"];
    assert_eq!(allowed("LoadTable"), usage.map(|action| format!("dynamodb:{action}")).into());
    assert_eq!(allowed("LimitTable"), actions(&["dynamodb:BatchGetItem"]), "the function only reads limits");
    let fence = include_str!("../../../src/adapters/dynamodb/fence.rs");
    assert_eq!(all(r"TransactGetItem::builder\(\)\.([a-z_]+)\(", fence), actions(&["get"]));
    assert_eq!(all(r"client\s*\.([a-z_]+)\(\)", fence), actions(&["query", "transact_get_items"]));
    let commit = include_str!("../../../src/adapters/dynamodb/commit.rs");
    let in_transactions = all(r"TransactWriteItem::builder\(\)\.([a-z_]+)\(", commit);
    assert_eq!(in_transactions, actions(&["condition_check", "put", "update"]), "permissions are per kind of action");
}

#[test]
fn the_documentation_lists_every_permission_that_a_command_needs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters");
    let files = ["dynamodb", "sqs"].iter().flat_map(|service| std::fs::read_dir(folder.join(service)).unwrap());
    let code: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let requests = all(r"(?:client|Client::new\(sdk\))\s*\.([a-z_]+)\(\)", &code);
    // A batch needs the permission of the single request. A transaction needs those of its actions.
    let in_transactions = ["condition_check_item", "get_item", "put_item", "update_item"].map(str::to_owned);
    let single = requests.iter().filter(|name| !name.starts_with("transact_"));
    let needed = single.map(|name| name.strip_suffix("_batch").unwrap_or(name).to_owned()).chain(in_transactions);
    let pascal = |name: String| name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>();
    let needed: BTreeSet<String> = needed.map(pascal).collect();
    assert!(needed.len() > 12, "{needed:?}");
    let listed = DEPLOYMENT.split("## Permissions").nth(1).unwrap();
    let rows = listed.lines().filter(|line| line.starts_with("| `loadgate ")).collect::<String>();
    assert_eq!(all("`([A-Z][A-Za-z]+)`", &rows), needed);
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn limits_cut_by_the_sam_cli_are_rejected_by_the_template() {
    let pattern = Regex::new(r#"AllowedPattern: "(.+)""#).unwrap().captures(part("Limits")).unwrap();
    let is_allowed = Regex::new(&format!("^(?:{})$", pattern[1].replace(r"\\", r"\"))).unwrap();
    assert!(is_allowed.is_match(""), "the default");
    let shown: Vec<&str> = SAMCONFIG.lines().skip_while(|line| !line.starts_with("# parameter_overrides")).collect();
    let shown = shown.join("\n").replace("# ", "");
    let whole = as_sam_reads(&shown, "Limits");
    assert!(is_allowed.is_match(&whole), "{whole}");
    let limits = parse_limits(&whole).unwrap();
    assert_eq!(limits.iter().len(), 1);
    assert_eq!(as_sam_reads(&shown, "MaxConcurrency"), "50", "the example leaves the other parameters intact");

    let limit = |quote: &str, space: &str| {
        ["code", "measure", "window"]
            .iter()
            .zip(["DAILY_COUNT", "count", "day"])
            .map(|(key, value)| format!("{key}{space}={space}{quote}{value}{quote},"))
            .chain([format!("max{space}={space}3")])
            .collect::<Vec<_>>()
            .join(space)
    };
    for text in [
        format!("limit = [{{{}}}]", limit("\"", " ")),
        format!("limit=[{{{}}}]", limit("\"", "")),
        format!("limit=[{{{}}}, {{{}}}]", limit("'", ""), limit("'", "")),
        format!("[[limit]]\n{}", limit("'", " ")),
    ] {
        let cut = as_sam_reads(&format!("parameter_overrides = ['\'\'Limits={text}\'\'']"), "Limits");
        assert!(cut.len() < text.len(), "the SAM CLI cuts it: {cut}");
        assert!(!is_allowed.is_match(&cut), "{cut}");
    }
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn the_import_template_has_all_tables_and_nothing_that_an_import_rejects() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/tables-to-import");
    for (arguments, is_bare) in [(&[][..], false), (&["--bare"][..], true)] {
        let printed = Command::new(&tool).args(arguments).output().unwrap();
        let template: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        // An import rejects outputs, new resources, and resources without a deletion policy.
        let keys: BTreeSet<&String> = template.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            BTreeSet::from([&"AWSTemplateFormatVersion".into(), &"Parameters".into(), &"Resources".into()])
        );
        let tables = template["Resources"].as_object().unwrap();
        assert_eq!(tables.keys().collect::<Vec<_>>(), ["CorrelationTable", "LimitTable", "LoadTable"]);
        for (name, table) in tables {
            assert_eq!((&table["Type"], &table["DeletionPolicy"]), (&"AWS::DynamoDB::Table".into(), &"Retain".into()));
            let properties = table["Properties"].as_object().unwrap();
            let hash_key = if name == "LimitTable" { "PK" } else { "CUSTOMER_ID" };
            assert_eq!(properties["KeySchema"][0]["AttributeName"], hash_key);
            assert_eq!(properties.contains_key("TimeToLiveSpecification"), name != "LoadTable");
            // `loadgate tables create` sets none of these. The deployment after the import sets them.
            for added in ["PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled"] {
                assert_ne!(properties.contains_key(added), is_bare, "{name}: {added}");
            }
        }
    }
}

#[test]
fn the_function_is_deployed_from_its_build_and_not_from_the_sources() {
    // `sam build` puts its result in this folder.
    assert!(TEMPLATE.contains("\n      CodeUri: .aws-sam/build/LoadgateFunction\n"));
    assert!(part("LoadgateFunction").contains("\n      ProjectRootDirectory: .\n"));
}

#[test]
fn the_runbook_has_a_section_for_each_alarm() {
    let alarms = all(r#"AlarmName: !Sub "\$\{AWS::StackName\}-([a-z-]+)""#, TEMPLATE);
    let sections = all(r"(?m)^## ([a-z-]+)$", RUNBOOK);
    assert!(alarms.len() > 5);
    assert_eq!(alarms, sections);
}

#[test]
fn the_documentation_lists_every_setting_of_the_worker() {
    for name in SETTINGS {
        assert!(CONFIGURATION.contains(&format!("| `{name}` |")), "configuration.md does not list {name}");
    }
}
