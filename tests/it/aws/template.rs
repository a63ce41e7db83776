//! Consistency of template.yaml, the code and the pages of docs/: they use the same names, and numbers that depend on
//! one another agree.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use loadgate::config::{
    ASSIGNMENT_QUEUE_URL, CORRELATION_TABLE, CORRELATION_TTL_HOURS, CURRENCY, DEAD_LETTER_QUEUE_URL, DECISION_LOG_DAYS,
    DECISION_LOG_TABLE, DECISIONS_QUEUE_URL, INCREASE_DELAY_HOURS, INCREASE_NEEDS_CONFIRMATION,
    LIMIT_DEAD_LETTER_QUEUE_URL, LIMIT_TABLE, LIMITS, LOAD_TABLE, SETTINGS, TTL_HOURS_DEFAULT, TableNames,
    USAGE_RETENTION_DAYS,
};
use loadgate::limits::WHOLE_BYTES_MAX;
use loadgate::limits::jobs::{FINISH_DELAY_MAX, ORPHAN_AGE, RECEIVES_MAX};
use loadgate::runtime::http::REQUEST_TIMEOUT;
use loadgate::wire::parse_limits;
use regex::Regex;

use crate::support::cloud::tool;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const CONFIGURATION: &str = include_str!("../../../docs/configuration.md");
const LOGGING: &str = include_str!("../../../docs/LOGGING.md");
const RUNBOOK: &str = include_str!("../../../docs/runbook.md");
const DEPLOYMENT: &str = include_str!("../../../docs/DEPLOYMENT.md");
const SAMCONFIG: &str = include_str!("../../../samconfig.toml");
const TELEMETRY: &str = concat!(
    include_str!("../../../src/telemetry/decisions.rs"),
    include_str!("../../../src/telemetry/limit_events.rs"),
    include_str!("../../../src/telemetry/assignments.rs")
);

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

/// Returns the actions that a role allows on a table, a queue or a stream, without their service.
fn allowed(role: &str, resource: &str) -> BTreeSet<String> {
    let statements = part(role).split("- Sid: ").skip(1);
    let of_this = statements.filter(|statement| statement.contains(&format!("!GetAtt {resource}.Arn")));
    let actions = |statement: &str| all(r"(?:dynamodb|sqs|kinesis):([A-Za-z]+)", statement);
    let conditions = names(&["Attributes", "LeadingKeys"]);
    of_this.flat_map(actions).filter(|action| !conditions.contains(action)).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Returns the requests in the source of an adapter.
fn requests(source: &str) -> BTreeSet<String> {
    all(r"client\s*\.([a-z_]+)\(\)", source)
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
fn each_function_gets_exactly_the_variables_that_it_reads() {
    let tables = [CORRELATION_TABLE, LOAD_TABLE, LIMIT_TABLE, CURRENCY];
    let log = [DECISION_LOG_TABLE, DECISION_LOG_DAYS, USAGE_RETENTION_DAYS];
    let decide = [DECISIONS_QUEUE_URL, DEAD_LETTER_QUEUE_URL, CORRELATION_TTL_HOURS, LIMITS];
    let decide = [&decide[..], &log].concat();
    for (function, more) in [
        ("LoadgateFunction", &decide[..]),
        ("LimitsFunction", &[LIMIT_DEAD_LETTER_QUEUE_URL]),
        (
            "ApiFunction",
            &[LIMITS, DECISION_LOG_TABLE, ASSIGNMENT_QUEUE_URL, INCREASE_DELAY_HOURS, INCREASE_NEEDS_CONFIRMATION],
        ),
    ] {
        let set = all(r"(?m)^ +(LOADGATE_[A-Z_]+): ", part(function));
        assert_eq!(set, names(&[&tables, more].concat()), "{function}");
        assert!(set.iter().all(|name| CONFIGURATION.contains(&format!("| `{name}` |"))), "{set:?}");
    }
    let set = all(r"(?m)^ +(LOADGATE_[A-Z_]+): ", part("AssignFunction"));
    assert_eq!(set, names(&[LIMIT_TABLE, ASSIGNMENT_QUEUE_URL]), "a job decides nothing");
    assert!(set.iter().all(|name| CONFIGURATION.contains(&format!("| `{name}` |"))), "{set:?}");
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
    assert_eq!(
        names,
        ["CUSTOMER_ID", "DATE", "EVENT_ID", "EXPIRES_AT", "PK", "RUN_ID", "SEQ", "SK"].map(str::to_owned).into()
    );
    assert!(names.iter().all(|name| item.contains(&format!("\"{name}\""))));
}

#[test]
fn alarms_and_dashboard_use_emitted_and_documented_metrics() {
    let emitted = all(r#""([a-z_]+)""#, TELEMETRY);
    let alarms = all(r"Namespace: loadgate\n +MetricName: ([a-z_]+)", TEMPLATE);
    assert_eq!(
        alarms,
        names(&["failed", "job_messages_failed", "limits_failed", "oldest_unsettled_s", "publish_failures"])
    );
    let shown = all(r#"\["(?:loadgate|\.)", "([a-z_]+)""#, TEMPLATE);
    assert!(shown.len() > 15);
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

    let timeout_s = number("LimitsFunction", "Timeout");
    assert_eq!(
        number("LimitsFunctionDurationAlarm", "Threshold"),
        (timeout_s - 10) * 1000,
        "where events are left out"
    );
    assert_eq!(number("LimitDeadLetterQueue", "MessageRetentionPeriod"), fortnight_s);
    let in_base64 = WHOLE_BYTES_MAX.div_ceil(3) as u64 * 4;
    assert!(number("LimitDeadLetterQueue", "MaximumMessageSize") > in_base64, "SQS counts the attributes too");
    assert!(!part("LimitDeadLetterQueue").contains("Fifo"), "a dead letter has no group");
    let timeout_s = number("AssignFunction", "Timeout");
    assert_eq!(number("AssignmentQueue", "VisibilityTimeout"), 6 * timeout_s, "as Lambda asks");
    assert_eq!(number("AssignmentQueue", "maxReceiveCount"), RECEIVES_MAX, "at the last one, the function gives up");
    assert!(
        number("AssignmentAgeAlarm", "Threshold") > FINISH_DELAY_MAX.as_secs(),
        "a delayed message is no stuck one"
    );
    let first_s = number("AssignmentQueue", "VisibilityTimeout") * (RECEIVES_MAX - 1);
    assert!(
        first_s > ORPHAN_AGE.as_secs(),
        "a message whose job was never stored is dropped before it is a dead letter"
    );
    assert_eq!(number("AssignmentDeadLetterQueue", "MessageRetentionPeriod"), fortnight_s);
    assert!(!part("AssignmentQueue").contains("Fifo"), "steps have no order");
    let api_s = number("ApiFunction", "Timeout");
    assert!(api_s > REQUEST_TIMEOUT.as_secs(), "the program answers before Lambda stops it");
    assert!(number("HttpApiIntegration", "TimeoutInMillis") > api_s * 1000, "and before API Gateway gives up");
}

#[test]
fn the_stream_loses_nothing_and_keeps_each_users_order() {
    let mapping = part("LimitsFunction");
    for setting in [
        "StartingPosition: TRIM_HORIZON",
        "FunctionResponseTypes: [ReportBatchItemFailures]",
        "MaximumRetryAttempts: -1",
        "MaximumRecordAgeInSeconds: -1",
        "BisectBatchOnFunctionError: true",
        "ParallelizationFactor: !Ref LimitStreamParallelization",
    ] {
        assert!(mapping.contains(&format!("\n            {setting}\n")), "{setting}");
    }
    assert!(!mapping.contains("DestinationConfig"), "nothing is given up");
    let stream = part("LimitStream");
    assert!(stream.contains("StreamMode: ON_DEMAND") && stream.contains("EncryptionType: KMS"), "{stream}");
    assert_eq!(number("LimitStream", "RetentionPeriodHours"), 7 * 24);
}

#[test]
fn without_own_limits_there_is_neither_a_stream_nor_its_function() {
    for resource in [
        "LimitsFunction",
        "LimitsFunctionRole",
        "LimitDeadLetterQueue",
        "LimitAgeAlarm",
        "LimitExpiryAlarm",
        "AssignFunction",
        "AssignmentQueue",
    ] {
        assert!(part(resource).contains("\n    Condition: HasOwnLimits\n"), "{resource}");
    }
    assert!(part("LimitStream").contains("\n    Condition: CreatesLimitStream\n"));
    for resource in ["LimitTable", "ApiFunction", "HttpApi"] {
        assert!(!part(resource).contains("\n    Condition: "), "{resource} is there all the same");
    }
    assert!(part("ApiFunction").contains(r#"LOADGATE_LIMIT_TABLE: !If [HasOwnLimits, !Ref LimitTable, ""]"#));
}

#[test]
fn provisioned_capacity_is_for_the_two_tables_of_every_decision_and_off_by_default() {
    assert!(part("TableCapacity").contains("\n    Default: OnDemand\n"));
    for table in ["CorrelationTable", "LoadTable"] {
        assert!(part(table).contains("BillingMode: !If [IsProvisioned, PROVISIONED, PAY_PER_REQUEST]"), "{table}");
    }
    for table in ["LimitTable", "DecisionLogTable"] {
        assert!(part(table).contains("BillingMode: PAY_PER_REQUEST"), "{table}");
    }
    for kind in ["Read", "Write"] {
        let [min, max] = ["Min", "Max"].map(|bound| number(&format!("{kind}Units{bound}"), "Default"));
        assert!(min < max, "{kind}");
        for table in ["Record", "Usage"] {
            for resource in ["Capacity", "Scaling", "CapacityAlarm"].map(|end| format!("{table}{kind}{end}")) {
                assert!(part(&resource).contains("\n    Condition: IsProvisioned\n"), "{resource}");
            }
        }
    }
}

#[test]
fn every_route_of_the_api_needs_a_signed_request() {
    let routes = Regex::new(r"(?m)^  ([A-Za-z]+):\n    Type: AWS::ApiGatewayV2::Route$").unwrap();
    let routes = routes.captures_iter(TEMPLATE).map(|found| part(found.get(1).unwrap().as_str()));
    let mut keys = BTreeSet::new();
    for route in routes {
        assert!(route.contains("\n      AuthorizationType: AWS_IAM\n"), "{route}");
        assert!(route.contains("\n      Target: !Sub \"integrations/${HttpApiIntegration}\"\n"), "{route}");
        keys.extend(all(r"(?m)^      RouteKey: (.+)$", route));
    }
    let expected = [
        "GET /user-limits/{limitId}",
        "GET /user-limits/user/{userId}",
        "GET /customers/{customerId}/usage",
        "GET /customers/{customerId}/decisions",
        "POST /customers/{customerId}/check",
        "POST /user-limits",
        "PATCH /user-limits/{limitId}",
        "DELETE /user-limits/{limitId}",
        "DELETE /user-limits/{limitId}/pending",
        "POST /user-limits/{limitId}/pending/confirm",
        "GET /user-limits/{limitId}/changes",
        "GET /limit-plans",
        "GET /limit-plans/{planId}",
        "GET /limit-plans/{planId}/versions/{version}",
        "PUT /limit-plans/{planId}",
        "GET /customers/{customerId}/plan",
        "PUT /customers/{customerId}/plan",
        "DELETE /customers/{customerId}/plan",
        "GET /programs/{programId}/default-plan",
        "PUT /programs/{programId}/default-plan",
        "PUT /programs/{programId}/customers/{customerId}",
        "DELETE /programs/{programId}/customers/{customerId}",
        "POST /programs/{programId}/plan-assignments",
        "GET /jobs",
        "GET /jobs/{jobId}",
        "GET /jobs/{jobId}/failures",
        "POST /jobs/{jobId}/cancel",
        "GET /runs/{runId}/decisions",
        "GET /openapi.json",
    ];
    assert_eq!(keys, names(&expected));
    // Routes of a `Body`, or those that SAM writes, would be beside these.
    assert!(!TEMPLATE.contains("Type: HttpApi") && !TEMPLATE.contains("Type: Api\n"));
    assert!(!part("HttpApi").contains("Body") && !part("HttpApi").contains("Target"));
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
    assert_eq!(allowed("FunctionRole", "CorrelationTable"), names(&["BatchGetItem", "PutItem", "UpdateItem"]));
    // A transaction consists of puts, updates and condition checks. Each kind needs its own permission.
    let usage = ["BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "UpdateItem"];
    assert_eq!(allowed("FunctionRole", "LoadTable"), names(&usage));
    assert_eq!(allowed("FunctionRole", "LimitTable"), names(&["BatchGetItem"]), "the function only reads limits");
    let log = include_str!("../../../src/adapters/dynamodb/log_store.rs");
    assert_eq!(requests(log), names(&["batch_write_item", "query", "scan"]), "only the commands scan");
    assert_eq!(allowed("FunctionRole", "DecisionLogTable"), names(&["BatchWriteItem"]), "the function only writes it");
    assert_eq!(allowed("ApiFunctionRole", "DecisionLogTable"), names(&["Query"]), "the API only reads it");
    let fence = include_str!("../../../src/adapters/dynamodb/fence.rs");
    assert_eq!(all(r"TransactGetItem::builder\(\)\.([a-z_]+)\(", fence), names(&["get"]));
    assert_eq!(requests(fence), names(&["query", "transact_get_items"]));
    let commit = include_str!("../../../src/adapters/dynamodb/commit.rs");
    let in_transactions = all(r"TransactWriteItem::builder\(\)\.([a-z_]+)\(", commit);
    assert_eq!(in_transactions, names(&["condition_check", "put", "update"]), "permissions are per kind of action");
}

#[test]
fn the_role_allows_every_request_of_the_function_on_the_stream() {
    let role = "LimitsFunctionRole";
    let limits = concat!(
        include_str!("../../../src/adapters/dynamodb/limit_store.rs"),
        include_str!("../../../src/adapters/dynamodb/limit_table.rs"),
        include_str!("../../../src/adapters/dynamodb/limit_write.rs")
    );
    assert_eq!(requests(limits), names(&["batch_get_item", "put_item", "transact_write_items", "update_item"]));
    assert_eq!(all(r"TransactWriteItem::builder\(\)\.([a-z_]+)\(", limits), names(&["put", "update"]));
    assert_eq!(allowed(role, "LimitTable"), names(&["BatchGetItem", "PutItem", "UpdateItem"]));
    // A record of a change is put, and never changed.
    assert_eq!(all(r#""dynamodb:LeadingKeys": \[(.+)\]"#, part(role)), names(&["limit/*"]));
    // The other test has the requests for usage: a transaction of gets, and a query.
    assert_eq!(allowed(role, "LoadTable"), names(&["GetItem", "Query"]));
    assert_eq!(allowed(role, "CorrelationTable"), names(&[]));
    let letters = include_str!("../../../src/adapters/sqs/limit_letters.rs");
    assert_eq!(requests(letters), names(&["send_message"]), "and a look at the queue at start");
    assert_eq!(allowed(role, "LimitDeadLetterQueue"), names(&["GetQueueAttributes", "SendMessage"]));
    // What Lambda needs of a stream, without the permission to list those of the account.
    let stream = ["DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"];
    assert_eq!(allowed(role, "LimitStream"), names(&stream));
    assert!(part(role).contains("Resource: !If [NamesLimitStream, !Ref LimitStreamArn, !GetAtt LimitStream.Arn]"));
}

#[test]
fn the_role_of_the_function_of_jobs_changes_links_and_jobs_only() {
    let role = "AssignFunctionRole";
    let jobs = concat!(
        include_str!("../../../src/adapters/dynamodb/job_store.rs"),
        include_str!("../../../src/adapters/dynamodb/job_link.rs"),
        include_str!("../../../src/adapters/dynamodb/limit_table.rs")
    );
    // The transaction is of the API, which starts and cancels jobs.
    assert_eq!(requests(jobs), names(&["batch_get_item", "put_item", "query", "transact_write_items", "update_item"]));
    let table = ["BatchGetItem", "PutItem", "Query", "UpdateItem"];
    assert_eq!(allowed(role, "LimitTable"), names(&table));
    for other in ["CorrelationTable", "LoadTable"] {
        assert_eq!(allowed(role, other), names(&[]), "{other}");
    }
    let queue = ["DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage"];
    assert_eq!(allowed(role, "AssignmentQueue"), names(&queue));
    let keys = all(r#""dynamodb:LeadingKeys": \[(.+?)\]"#, part(role));
    assert_eq!(keys, names(&["\"customer/*\"", "\"job/*\"", "jobs"]));
    // The attributes of a customer's item that the update and its condition name, and the key.
    let link = include_str!("../../../src/adapters/dynamodb/job_link.rs");
    let update = &link[link.find("const MAY_LINK").unwrap()..link.find("const LINK_ATTRIBUTES").unwrap()];
    let mut named = all(r"\b([A-Z]+_[A-Z]+)\b", update);
    assert!(named.remove("MAY_LINK") && named.remove("SET_LINK") && update.contains("#plan"));
    named.extend(names(&["PK", "PLAN", "SK"]));
    let allowed_attributes =
        all(r"\b([A-Z_]+)\b", part(role).split("\"dynamodb:Attributes\":").nth(1).unwrap().split(']').next().unwrap());
    assert_eq!(allowed_attributes, named);
}

#[test]
fn the_role_of_the_api_reads_decisions_and_changes_limits_plans_and_jobs() {
    let role = "ApiFunctionRole";
    let records = include_str!("../../../src/adapters/dynamodb/record_query.rs");
    assert_eq!(requests(records), names(&["query"]), "besides the batch of a decision's read");
    assert_eq!(allowed(role, "CorrelationTable"), names(&["BatchGetItem", "Query"]));
    assert_eq!(allowed(role, "LoadTable"), names(&["BatchGetItem", "GetItem", "Query"]));
    let changes = ["BatchGetItem", "DeleteItem", "PutItem", "Query", "UpdateItem"];
    assert_eq!(allowed(role, "LimitTable"), names(&changes));
    // Nothing but an entry of a roster can be deleted.
    let keys = all(r#""dynamodb:LeadingKeys": \[(.+)\]"#, part(role));
    let written = ["answer/*, jobs, limit/*, plan/*, roster/*", "counter, customer/*, jobs, limit/*, plans, program/*"];
    assert_eq!(keys, names(&[&written[..], &["roster/*"]].concat()));
    assert_eq!(allowed(role, "AssignmentQueue"), names(&["SendMessage"]));
    let services = all(r"(?m)(?:Action: |Action: \[|, )([a-z]+):[A-Za-z]+", part(role));
    assert_eq!(services, names(&["dynamodb", "logs", "sqs", "sts"]), "no stream");
}

#[test]
fn the_documentation_lists_every_permission_that_a_command_needs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters");
    let files = ["dynamodb", "sqs"].iter().flat_map(|service| std::fs::read_dir(folder.join(service)).unwrap());
    let code: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let requests = all(r"(?:client|Client::new\(sdk\))\s*\.([a-z_]+)\(\)", &code);
    // A batch needs the permission of the single request. A transaction needs those of its actions.
    let in_transactions =
        ["condition_check_item", "delete_item", "get_item", "put_item", "update_item"].map(str::to_owned);
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
            BTreeSet::from([
                &"AWSTemplateFormatVersion".into(),
                &"Conditions".into(),
                &"Parameters".into(),
                &"Resources".into()
            ])
        );
        let tables = template["Resources"].as_object().unwrap();
        assert_eq!(
            tables.keys().collect::<Vec<_>>(),
            ["CorrelationTable", "DecisionLogTable", "LimitTable", "LoadTable"]
        );
        for (name, table) in tables {
            assert_eq!((&table["Type"], &table["DeletionPolicy"]), (&"AWS::DynamoDB::Table".into(), &"Retain".into()));
            let properties = table["Properties"].as_object().unwrap();
            let hash_key = match name.as_str() {
                "LimitTable" => "PK",
                "DecisionLogTable" => "RUN_ID",
                _ => "CUSTOMER_ID",
            };
            assert_eq!(properties["KeySchema"][0]["AttributeName"], hash_key);
            assert!(properties.contains_key("TimeToLiveSpecification"), "{name}");
            // `loadgate tables create` sets none of these. The deployment after the import sets them.
            for added in ["PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled"] {
                assert_ne!(properties.contains_key(added), is_bare, "{name}: {added}");
            }
        }
    }
}

#[test]
fn each_function_is_deployed_from_its_build_and_not_from_the_sources() {
    for function in ["LoadgateFunction", "LimitsFunction", "AssignFunction", "ApiFunction"] {
        // `sam build` puts its result in this folder.
        assert!(part(function).contains(&format!("\n      CodeUri: .aws-sam/build/{function}\n")));
        assert!(part(function).contains("\n      ProjectRootDirectory: .\n"));
        assert!(include_str!("../../../Makefile").contains(&format!("\nbuild-{function}:\n")));
    }
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
