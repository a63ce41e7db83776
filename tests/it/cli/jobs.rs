//! `loadgate programs assign` and `loadgate jobs` as processes, over a store that is a file.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

use crate::support::command::folder;

/// A store that is a file.
struct Tables(String);

impl Tables {
    fn in_folder(folder: &Path) -> Tables {
        let tables = Tables(format!("sqlite:{}", folder.join("store").display()));
        let plan = "[[limit]]\ncode = \"DAY\"\nmeasure = \"amount\"\nwindow = \"day\"\nmax = \"1.00\"\n";
        assert_eq!(tables.run(&["plans", "put", "p"], plan).0, Some(0));
        let customers = (0..60).map(|number| format!("c-{number}")).collect::<Vec<_>>().join("\n");
        assert_eq!(tables.run(&["programs", "enroll", "gold"], &customers).0, Some(0));
        tables
    }

    /// Runs a command. Returns the exit code, the JSON objects that it prints, and what it says.
    fn run(&self, arguments: &[&str], input: &str) -> (Option<i32>, Vec<Value>, String) {
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(arguments).args(["--store", &self.0]).env_clear().env("PATH", "").env("USER", "ann");
        let ended = command.write_stdin(input).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let lines = text(ended.stdout);
        let printed = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (ended.status.code(), printed, text(ended.stderr))
    }

    fn done(&self, arguments: &[&str]) -> Vec<Value> {
        let (code, printed, status) = self.run(arguments, "");
        assert_eq!(code, Some(0), "{arguments:?}: {status}");
        printed
    }
}

#[test]
fn a_job_in_a_file_is_performed_shown_and_listed() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    tables.done(&["plans", "link", "c-7", "p", "1"]);
    let dry = tables.done(&["programs", "assign", "gold", "p", "1", "--dry-run", "--by", "bob"]).remove(0);
    let counts =
        |job: &Value| ["total", "linked", "alreadyLinked", "superseded", "failed"].map(|name| job[name].clone());
    assert_eq!(counts(&dry), [60, 59, 1, 0, 0].map(|count| json!(count)), "{dry}");
    assert_eq!((&dry["state"], &dry["dryRun"], &dry["startedBy"]), (&json!("DONE"), &json!(true), &json!("bob")));
    assert_eq!(tables.run(&["plans", "link", "c-8"], "").0, Some(1), "a dry run links nobody");

    let (code, printed, bar) =
        tables.run(&["programs", "assign", "gold", "p", "1", "--wait", "--progress", "always"], "");
    let job = &printed[0];
    assert_eq!((code, counts(job)), (Some(0), [60, 59, 1, 0, 0].map(|count| json!(count))), "{bar}");
    assert_eq!((&job["chunksDone"], &job["chunksTotal"], &job["startedBy"]), (&json!(3), &json!(3), &json!("ann")));
    let link = tables.done(&["plans", "link", "c-8"]).remove(0);
    assert_eq!((&link["planId"], &link["version"]), (&json!("p"), &json!(1)));
    assert_eq!(link["linkNumber"].to_string(), job["jobId"].as_str().unwrap());

    let id = job["jobId"].as_str().unwrap();
    assert_eq!(tables.done(&["jobs", "show", id]), std::slice::from_ref(job));
    assert_eq!(tables.done(&["jobs", "list"]), [job.clone(), dry.clone()]);
    assert_eq!(tables.done(&["jobs", "list", "--limit", "1"]), std::slice::from_ref(job));
    assert_eq!(tables.done(&["jobs", "failures", id]), [json!(null); 0]);
    let (code, _, said) = tables.run(&["jobs", "cancel", id], "");
    assert_eq!(code, Some(1));
    assert!(said.contains("the job is DONE, and cannot be cancelled any more"), "{said}");
}

#[test]
fn what_is_unknown_or_wrong_is_said_and_nothing_is_started() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    for (arguments, code, problem) in [
        (&["programs", "assign", "silver", "p", "1"][..], 1, "there is no such programme"),
        (&["programs", "assign", "gold", "p", "2"], 1, "there is no such plan version"),
        (&["programs", "assign", "gold", "p", "one"], 2, "invalid value 'one'"),
        (&["jobs", "show", "1000"], 1, "there is no job with this id"),
        (&["jobs", "failures", "1000"], 1, "there is no job with this id"),
        (&["jobs", "cancel", "1000"], 1, "there is no job with this id"),
        (&["jobs", "show", "x"], 2, "the id of a job is a number"),
    ] {
        let (ended, _, said) = tables.run(arguments, "");
        assert_eq!(ended, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
    assert_eq!(tables.done(&["jobs", "list"]), [json!(null); 0]);
}

#[test]
fn in_dynamodb_a_job_needs_a_queue() {
    let mut command = cargo_bin_cmd!("loadgate");
    command.args([
        "programs",
        "assign",
        "gold",
        "p",
        "1",
        "--limit-table",
        "LimitTable",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ]);
    command.args(["--assignment-queue-url", "https://sqs.example/1/queue.fifo"]).env_clear().env("PATH", "");
    let ended = command.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("is not the URL of a standard queue"), "{said}");
}
