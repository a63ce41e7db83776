//! `loadgate redrive` as an operator runs it: over a real dead-letter queue and Amazon's DynamoDB Local.

use std::process::{Output, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::{SqsSender, queue_settings};
use loadgate::deciding::{CorrelationRecord, LogReader, Outgoing, Publication, Received, Sender, Store};
use loadgate::wire::decision_message;
use serde_json::{Value, json};

use crate::support::cloud::{Fresh, Queues, drain, environment, sqs};
use crate::support::line;
use crate::support::records::{put, record};

/// Fresh tables and queues for one test.
struct Scene {
    fresh: Fresh,
    queues: Queues,
    sent: u32,
}

impl Scene {
    async fn set() -> Scene {
        let (fresh, queues) = (Fresh::with_limits_in_dynamodb_local().await, Queues::fresh(30, 5).await);
        Scene { fresh, queues, sent: 0 }
    }

    /// Sends a message to the dead-letter queue.
    async fn dead_letter(&mut self, group_id: &str, body: &str) {
        self.sent += 1;
        let (group_id, deduplication_id) = (group_id.to_owned(), format!("letter {}", self.sent));
        let message = Outgoing { group_id, deduplication_id, body: body.trim_end().to_owned() };
        let sender = SqsSender::new(&aws::load(Some(sqs())).await, self.queues.dead_letters.clone());
        sender.send(vec![message]).await.unwrap();
    }

    async fn attempt(&mut self, customer: &str, id: &str) {
        self.dead_letter(customer, &line(id, customer, "$1.00", "2018-12-31T00:00:00Z")).await;
    }

    async fn commit(&self, record: CorrelationRecord) {
        self.fresh.store.commit(&put(record)).await.unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = cargo_bin_cmd!("loadgate");
        command.arg("redrive").args(arguments).env_clear();
        command.envs(environment(&self.queues, &self.fresh.names, &self.fresh.url)).output().unwrap()
    }

    /// Runs the command with `--json`. Returns its report and its exit code.
    fn redrive(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.run(&[&["--json"], arguments].concat());
        let report = serde_json::from_slice(&output.stdout);
        (report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code())
    }
}

fn causes(report: &Value) -> Vec<(String, u64)> {
    let causes = report["by_cause"].as_array().unwrap().iter();
    causes.map(|cause| (cause["cause"].as_str().unwrap().to_owned(), cause["count"].as_u64().unwrap())).collect()
}

fn ids(messages: &[Received]) -> Vec<String> {
    let id = |message: &Received| {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        format!("{}/{}", message.group_id, body["id"].as_str().unwrap())
    };
    messages.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn each_dead_letter_is_settled_and_only_with_go() {
    let mut scene = Scene::set().await;
    for id in ["new 1", "new 2", "new 3"] {
        scene.attempt("528", id).await;
    }
    scene.attempt("529", "new 1").await;
    let unpublished = CorrelationRecord { publication: Publication::Pending, ..record("unpublished") };
    scene.commit(unpublished.clone()).await;
    scene.attempt("528", "unpublished").await;
    scene.commit(record("published")).await;
    scene.attempt("528", "published").await;
    scene.dead_letter("528", "no attempt").await;
    scene.dead_letter("another", &line("1", "528", "$1.00", "2018-12-31T00:00:00Z")).await;

    let found =
        [("not_published", 1), ("not_decided", 4), ("altered_duplicate", 1), ("GROUP_MISMATCH", 1), ("NOT_JSON", 1)];
    let found: Vec<_> = found.map(|(cause, count)| (cause.to_owned(), count)).into();
    for _ in 0..2 {
        let (report, code) = scene.redrive(&[]);
        assert_eq!(
            (causes(&report), code),
            (found.clone(), Some(3)),
            "a dry run changes nothing, and dead letters are left"
        );
        assert_eq!((&report["is_dry_run"], &report["done"], &report["letters"]), (&json!(true), &json!(0), &json!(8)));
    }
    assert!(drain(&scene.queues.input).await.is_empty() && drain(&scene.queues.decisions).await.is_empty());

    let (report, code) = scene.redrive(&["--go"]);
    assert_eq!((causes(&report), code), (found, Some(3)), "some invalid ones are left");
    assert_eq!((&report["done"], &report["failed"]), (&json!(6), &json!(0)));
    let decisions: Vec<String> = drain(&scene.queues.decisions).await.into_iter().map(|message| message.body).collect();
    assert_eq!(decisions, [decision_message(&unpublished.decision)], "the stored decision, to the byte");
    let run_id = &unpublished.decision.log.as_ref().unwrap().run_id;
    let logged = scene.fresh.store.read_run(run_id, None, 10).await.unwrap().entries;
    assert_eq!(logged, [unpublished.log_entry().unwrap()], "and its entry in the log");
    let mut sent_back = ids(&drain(&scene.queues.input).await);
    // There is no order between customers.
    sent_back.sort_by_key(|id| id.starts_with("529"));
    assert_eq!(sent_back, ["528/new 1", "528/new 2", "528/new 3", "529/new 1"]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invalid.jsonl");
    let (report, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&report["done"], &report["archived"], code), (&json!(2), &json!(2), Some(0)), "{report}");
    let kept = std::fs::read_to_string(&file).unwrap();
    let mut kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    kept.sort_by_key(|letter| letter["code"].to_string());
    assert_eq!((&kept[0]["code"], &kept[0]["attributes"]["group_id"]), (&json!("GROUP_MISMATCH"), &json!("another")));
    assert_eq!((&kept[1]["code"], &kept[1]["body"]), (&json!("NOT_JSON"), &json!("no attempt")));
    assert_eq!(scene.redrive(&["--go"]).0["letters"], 0);
    assert!(drain(&scene.queues.decisions).await.is_empty() && drain(&scene.queues.input).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn messages_behind_dead_letters_that_stay_are_reached() {
    let mut scene = Scene::set().await;
    scene.dead_letter("528", "no attempt").await;
    for n in 0..25 {
        scene.attempt("528", &format!("{n:02}")).await;
    }
    let (report, code) = scene.redrive(&["--go"]);
    assert_eq!((&report["done"], code), (&json!(25), Some(3)), "{report}");
    let expected: Vec<String> = (0..25).map(|n| format!("528/{n:02}")).collect();
    assert_eq!(ids(&drain(&scene.queues.input).await), expected, "in their order");
    let (report, _) = scene.redrive(&["--max", "1"]);
    assert_eq!(causes(&report), [("NOT_JSON".to_owned(), 1)], "it was released at once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_run_with_go_gets_past_blocked_groups() {
    let mut scene = Scene::set().await;
    // Eight dead letters of one customer and two of another fill the first response. They block the five behind them.
    for n in 0..8 {
        scene.dead_letter("crowd", &format!("no attempt {n}")).await;
    }
    for n in 0..2 {
        scene.dead_letter("behind", &format!("no attempt {n}")).await;
    }
    for n in 0..5 {
        scene.attempt("behind", &n.to_string()).await;
    }
    // Twelve customers whose first dead letter stays, and one customer with more than ten that stay.
    for n in 0..12 {
        scene.dead_letter(&format!("head-{n}"), "no attempt").await;
        scene.attempt(&format!("head-{n}"), "1").await;
    }
    for n in 0..13 {
        scene.dead_letter("long", &format!("no attempt {n}")).await;
    }
    scene.attempt("long", "1").await;

    let (report, code) = scene.redrive(&[]);
    assert_eq!(causes(&report), [("not_decided".to_owned(), 17), ("NOT_JSON".to_owned(), 32)], "{report}");
    assert_eq!(
        (&report["not_seen"], &report["is_through"], code),
        (&json!(4), &json!(false), Some(3)),
        "ten of 14: {report}"
    );
    let (report, code) = scene.redrive(&["--go"]);
    assert_eq!((&report["done"], &report["not_seen"], code), (&json!(18), &json!(0), Some(3)), "{report}");
    assert_eq!(drain(&scene.queues.input).await.len(), 18);
    let (report, _) = scene.redrive(&[]);
    assert_eq!((causes(&report), &report["is_through"]), (vec![("NOT_JSON".to_owned(), 35)], &json!(true)), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn invalid_dead_letters_are_archived_with_all_attributes() {
    let scene = Scene::set().await;
    let client = aws_sdk_sqs::Client::new(&aws::load(Some(sqs())).await);
    let typed = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let bytes = Blob::new([0, 255, 7]);
    let request = client.send_message().queue_url(&scene.queues.dead_letters).message_body("no attempt");
    let request = request.message_group_id("528").message_deduplication_id("1");
    let request = request
        .message_attributes("number", typed("Number.int").string_value("12").build().unwrap())
        .message_attributes("picture", typed("Binary.png").binary_value(bytes).build().unwrap())
        .message_attributes("text", typed("String").string_value("x").build().unwrap());
    request.send().await.unwrap();
    // The first run moves the dead letter into a group of its own, the second one into the file.
    assert_eq!(scene.redrive(&["--go"]).0["regrouped"], 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invalid.jsonl");
    let (report, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&report["archived"], code), (&json!(1), Some(0)), "{report}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let attributes = &kept["attributes"];
    assert_eq!(attributes["number"], json!({ "type": "Number.int", "value": "12" }));
    assert_eq!(attributes["picture"], json!({ "type": "Binary.png", "value_base64": "AP8H" }));
    assert_eq!((&attributes["text"], &attributes["group_id"]), (&json!("x"), &json!("528")));
    assert_eq!((&kept["code"], &kept["body"]), (&json!("NOT_JSON"), &json!("no attempt")));
    assert_eq!(kept["message_id"].as_str().map(str::len), Some(36), "{kept}");
    assert!(kept["sent_at"].is_string() && kept["deduplication_id"].is_string(), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_invalid_dead_letter_that_cannot_be_archived_is_not_deleted() {
    let mut scene = Scene::set().await;
    let body = "no attempt ".repeat(10_000);
    scene.dead_letter("528", &body).await;
    let folder = tempfile::tempdir().unwrap();
    for device in ["/dev/full", "/dev/null"] {
        let output = scene.run(&["--go", "--drop-invalid", device]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.contains("it is not a regular file")), (Some(1), true), "{stderr}");
    }
    // A limit on the size of files simulates a disk that fills up while a dead letter is written.
    let file = folder.path().join("invalid.jsonl");
    std::fs::write(&file, "{\"kept\":\"before\"}\n").unwrap();
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -f 100; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_loadgate"),
        "redrive",
        "--go",
        "--json",
    ]);
    command.arg("--drop-invalid").arg(&file).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.envs(environment(&scene.queues, &scene.fresh.names, &scene.fresh.url)).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && stderr.contains("could not keep invalid dead letters"), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["done"], &report["archived"]), (&json!(0), &json!(0)), "{report}");

    // The second run appends to the file. The truncated line does not damage the next one.
    let (report, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&report["archived"], code), (&json!(1), Some(0)), "{report}");
    let kept = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "{\"kept\":\"before\"}"));
    let last: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(last["body"], body.trim_end());
    assert_eq!(scene.redrive(&[]).0["letters"], 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_interrupted_or_killed_run_can_be_continued() {
    let mut scene = Scene::set().await;
    for n in 0..120 {
        scene.attempt(&format!("c{}", n % 12), &format!("{n:03}")).await;
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loadgate"));
    command.args(["redrive", "--go", "--json"]).env_clear();
    command.envs(environment(&scene.queues, &scene.fresh.names, &scene.fresh.url));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let sent_back = async || {
        let input = queue_settings(&aws::load(Some(sqs())).await, &scene.queues.input).await.unwrap();
        input.messages + input.messages_in_flight
    };
    let mut done = 0;
    for signal in ["INT", "KILL"] {
        let child = command.spawn().unwrap();
        while sent_back().await <= done {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let status = std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let output = child.wait_with_output().unwrap();
        done = sent_back().await;
        assert!(done < 120, "it was too fast to be stopped");
        if signal == "INT" {
            assert_eq!(output.status.code(), Some(1));
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(stderr.contains("interrupted; run it again to go on"), "{stderr}");
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((report["done"].as_u64(), &report["is_through"]), (Some(done), &json!(false)));
        }
    }
    // Dead letters that the killed run held become visible after five minutes, and block those behind them of their
    // customers until then. All others are settled at once.
    let output = scene.run(&["--go"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let sent: Vec<String> = ids(&drain(&scene.queues.input).await);
    let each: std::collections::BTreeSet<&String> = sent.iter().collect();
    assert_eq!(each.len(), sent.len(), "none twice");
    let left = queue_settings(&aws::load(Some(sqs())).await, &scene.queues.dead_letters).await.unwrap();
    let held = left.messages + left.messages_in_flight;
    assert_eq!(stdout.contains("were not seen"), held > 0, "{held} are left: {stdout}");
    assert_eq!(output.status.code(), Some(if held > 0 { 3 } else { 0 }));
    let all = sent.len() as u64 + held;
    assert!((120..=130).contains(&all), "none lost; ten may have been sent back and not yet deleted: {all}");
    for customer in 0..12 {
        let prefix = format!("c{customer}/");
        assert!(sent.iter().filter(|id| id.starts_with(&prefix)).is_sorted(), "in each customer's order");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_unrelated_dead_letter_queue_is_refused() {
    let mut scene = Scene::set().await;
    let other = Queues::fresh(30, 5).await;
    scene.attempt("528", "1").await;
    let refuse = |arguments: &[&str], code| {
        let output = scene.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        stderr
    };
    let refused = refuse(&["--go", "--input-queue-url", &other.input], 2);
    assert!(
        refused.contains("the dead-letter queue of '") && refused.contains(&scene.queues.dead_letters),
        "{refused}"
    );
    let gone = scene.queues.input.replace(".fifo", "-gone.fifo");
    assert!(refuse(&["--go", "--input-queue-url", &gone], 1).contains("could not use the input queue"));
    assert!(refuse(&["--go", "--decisions-queue-url", &gone], 1).contains("could not use the queues"));
    let (report, code) = scene.redrive(&["--go"]);
    assert_eq!((&report["done"], code), (&json!(1), Some(0)), "nothing was touched: {report}");
}

#[test]
fn an_inconsistent_command_line_is_refused() {
    let refused = |arguments: &[&str], why: &str| {
        let output = cargo_bin_cmd!("loadgate").arg("redrive").args(arguments).env_clear().output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(why), "{stderr}");
    };
    let queue = ["--dead-letter-queue-url", "https://sqs.example/1/dead.fifo"];
    refused(&[], "--dead-letter-queue-url");
    refused(&["--dead-letter-queue-url", "https://sqs.example/1/dead"], "not a FIFO queue");
    refused(&[&queue[..], &["--go"]].concat(), "--go needs --input-queue-url");
    refused(&[&queue[..], &["--drop-invalid", "x"]].concat(), "--go");
    refused(&[&queue[..], &["--go", "--input-queue-url", queue[1]]].concat(), "is the dead-letter queue itself");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn text_output_of_a_dry_run_and_of_a_run() {
    let mut scene = Scene::set().await;
    scene.attempt("528", "1").await;
    scene.dead_letter("528", "no attempt").await;
    let stdout = String::from_utf8(scene.run(&[]).stdout).unwrap();
    let ids = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
    insta::assert_snapshot!("redrive_dry_run", ids.replace_all(&stdout, "ID"));
    let stdout = String::from_utf8(scene.run(&["--go"]).stdout).unwrap();
    insta::assert_snapshot!("redrive_go", ids.replace_all(&stdout, "ID"));
}
