//! The file replay through a store, and the commands for tables, as processes.

use loadgate::deciding::Publication;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::{cargo_bin, cargo_bin_cmd};
use predicates::prelude::*;
use predicates::str::contains;

use crate::support;
use crate::support::cloud::{Fresh, dynamodb_local, fresh_names, fresh_names_with_limits};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
const DECISIONS: &str = include_str!("../../../events/sample.decisions.jsonl");
const EXPLAINED: &str = include_str!("../../../events/sample.explained.jsonl");

fn replay(store: &[&str]) -> assert_cmd::Command {
    let mut command = cargo_bin_cmd!("loadgate");
    command.args(["replay", "--summary", "none"]).args(store);
    // The user's own configuration must not affect the tests.
    command.env_clear().env("PATH", "");
    command
}

fn table_args(fresh: &Fresh) -> Vec<String> {
    let args = [
        "--endpoint-url",
        &fresh.url,
        "--correlation-table",
        &fresh.names.correlation,
        "--load-table",
        &fresh.names.load,
    ];
    args.map(str::to_owned).to_vec()
}

/// Returns the command `loadgate replay --store dynamodb` over these tables.
fn in_dynamodb(fresh: &Fresh) -> assert_cmd::Command {
    let mut command = replay(&["--store", "dynamodb"]);
    command.args(table_args(fresh));
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_replay_through_dynamodb_repeats_the_decisions_of_the_file_replay() {
    let fresh = Fresh::in_dynamodb_local().await;
    for _ in 0..2 {
        in_dynamodb(&fresh).arg(SAMPLE).assert().code(3).stdout(DECISIONS);
    }
    in_dynamodb(&fresh).args(["--explain", SAMPLE]).assert().code(3).stdout(EXPLAINED);
    in_dynamodb(&fresh).args(["--run", "another", SAMPLE]).assert().code(3).stdout("");
}

#[test]
fn a_replay_through_the_embedded_store_repeats_the_decisions_of_the_file_replay() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("store.db").display());
    for _ in 0..2 {
        replay(&["--store", &store, SAMPLE]).assert().code(3).stdout(DECISIONS);
    }
    cargo_bin_cmd!("loadgate")
        .args(["replay", "--store", &store, "--run", "another", SAMPLE, "--summary", "json"])
        .assert()
        .code(3)
        .stdout("")
        .stderr(contains(r#""accepted":0,"declined":0"#));
}

#[test]
fn parallel_customers_do_not_change_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let workload = folder.path().join("workload.jsonl");
    let generate = ["generate", "--attempts", "6000", "--customers", "40", "--days", "90", "--skew", "3", "-o"];
    cargo_bin_cmd!("loadgate").args(generate).arg(&workload).assert().success();
    let expected = replay(&[]).arg(&workload).output().unwrap().stdout;
    for parallel in ["1", "7", "64"] {
        let store = format!("sqlite:{}", folder.path().join(parallel).display());
        let run = replay(&["--store", &store, "--customers-in-parallel", parallel]).arg(&workload).output().unwrap();
        assert!(run.stdout == expected, "{parallel} customers in parallel");
    }
}

#[test]
fn a_decision_does_not_wait_for_more_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Command::new(cargo_bin!("loadgate"))
        .args(["replay", "--run", "piped", "--summary", "none"])
        .args(["--store", &format!("sqlite:{}", folder.path().join("store.db").display())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (run.stdin.take().unwrap(), BufReader::new(run.stdout.take().unwrap()));
    for (id, accepted) in [("1", true), ("2", false)] {
        input.write_all(support::line(id, "a", "$3000.00", "2000-01-03T00:00:00Z").as_bytes()).unwrap();
        let mut decision = String::new();
        output.read_line(&mut decision).unwrap();
        assert_eq!(decision, format!("{{\"id\":\"{id}\",\"customer_id\":\"a\",\"accepted\":{accepted}}}\n"));
    }
    drop(input);
    assert!(run.wait().unwrap().success());
}

/// Kills a replay repeatedly, then lets it finish.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_killed_replay_can_be_continued() {
    let fresh = Fresh::in_dynamodb_local().await;
    let folder = tempfile::tempdir().unwrap();
    let (workload, output) = (folder.path().join("workload.jsonl"), folder.path().join("decisions.jsonl"));
    cargo_bin_cmd!("loadgate")
        .args(["generate", "--attempts", "3000", "--customers", "60", "-o"])
        .arg(&workload)
        .assert()
        .success();
    let expected = replay(&[]).arg(&workload).output().unwrap().stdout;
    for records in [1, 400, 900] {
        let mut run = Command::new(cargo_bin!("loadgate"))
            .args(["replay", "--store", "dynamodb", "--customers-in-parallel", "2", "-o"])
            .arg(&output)
            .args(table_args(&fresh))
            .arg(&workload)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while fresh.record_count().await < records {
            assert!(run.try_wait().unwrap().is_none(), "it ended before {records} events were decided");
        }
        run.kill().unwrap();
        run.wait().unwrap();
        assert!(!output.exists());
    }
    in_dynamodb(&fresh).arg(&workload).arg("-o").arg(&output).assert().code(3);
    assert!(std::fs::read(&output).unwrap() == expected);
}

/// Returns the id and customer of each decision in an output.
fn ids(decisions: &[u8]) -> Vec<String> {
    let id = |line: &str| line.split("\"accepted\"").next().unwrap().to_owned();
    std::str::from_utf8(decisions).unwrap().lines().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_edited_file_is_detected_and_the_advice_works() {
    let fresh = Fresh::in_dynamodb_local().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let attempt = |n: usize| support::line(&n.to_string(), &format!("c{}", n % 50), "$1", "2000-01-03T00:00:00Z");
    let lines: Vec<String> = (0..7_000).map(attempt).collect();
    std::fs::write(path("a.jsonl"), lines.concat()).unwrap();
    let replay = |input: &str, output: &str| {
        let mut command = in_dynamodb(&fresh);
        command.arg(path(input)).arg("-o").arg(path(output));
        command
    };
    replay("a.jsonl", "first").assert().success();
    let decided = fresh.record_count().await;

    // The last third is edited, and a line is appended.
    let mut edited = lines.clone();
    edited[5_000] = support::line("edited", "c0", "$1", "2000-01-03T00:00:00Z");
    edited.push(support::line("appended", "c1", "$1", "2000-01-03T00:00:00Z"));
    std::fs::write(path("a.jsonl"), edited.concat()).unwrap();
    let refused = replay("a.jsonl", "second").assert().code(1);
    let refused = refused.stderr(contains("are not as this run began with: the input has changed. Put the lines back"));
    let stderr = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    let [first, last] =
        regex::Regex::new("lines ([0-9]+) to ([0-9]+) are").unwrap().captures(&stderr).unwrap().extract().1;
    assert!((first.parse().unwrap()..=last.parse().unwrap()).contains(&5_001_u64), "{stderr}");
    assert!(!path("second").exists());
    assert_eq!(fresh.record_count().await, decided, "nothing has been committed");

    // Follows the error's advice.
    std::fs::write(path("a.jsonl"), lines.concat()).unwrap();
    std::fs::write(path("b.jsonl"), [edited[5_000].as_str(), edited[7_000].as_str()].concat()).unwrap();
    replay("a.jsonl", "third").assert().success();
    replay("b.jsonl", "fourth").assert().success();
    let mut all = [ids(&std::fs::read(path("third")).unwrap()), ids(&std::fs::read(path("fourth")).unwrap())].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 7_002);
    assert_eq!(std::fs::read(path("first")).unwrap(), std::fs::read(path("third")).unwrap());

    // Appended lines alone need no advice.
    std::fs::write(path("a.jsonl"), [lines.concat(), attempt(8_000)].concat()).unwrap();
    replay("a.jsonl", "fifth").assert().success();
    assert_eq!(ids(&std::fs::read(path("fifth")).unwrap()).len(), 7_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_form_of_the_same_amount_is_not_a_change() {
    let fresh = Fresh::embedded().await;
    let line = |amount| support::line("1", "a", amount, "2000-01-03T00:00:00Z");
    in_dynamodb(&fresh).args(["--run", "x"]).write_stdin(line("$1")).assert().success();
    in_dynamodb(&fresh).args(["--run", "x"]).write_stdin(line("USD1.00")).assert().success().stdout(contains("true"));
    let changed = "line 1 is not as this run began with: the input has changed";
    let refused = in_dynamodb(&fresh).args(["--run", "x"]).write_stdin(line("$2")).assert().code(1);
    refused.stdout("").stderr(contains(changed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_not_publish_pending_decisions_of_a_consumer() {
    use loadgate::deciding::Store;
    let fresh = Fresh::embedded().await;
    let attempt = support::line("1", "a", "$1", "2000-01-03T00:00:00Z");
    in_dynamodb(&fresh).args(["--run", "consumer"]).write_stdin(attempt.clone()).assert().success();
    let key = loadgate::domain::EventKey { customer_id: "a".to_owned(), event_id: "1".to_owned() };
    let lookup = loadgate::deciding::Lookup { events: [key.clone()].into(), ..Default::default() };
    let mut snapshot = fresh.store.read(&lookup, loadgate::deciding::Consistency::Strong).await.unwrap();
    let mut record = snapshot.records.remove(&key).unwrap().unwrap();
    record.publication = Publication::Pending;
    fresh.store.set_publication(&record).await.unwrap();
    in_dynamodb(&fresh).args(["--run", "replay"]).write_stdin(attempt).assert().success().stdout("");
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn tables_are_created_shown_and_deleted_repeatedly() {
    let names = fresh_names();
    let tables = |action: &str| {
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(["tables", action, "--endpoint-url", dynamodb_local()]).env_clear().env("PATH", "");
        command.env("LOADGATE_CORRELATION_TABLE", &names.correlation).args(["--load-table", &names.load]);
        command
    };
    let both = |what: &str| format!("{}: {what}\n{}: {what}\n", names.correlation, names.load);
    tables("status").assert().code(1).stdout(both("missing; `loadgate tables create` creates it"));
    tables("create").assert().success().stdout(both("created"));
    tables("create").assert().success().stdout(both("was there already"));
    tables("status").assert().success().stdout(both("ready, about 0 items"));
    tables("delete").assert().success().stdout(both("deleted"));
    tables("delete").assert().success().stdout(both("was not there"));
    tables("status").assert().code(1);
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn the_tables_of_limits_and_of_the_log_are_among_the_tables_when_they_are_named() {
    let names = fresh_names_with_limits();
    let limit = names.limit.as_deref().unwrap();
    let tables = |action: &str| {
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(["tables", action, "--endpoint-url", dynamodb_local()]).env_clear().env("PATH", "");
        command.env("LOADGATE_CORRELATION_TABLE", &names.correlation).env("LOADGATE_LOAD_TABLE", &names.load);
        command.env("LOADGATE_LIMIT_TABLE", limit).env("LOADGATE_DECISION_LOG_TABLE", names.log.as_deref().unwrap());
        command
    };
    let all = |what: &str| names.iter().flat_map(|name| [name, ": ", what, "\n"]).collect::<String>();
    tables("status").assert().code(1).stdout(all("missing; `loadgate tables create` creates it"));
    tables("create").assert().success().stdout(all("created"));
    tables("create").assert().success().stdout(all("was there already"));
    tables("status").assert().success().stdout(all("ready, about 0 items"));
    // A table of another shape is none of customers' limits.
    let mut swapped = tables("status");
    swapped.env("LOADGATE_LIMIT_TABLE", &names.load).env("LOADGATE_LOAD_TABLE", limit).assert().code(1).stdout(
        contains("it has other keys than PK (S, hash) and SK (S, range)")
            .and(contains("it has other keys than CUSTOMER_ID (S, hash) and DATE (S, range)")),
    );
    let mut two = tables("delete");
    two.env("LOADGATE_LIMIT_TABLE", "")
        .env("LOADGATE_DECISION_LOG_TABLE", "")
        .assert()
        .success()
        .stdout(contains(limit).not());
    tables("status").assert().code(1).stdout(contains(format!("{limit}: ready, about 0 items")));
    tables("delete").assert().success().stdout(contains(format!("{limit}: deleted")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn tables_of_another_shape_are_reported() {
    let fresh = Fresh::in_dynamodb_local().await;
    let mut command = cargo_bin_cmd!("loadgate");
    let swapped = ["--correlation-table", &fresh.names.load, "--load-table", &fresh.names.correlation];
    command.args(["tables", "create", "--endpoint-url", &fresh.url]).args(swapped).env_clear().env("PATH", "");
    let problem = "it has other keys than CUSTOMER_ID (S, hash) and EVENT_ID (S, range)";
    command.assert().code(1).stderr(contains(&fresh.names.load).and(contains(problem)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_unusable_store_is_reported_before_any_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("decisions.jsonl");
    let fails = |store: &[&str], why: &str| {
        replay(store).arg(SAMPLE).arg("-o").arg(&output).assert().code(1).stdout("").stderr(contains(why));
        assert!(!output.exists());
    };
    let missing = ["--store", "dynamodb", "--endpoint-url", dynamodb_local(), "--load-table", "no-such-table"];
    fails(&missing, "create the tables with `loadgate tables create`, or check their names and region");
    let unreachable = ["--store", "dynamodb", "--endpoint-url", "http://127.0.0.1:9"];
    fails(&unreachable, "no answer from DynamoDB; check that it can be reached");
    let no_database = format!("sqlite:{SAMPLE}");
    fails(&["--store", &no_database], "could not open the store");
    fails(&["--store", "sqlite:/no/such/folder/store.db"], "could not open the store '/no/such/folder/store.db'");
    assert!(Path::new(SAMPLE).exists());
}

#[test]
fn an_error_never_shows_the_request() {
    let line = support::line("1", "a", "$4711.00", "2000-01-03T00:00:00Z");
    let send = ["send", "--run=x", "--queue-url=http://127.0.0.1:9/0/x.fifo"];
    for endpoint in ["http://127.0.0.1:9", "http://", "https://a b", "http://[::"] {
        let mut command = cargo_bin_cmd!("loadgate");
        command
            .args(send)
            .args(["--endpoint-url", endpoint])
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x");
        let assert = command.env("AWS_REGION", "us-east-1").write_stdin(line.clone()).assert().code(1);
        assert.stderr(contains("4711").not().and(contains("could not send")));
    }
}

#[test]
fn an_inconsistent_command_line_is_refused() {
    replay(&["--store", "postgres", SAMPLE]).assert().code(2).stderr(contains("neither `dynamodb` nor `sqlite:PATH`"));
    replay(&["--run", "x", SAMPLE]).assert().code(2).stderr(contains("--store <STORE>"));
    let nameless = "standard input has no name: give the run one with --run NAME";
    replay(&["--store", "dynamodb"]).write_stdin("").assert().code(2).stderr(contains(nameless));
    for command in [["tables", "status"], ["replay", "--store=dynamodb"], ["send", "--queue-url=https://x/y.fifo"]] {
        let mut refused = cargo_bin_cmd!("loadgate");
        refused.args(command).args(["--endpoint-url", "localhost:3"]).assert().code(2);
        refused.assert().stderr(contains("a URL begins with https:// or http://"));
    }
    let not_fifo = ["send", SAMPLE, "--queue-url", "http://127.0.0.1:9/000000000000/standard"];
    cargo_bin_cmd!("loadgate").args(not_fifo).assert().code(2).stderr(contains("is not a FIFO queue"));
}
