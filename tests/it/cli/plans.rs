//! `loadgate plans` and `loadgate programs` as processes: output, exit codes, repeated and concurrent changes.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};

use crate::support::command::folder;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events/sample.jsonl");

/// A store that is a file.
struct Tables(String);

/// Result of a command.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    output: String,
    status: String,
}

impl Tables {
    fn in_folder(folder: &Path) -> Tables {
        Tables(format!("sqlite:{}", folder.join("store").display()))
    }

    fn run(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = cargo_bin_cmd!("loadgate");
        command.args(arguments).args(["--store", &self.0]).env_clear().env("PATH", "").env("USER", "ann");
        let ended = command.write_stdin(input).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: ended.status.code(), output: text(ended.stdout), status: text(ended.stderr) }
    }

    /// Runs a command that must succeed. Returns the JSON objects that it prints.
    fn done(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        let ended = self.run(arguments, input);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn day(max: &str) -> String {
    format!("[[limit]]\ncode = \"DAY\"\nmeasure = \"amount\"\nwindow = \"day\"\nmax = \"{max}\"\n")
}

#[test]
fn a_plan_is_put_shown_listed_and_linked() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    assert_eq!(tables.run(&["plans", "list"], "").status, "there are no plans\n");
    let unknown = tables.run(&["plans", "show", "p"], "");
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.status.contains("could not read the plan: there is no such plan version"), "{unknown:?}");
    let put = tables.run(&["plans", "put", "p", "--if-new"], &day("100.00"));
    assert_eq!((put.code, &*put.status), (Some(0), "the plan is new\n"));
    let first: Value = serde_json::from_str(&put.output).unwrap();
    let limit = json!([{"code": "DAY", "measure": "amount", "window": "day", "max": "100.00"}]);
    assert_eq!([&first["planId"], &first["version"], &first["limit"]], [&json!("p"), &json!(1), &limit]);
    assert_eq!(first["createdBy"], "ann", "the user of the operating system");
    let again = tables.run(&["plans", "put", "p"], &day("100"));
    assert_eq!(again.status, "nothing has changed: the latest version has the same limits\n");
    assert_eq!(serde_json::from_str::<Value>(&again.output).unwrap(), first);
    let file = folder.path().join("plan.json");
    std::fs::write(
        &file,
        json!({"limit": [{"code": "MANY", "measure": "count", "window": "lifetime", "max": 2}]}).to_string(),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let second = tables.done(&["plans", "put", "p", file, "--if-version", "1", "--by", "bob"], "").remove(0);
    assert_eq!((&second["version"], &second["createdBy"]), (&json!(2), &json!("bob")));
    for (base, code) in [(&["--if-version", "1"][..], 1), (&["--if-new"], 1), (&["--if-new", "--if-version", "2"], 2)] {
        let refused = tables.run(&[&["plans", "put", "p"], base].concat(), &day("1.00"));
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(code == 2 || refused.status.contains("it has been changed, or is not as the request requires"));
    }
    assert_eq!(tables.done(&["plans", "show", "p", "1"], ""), [first]);
    assert_eq!(tables.done(&["plans", "show", "p"], ""), [second]);
    tables.done(&["plans", "put", "a"], &day("7.00"));
    let listed = tables.done(&["plans", "list"], "");
    assert_eq!(listed, [json!({"planId": "a", "version": 1}), json!({"planId": "p", "version": 2})]);

    let none = tables.run(&["plans", "link", "c"], "");
    assert_eq!(none.code, Some(1));
    assert!(none.status.contains("no plan is linked to the customer"), "{none:?}");
    let link = tables.done(&["plans", "link", "c", "p", "1"], "").remove(0);
    assert_eq!((&link["customerId"], &link["planId"], &link["version"]), (&json!("c"), &json!("p"), &json!(1)));
    assert_eq!(tables.done(&["plans", "link", "c"], ""), [link.clone()]);
    let number = link["linkNumber"].to_string();
    tables.done(&["plans", "link", "c", "a", "1", "--if-version", &number], "");
    assert_eq!(tables.run(&["plans", "link", "c", "p", "1", "--if-version", &number], "").code, Some(1));
    assert_eq!(tables.run(&["plans", "unlink", "c", "--if-version", &number], "").code, Some(1));
    tables.done(&["plans", "unlink", "c"], "");
    assert_eq!(tables.run(&["plans", "unlink", "c"], "").code, Some(1));
}

#[test]
fn a_wrong_plan_is_refused_with_the_place_of_the_fault() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    for (text, problem) in [
        ("", "'standard input': line 1: there is no limit"),
        (
            "[[limit]]\ncode='A'\nmeasure='sum'\n",
            "line 3: limit 1, measure: must be \"amount\" or \"count\", not \"sum\"",
        ),
        ("{\"limit\":[\n{}]}", "line 2: limit 1, measure: missing"),
        ("{\"limit\":[{\"code\":\"A\"},]}", "line 1: not JSON: "),
    ] {
        let refused = tables.run(&["plans", "put", "p"], text);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.status.contains(problem), "{refused:?}");
    }
    let long = "x".repeat(129);
    for arguments in [&["plans", "show", &*long][..], &["plans", "show", ""], &["plans", "link", "c", "p"]] {
        assert_eq!(tables.run(arguments, "").code, Some(2), "{arguments:?}");
    }
}

#[test]
fn customers_are_enrolled_line_by_line_and_a_repeated_run_changes_nothing() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    let long = "x".repeat(129);
    let lines = format!("c-1\r\n\n\"c 2\"\nc-1\n{long}\n\"open\nc-3\n  \nc-4");
    let run = |arguments: &[&str], lines: &str| {
        let ended = tables.run(&[&["programs", "enroll"], arguments, &["--summary", "json"]].concat(), lines);
        let report: Value = serde_json::from_str(ended.status.lines().last().unwrap()).unwrap();
        let counts = ["enrolled", "moved", "unchanged", "invalid"].map(|name| report[name].as_u64().unwrap());
        (ended, counts)
    };
    let (ended, counts) = run(&["gold"], &lines);
    assert_eq!((ended.code, counts), (Some(3), [4, 0, 1, 2]), "{ended:?}");
    assert!(ended.status.contains("line 5: BAD_ID: ") && ended.status.contains("line 6: NOT_JSON: "), "{ended:?}");
    assert_eq!(run(&["gold"], &lines).1, [0, 0, 5, 2]);
    assert_eq!(run(&["silver"], "c-3\nc-9\n").1, [1, 1, 0, 0]);
    assert_eq!(run(&["gold"], "").1, [0, 0, 0, 0]);
    let many: String = (0..1_200).map(|number| format!("m-{number}\n")).collect();
    let (ended, counts) = run(&["gold", "--progress", "always"], &many);
    assert_eq!((ended.code, counts), (Some(0), [1_200, 0, 0, 0]));
    assert!(ended.status.contains("1,200 customers"), "{}", ended.status);
    let removed = tables.run(&["programs", "remove", "silver", "c-3", "c-1"], "");
    assert_eq!((removed.code, &*removed.status), (Some(0), "1 removed; 1 were not in the programme\n"));
    let text = tables.run(&["programs", "enroll", "gold"], "c-3\n");
    assert!(text.status.contains("enrolled                     1\n"), "{text:?}");
}

#[test]
fn a_replay_through_the_store_decides_under_plans() {
    let (folder, _) = folder();
    let tables = Tables::in_folder(folder.path());
    tables.done(&["plans", "put", "nothing"], &day("0.00"));
    tables.done(&["plans", "put", "much"], &day("90000000000000.00"));
    assert_eq!(tables.run(&["programs", "default", "gold"], "").code, Some(1), "an unknown programme");
    assert_eq!(tables.run(&["programs", "default", "gold", "none", "1"], "").code, Some(1), "an unknown plan");
    let default = tables.done(&["programs", "default", "gold", "nothing", "1"], "");
    let expected = json!({"programId": "gold", "planId": "nothing", "version": 1, "programVersion": 1});
    assert_eq!(default, std::slice::from_ref(&expected));
    assert_eq!(tables.done(&["programs", "default", "gold"], ""), [expected]);
    assert_eq!(tables.run(&["programs", "enroll", "gold"], "1\n3\n").code, Some(0));
    tables.done(&["plans", "link", "3", "much", "1"], "");

    let replayed = tables.run(&["replay", SAMPLE], "");
    let decisions = |output: &str, customer: &str| -> Vec<bool> {
        let decisions = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let own = decisions.filter(|decision| decision["customer_id"] == customer);
        own.map(|decision| decision["accepted"] == true).collect()
    };
    let (first, third) = (decisions(&replayed.output, "1"), decisions(&replayed.output, "3"));
    assert!(
        !first.is_empty() && first.iter().all(|accepted| !accepted),
        "the programme's plan allows nothing: {first:?}"
    );
    assert!(!third.is_empty() && third.iter().all(|accepted| *accepted), "the linked plan allows all: {third:?}");
    let in_memory = cargo_bin_cmd!("loadgate").args(["replay", SAMPLE]).output().unwrap();
    let in_memory = String::from_utf8(in_memory.stdout).unwrap();
    let mut same = 0;
    for customer in (2..60).filter(|customer| *customer != 3).map(|customer| customer.to_string()) {
        assert_eq!(decisions(&replayed.output, &customer), decisions(&in_memory, &customer), "{customer}");
        same += decisions(&in_memory, &customer).len();
    }
    assert!(same > 100);
}
