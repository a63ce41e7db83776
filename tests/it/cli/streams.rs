//! Standard streams that are closed or full, or whose reader has gone. No output is lost without an error, and an
//! unusable standard error never ends a program.

use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use loadgate::adapters::aws;
use loadgate::adapters::sqs::{SqsReceiver, SqsSender, queue_settings};
use loadgate::deciding::{Outgoing, Receiver, Sender};
use serde_json::{Value, json};

use crate::support::cloud::{Fresh, Queues, Worker, drain, dynamodb_local, environment, fresh_names, fresh_queue, sqs};
use crate::support::line;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");
const DECISIONS: &str = include_str!("../../../events/sample.decisions.jsonl");

/// Shell redirections after which standard error refuses or discards its input.
const LOST: [&str; 3] = ["2>&-", "2>/dev/full", "2>/dev/null"];

/// Returns the command that runs a program with its streams redirected by a shell.
fn redirected(program: &std::path::Path, arguments: &[&str], redirection: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$@\" {redirection}"), "sh"]).arg(program).args(arguments);
    command.stdin(Stdio::null());
    command
}

fn loadgate(arguments: &[&str], redirection: &str) -> Command {
    redirected(cargo_bin!("loadgate"), arguments, redirection)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Creates a queue with these messages, each in its own group.
async fn queue_with(bodies: &[&str]) -> String {
    let queue_url = fresh_queue().await;
    let message = |(n, body): (usize, &&str)| Outgoing {
        group_id: n.to_string(),
        deduplication_id: n.to_string(),
        body: (*body).to_owned(),
    };
    let sender = SqsSender::new(&aws::load(Some(sqs())).await, queue_url.clone());
    sender.send(bodies.iter().enumerate().map(message).collect()).await.unwrap();
    queue_url
}

/// Returns the number of messages in a queue, visible or not.
async fn count(queue_url: &str) -> u64 {
    let queue = queue_settings(&aws::load(Some(sqs())).await, queue_url).await.unwrap();
    queue.messages + queue.messages_in_flight
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_unusable_standard_output_is_refused_before_any_work() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let queue_url = queue_with(&["1", "2"]).await;
    let endpoint = dynamodb_local();
    let store = ["replay", SAMPLE, "--store", "dynamodb", "--endpoint-url", endpoint];
    let commands: [&[&str]; 8] = [
        &["replay", SAMPLE],
        &store,
        &["generate"],
        &["receive", "--wait", "0", "--queue-url", &queue_url],
        &["receive", "--wait", "0", "--attributes", "--queue-url", &queue_url],
        &["tables", "create", "--endpoint-url", endpoint],
        &["redrive", "--go"],
        &["worker", "--check"],
    ];
    for (redirection, problem) in [(">&-", "is closed"), (">/dev/null 1<&0", "is not open for writing")] {
        for arguments in commands {
            let mut command = loadgate(arguments, redirection);
            command.envs(environment(&queues, &fresh.names, &fresh.url));
            let ended = command.output().unwrap();
            let expected = format!(
                "loadgate: standard output {problem}; nothing was done: redirect it to a file, a pipe or /dev/null\n"
            );
            assert_eq!((ended.status.code(), stderr(&ended)), (Some(1), expected), "{arguments:?} {redirection}");
        }
    }
    assert_eq!(count(&queue_url).await, 2, "nothing was received");
    let queue = SqsReceiver::new(&aws::load(Some(sqs())).await, queue_url);
    let received = queue.receive(10, std::time::Duration::ZERO, None).await.unwrap();
    assert_eq!(received.len(), 2, "nothing was made invisible");
    assert_eq!(fresh.record_count().await, 0, "nothing was decided");
}

#[test]
fn a_command_with_an_output_file_accepts_a_closed_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("decisions.jsonl");
    let ended = loadgate(&["replay", SAMPLE, "-o", output.to_str().unwrap()], ">&-").output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert_eq!(std::fs::read_to_string(output).unwrap(), DECISIONS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn dev_null_as_standard_output_is_accepted() {
    // The second redirection opens /dev/null for reading and writing, like Python's DEVNULL, and like Rust's runtime
    // in place of a closed stream.
    for redirection in [">/dev/null", "1<>/dev/null", "| cat >/dev/null"] {
        let ended = loadgate(&["replay", SAMPLE, "--summary", "json"], redirection).output().unwrap();
        assert!(stderr(&ended).contains("\"attempts\":1000"), "{redirection}: {}", stderr(&ended));
        let queue_url = queue_with(&["1", "2"]).await;
        let ended = loadgate(&["receive", "--wait", "1", "--queue-url", &queue_url], redirection).output().unwrap();
        assert_eq!((ended.status.code(), count(&queue_url).await), (Some(0), 0), "{redirection}: {}", stderr(&ended));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn messages_that_could_not_be_printed_are_not_deleted() {
    for more in [&[][..], &["--attributes"]] {
        let queue_url = queue_with(&["1", "2", "3"]).await;
        let arguments = [&["receive", "--wait", "1", "--queue-url", &queue_url], more].concat();
        let ended = loadgate(&arguments, ">/dev/full").output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        assert!(stderr(&ended).contains("could not write to standard output: No space left on device"), "{ended:?}");
        assert_eq!(count(&queue_url).await, 3);
    }
    let queue_url = queue_with(&["1", "2", "3"]).await;
    let mut command = loadgate(&["receive", "--wait", "1", "--queue-url", &queue_url], "");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!((child.wait().unwrap().code(), count(&queue_url).await), (Some(0), 3), "a reader that has gone");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn every_message_is_printed_on_one_line() {
    let bodies = ["{\n  \"a\": \"x\",\r\n  \"b\": 1\n}", "no\nJSON\r\n", "plain", "\"x\"\n"];
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("lines");
    for is_whole in [false, true] {
        let queue_url = queue_with(&bodies).await;
        let mut arguments = vec!["receive", "--wait", "1", "--queue-url", &queue_url];
        arguments.extend(is_whole.then_some("--attributes"));
        let redirection = format!(">{}", output.display());
        assert!(loadgate(&arguments, &redirection).status().unwrap().success());
        assert_eq!(count(&queue_url).await, 0);
        let lines = std::fs::read_to_string(&output).unwrap();
        let mut lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        if is_whole {
            let body = |line: &str| serde_json::from_str::<Value>(line).unwrap()["body"].as_str().unwrap().to_owned();
            let mut kept: Vec<String> = lines.into_iter().map(body).collect();
            kept.sort();
            let mut expected = bodies;
            expected.sort_unstable();
            assert_eq!(kept, expected, "to the byte");
        } else {
            lines.sort_unstable();
            assert_eq!(lines[..3], [r#""no\nJSON\r\n""#, r#""x""#, "plain"]);
            assert_eq!(serde_json::from_str::<Value>(lines[3]).unwrap(), json!({ "a": "x", "b": 1 }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn an_unusable_standard_error_changes_no_result() {
    let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("attempts.jsonl");
    std::fs::write(&file, line("1", "528", "$1.00", "2018-12-31T00:00:00Z")).unwrap();
    let (file, unreachable) = (file.to_str().unwrap(), "http://127.0.0.1:9/0/x.fifo");
    let commands: [(&[&str], i32); 10] = [
        (&["replay", SAMPLE, "--progress", "always"], 3),
        (&["replay", "no/such/file"], 1),
        (&["replay", "--no-such-option"], 2),
        (&["generate", "--attempts", "10"], 0),
        (&["send", file, "--queue-url", &queues.input], 0),
        (&["send", file, "--queue-url", unreachable], 1),
        (&["receive", "--wait", "0", "--keep", "--queue-url", &queues.decisions], 0),
        (&["tables", "status", "--endpoint-url", &fresh.url], 0),
        (&["redrive"], 0),
        (&["worker", "--config", "no/such/file"], 2),
    ];
    for (arguments, code) in commands {
        let run = |mut command: Command| command.envs(environment(&queues, &fresh.names, &fresh.url)).output().unwrap();
        let expected = run(loadgate(arguments, "")).stdout;
        for redirection in LOST {
            let ended = run(loadgate(arguments, redirection));
            assert_eq!(ended.status.code(), Some(code), "{arguments:?} {redirection}");
            assert!(ended.stdout == expected, "{arguments:?} {redirection}");
        }
        let mut command = loadgate(arguments, "");
        command.envs(environment(&queues, &fresh.names, &fresh.url));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}, a reader that has gone");
    }
    // Outside of AWS Lambda, the function logs an error and ends.
    for redirection in LOST {
        let ended = redirected(cargo_bin!("decide"), &[], redirection).env_clear().output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "decide {redirection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_worker_runs_without_a_usable_log() {
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for log in [full(), Stdio::piped()] {
        let (fresh, queues) = (Fresh::in_dynamodb_local().await, Queues::fresh(30, 5).await);
        let mut environment = environment(&queues, &fresh.names, &fresh.url);
        environment.push(("LOADGATE_LOG_LEVEL", "debug".to_owned()));
        let mut worker = Worker::start_with_stderr(&environment, log);
        worker.wait_until_ready();
        // The invalid message causes a warning.
        let bodies = [line("1", "a", "$1.00", "2018-12-31T00:00:00Z"), "no attempt".to_owned()];
        let message = |body: &String| Outgoing {
            group_id: "a".to_owned(),
            deduplication_id: body.len().to_string(),
            body: body.trim_end().to_owned(),
        };
        let sender = SqsSender::new(&aws::load(Some(sqs())).await, queues.input.clone());
        sender.send(bodies.iter().map(message).collect()).await.unwrap();
        while worker.decided() + worker.count("invalid") < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        worker.signal("TERM");
        assert_eq!(worker.wait().code(), Some(0));
        assert_eq!((drain(&queues.decisions).await.len(), drain(&queues.dead_letters).await.len()), (1, 1));
        assert_eq!(count(&queues.input).await, 0, "everything was deleted");
    }
}

#[test]
fn help_that_cannot_be_printed_is_an_error() {
    let ended = loadgate(&["--help"], ">/dev/full").output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        stderr(&ended).contains("could not write to standard output: No space left on device"),
        "{}",
        stderr(&ended)
    );
    assert_eq!(loadgate(&["--help"], ">/dev/null").status().unwrap().code(), Some(0));
}

#[test]
#[ignore = "needs `make tools`; `make test` runs it"]
fn two_tables_of_one_name_are_refused_before_anything_is_created() {
    let name = fresh_names().load;
    let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{name}");
    for (correlation, load) in [(&name, &name), (&arn, &name)] {
        let tables = ["--correlation-table", correlation, "--load-table", load];
        for command in [&["tables", "create"][..], &["replay", SAMPLE, "--store", "dynamodb"]] {
            let arguments = [command, &tables, &["--endpoint-url", dynamodb_local()]].concat();
            let ended = loadgate(&arguments, "").output().unwrap();
            assert_eq!(ended.status.code(), Some(2), "{}", stderr(&ended));
            assert!(stderr(&ended).contains("name the same table; give each a name of its own"), "{}", stderr(&ended));
        }
    }
    let status = ["tables", "status", "--endpoint-url", dynamodb_local(), "--load-table", &name];
    let ended = loadgate(&status, "").output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stdout).contains(&format!("{name}: missing")), "{ended:?}");
}
