//! `loadgate redrive` as an operator runs it: over a real dead-letter queue and Amazon's DynamoDB Local.

use std::process::{Output, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::{SqsSender, queue_settings};
use loadgate::deciding::{CorrelationRecord, Outgoing, Publication, Received, Sender, Store};
use loadgate::wire::decision_message;
use serde_json::{Value, json};

use crate::support::cloud::{Fresh, Queues, drain, environment, sqs};
use crate::support::line;
use crate::support::records::{put, record};

struct Scene {
    fresh: Fresh,
    queues: Queues,
    letters: u32,
}

impl Scene {
    async fn set() -> Scene {
        let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
        Scene { fresh, queues, letters: 0 }
    }

    /// Puts a letter into the dead-letter queue.
    async fn letter(&mut self, group_id: &str, body: &str) {
        self.letters += 1;
        let (group_id, deduplication_id) = (group_id.to_owned(), format!("letter {}", self.letters));
        let message = Outgoing { group_id, deduplication_id, body: body.trim_end().to_owned() };
        let sender = SqsSender::new(&aws::load(Some(sqs())).await, self.queues.dead_letters.clone());
        sender.send(vec![message]).await.unwrap();
    }

    async fn attempt(&mut self, customer: &str, id: &str) {
        self.letter(customer, &line(id, customer, "$1.00", "2018-12-31T00:00:00Z")).await;
    }

    async fn commit(&self, record: CorrelationRecord) {
        self.fresh.store.commit(&put(record)).await.unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = cargo_bin_cmd!("loadgate");
        command.arg("redrive").args(arguments).env_clear();
        command.envs(environment(&self.queues, &self.fresh.names, &self.fresh.url)).output().unwrap()
    }

    /// What it says as JSON, and its exit code.
    fn redrive(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.run(&[&["--json"], arguments].concat());
        let said = serde_json::from_slice(&output.stdout);
        (said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code())
    }
}

fn causes(said: &Value) -> Vec<(String, u64)> {
    let causes = said["by_cause"].as_array().unwrap().iter();
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
async fn every_letter_goes_where_it_belongs_and_nothing_happens_without_go() {
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
    scene.letter("528", "no attempt").await;
    scene.letter("another", &line("1", "528", "$1.00", "2018-12-31T00:00:00Z")).await;

    let found =
        [("not_published", 1), ("not_decided", 4), ("altered_duplicate", 1), ("GROUP_MISMATCH", 1), ("NOT_JSON", 1)];
    let found: Vec<_> = found.map(|(cause, count)| (cause.to_owned(), count)).into();
    for _ in 0..2 {
        let (said, code) = scene.redrive(&[]);
        assert_eq!((causes(&said), code), (found.clone(), Some(3)), "a look changes nothing, and letters are left");
        assert_eq!((&said["is_dry_run"], &said["done"], &said["letters"]), (&json!(true), &json!(0), &json!(8)));
    }
    assert!(drain(&scene.queues.input).await.is_empty() && drain(&scene.queues.decisions).await.is_empty());

    let (said, code) = scene.redrive(&["--go"]);
    assert_eq!((causes(&said), code), (found, Some(3)), "some invalid ones are left");
    assert_eq!((&said["done"], &said["failed"]), (&json!(6), &json!(0)));
    let decisions: Vec<String> = drain(&scene.queues.decisions).await.into_iter().map(|message| message.body).collect();
    assert_eq!(decisions, [decision_message(&unpublished.decision)], "as it is stored, to the byte");
    let mut sent_back = ids(&drain(&scene.queues.input).await);
    // Customers have no order among each other.
    sent_back.sort_by_key(|id| id.starts_with("529"));
    assert_eq!(sent_back, ["528/new 1", "528/new 2", "528/new 3", "529/new 1"]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invalid.jsonl");
    let (said, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&said["done"], &said["archived"], code), (&json!(2), &json!(2), Some(0)), "the mark is gone: {said}");
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
async fn what_stands_behind_letters_that_stay_is_reached() {
    let mut scene = Scene::set().await;
    scene.letter("528", "no attempt").await;
    for n in 0..25 {
        scene.attempt("528", &format!("{n:02}")).await;
    }
    let (said, code) = scene.redrive(&["--go"]);
    assert_eq!((&said["done"], code), (&json!(25), Some(3)), "{said}");
    let expected: Vec<String> = (0..25).map(|n| format!("528/{n:02}")).collect();
    assert_eq!(ids(&drain(&scene.queues.input).await), expected, "in their order");
    let (said, _) = scene.redrive(&["--max", "1"]);
    assert_eq!(causes(&said), [("NOT_JSON".to_owned(), 1)], "it was given back at once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn every_letter_is_seen_that_can_be_received_and_go_always_gets_on() {
    let mut scene = Scene::set().await;
    // Eight of one customer and two of another fill the first answer, and lock the five behind them.
    for n in 0..8 {
        scene.letter("crowd", &format!("no attempt {n}")).await;
    }
    for n in 0..2 {
        scene.letter("behind", &format!("no attempt {n}")).await;
    }
    for n in 0..5 {
        scene.attempt("behind", &n.to_string()).await;
    }
    // Twelve of which the head stays, and one with more than ten that stay.
    for n in 0..12 {
        scene.letter(&format!("head-{n}"), "no attempt").await;
        scene.attempt(&format!("head-{n}"), "1").await;
    }
    for n in 0..13 {
        scene.letter("long", &format!("no attempt {n}")).await;
    }
    scene.attempt("long", "1").await;

    let (said, code) = scene.redrive(&[]);
    assert_eq!(causes(&said), [("not_decided".to_owned(), 17), ("NOT_JSON".to_owned(), 32)], "{said}");
    assert_eq!(
        (&said["not_seen"], &said["is_through"], code),
        (&json!(4), &json!(false), Some(3)),
        "ten of 14: {said}"
    );
    let (said, code) = scene.redrive(&["--go"]);
    assert_eq!((&said["done"], &said["not_seen"], code), (&json!(18), &json!(0), Some(3)), "{said}");
    assert_eq!(drain(&scene.queues.input).await.len(), 18);
    let (said, _) = scene.redrive(&[]);
    assert_eq!((causes(&said), &said["is_through"]), (vec![("NOT_JSON".to_owned(), 35)], &json!(true)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn invalid_letters_are_kept_whole_with_attributes_of_every_type() {
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
    // Into a group of its own, and from there into the file.
    assert_eq!(scene.redrive(&["--go"]).0["regrouped"], 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invalid.jsonl");
    let (said, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&said["archived"], code), (&json!(1), Some(0)), "{said}");
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
async fn an_invalid_letter_that_cannot_be_kept_is_not_deleted() {
    let mut scene = Scene::set().await;
    let body = "no attempt ".repeat(10_000);
    scene.letter("528", &body).await;
    let folder = tempfile::tempdir().unwrap();
    for device in ["/dev/full", "/dev/null"] {
        let output = scene.run(&["--go", "--drop-invalid", device]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.contains("it is not a regular file")), (Some(1), true), "{told}");
    }
    // A limit on the size of files stands for a disk that fills up in the middle of a letter.
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
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("could not keep invalid dead letters"), "{told}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["done"], &said["archived"]), (&json!(0), &json!(0)), "{said}");

    // The file is added to, and the line that was cut short does not spoil the next.
    let (said, code) = scene.redrive(&["--go", "--drop-invalid", file.to_str().unwrap()]);
    assert_eq!((&said["archived"], code), (&json!(1), Some(0)), "{said}");
    let kept = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "{\"kept\":\"before\"}"));
    let last: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(last["body"], body.trim_end());
    assert_eq!(scene.redrive(&[]).0["letters"], 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn interrupted_and_killed_it_goes_on_where_it_stopped() {
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
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains("interrupted; run it again to go on"), "{told}");
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((said["done"].as_u64(), &said["is_through"]), (Some(done), &json!(false)));
        }
    }
    // What the killed one held, if anything, comes back after five minutes, and its customers with it: all others are done at
    // once.
    let output = scene.run(&["--go"]);
    let told = String::from_utf8_lossy(&output.stdout);
    let sent: Vec<String> = ids(&drain(&scene.queues.input).await);
    let each: std::collections::BTreeSet<&String> = sent.iter().collect();
    assert_eq!(each.len(), sent.len(), "none twice");
    let left = queue_settings(&aws::load(Some(sqs())).await, &scene.queues.dead_letters).await.unwrap();
    let held = left.messages + left.messages_in_flight;
    assert_eq!(told.contains("were not seen"), held > 0, "{held} are left: {told}");
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
async fn queues_that_do_not_belong_together_are_refused() {
    let mut scene = Scene::set().await;
    let other = Queues::fresh(30, 5).await;
    scene.attempt("528", "1").await;
    let told = |arguments: &[&str], code| {
        let output = scene.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    };
    let refused = told(&["--go", "--input-queue-url", &other.input], 2);
    assert!(
        refused.contains("the dead-letter queue of '") && refused.contains(&scene.queues.dead_letters),
        "{refused}"
    );
    let gone = scene.queues.input.replace(".fifo", "-gone.fifo");
    assert!(told(&["--go", "--input-queue-url", &gone], 1).contains("could not use the input queue"));
    assert!(told(&["--go", "--decisions-queue-url", &gone], 1).contains("could not use the queues"));
    let (said, code) = scene.redrive(&["--go"]);
    assert_eq!((&said["done"], code), (&json!(1), Some(0)), "nothing was touched: {said}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let refused = |arguments: &[&str], why: &str| {
        let output = cargo_bin_cmd!("loadgate").arg("redrive").args(arguments).env_clear().output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(why), "{told}");
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
async fn what_it_says_to_people() {
    let mut scene = Scene::set().await;
    scene.attempt("528", "1").await;
    scene.letter("528", "no attempt").await;
    let said = String::from_utf8(scene.run(&[]).stdout).unwrap();
    let ids = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
    insta::assert_snapshot!("redrive_look", ids.replace_all(&said, "ID"));
    let said = String::from_utf8(scene.run(&["--go"]).stdout).unwrap();
    insta::assert_snapshot!("redrive_go", ids.replace_all(&said, "ID"));
}
