//! Configuration of the Lambda function, and of the AWS SDK.

use std::collections::BTreeMap;
use std::env::VarError;
use std::time::Duration;

use chrono::TimeDelta;
use loadgate::adapters::aws;
use loadgate::config::{
    CORRELATION_TABLE, CORRELATION_TTL_HOURS, ConfigError, ConsumerConfig, DEAD_LETTER_QUEUE_URL, DECISIONS_QUEUE_URL,
    LIMITS, LOAD_TABLE, USAGE_RETENTION_DAYS,
};
use loadgate::domain::Limits;

const DECISIONS: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/decisions.fifo";
const DEAD_LETTERS: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letters.fifo";

fn read(more: &[(&str, &str)]) -> Result<ConsumerConfig, ConfigError> {
    let needed = [(DECISIONS_QUEUE_URL, DECISIONS), (DEAD_LETTER_QUEUE_URL, DEAD_LETTERS)];
    let variables: BTreeMap<&str, &str> = needed.into_iter().chain(more.iter().copied()).collect();
    ConsumerConfig::read(|name| variables.get(name).map(|text| (*text).to_owned()).ok_or(VarError::NotPresent))
}

#[test]
fn unset_and_empty_variables_have_their_defaults() {
    let config = read(&[]).unwrap();
    assert_eq!(config.tables.correlation, "EventCorrelationTable");
    assert_eq!(config.tables.load, "DailyCustomerLoadTable");
    assert_eq!(config.correlation_ttl, TimeDelta::hours(360));
    assert_eq!(config.limits, Limits::default());
    assert_eq!((config.decisions_queue_url.as_str(), config.dead_letter_queue_url.as_str()), (DECISIONS, DEAD_LETTERS));
    assert_eq!(read(&[(LIMITS, ""), (CORRELATION_TTL_HOURS, " "), (LOAD_TABLE, "")]).unwrap(), config);
}

#[test]
fn limits_cut_by_the_sam_cli_are_recognised() {
    let problem = |text: &str| read(&[(LIMITS, text)]).unwrap_err().to_string();
    // The SAM CLI cuts texts with spaces or double quotes. These are the results.
    for cut in [
        "limit",
        "limit=[{code=",
        "limit=[{code='A',measure='count',window='day',max=3},",
        "[[limit]]",
        "[[limit]]\ncode",
    ] {
        let error = problem(cut);
        assert!(
            error.contains("LOADGATE_LIMITS: ") && error.contains("The text is incomplete: the SAM CLI cuts"),
            "{error}"
        );
        assert!(error.contains("single quotes inside, as samconfig.toml shows"), "{error}");
    }
    for other in ["no-limits.toml", "/opt/limit", "limit = [{code = 'A'}]", "[[limit]]\ncode = 'A'"] {
        assert!(!problem(other).contains("incomplete"), "{other}");
    }
}

#[test]
fn limits_are_given_as_text_or_as_a_path() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/limits.toml");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&[(LIMITS, path)]).unwrap().limits, Limits::default());
    assert_eq!(read(&[(LIMITS, &text)]).unwrap().limits, Limits::default());
    let one = "[[limit]]\ncode = 'ONE'\nmeasure = 'count'\nwindow = 'day'\nmax = 1";
    let limits = read(&[(LIMITS, one)]).unwrap().limits;
    assert_eq!(limits.iter().map(|limit| limit.code.as_str()).collect::<Vec<_>>(), ["ONE"]);
    // A path to an existing file counts as a path, even if its name looks like TOML.
    let folder = tempfile::tempdir().unwrap();
    for name in ["limits=new.toml", "[limits].toml", "#1.toml"] {
        let path = folder.path().join(name);
        std::fs::write(&path, one).unwrap();
        assert_eq!(read(&[(LIMITS, path.to_str().unwrap())]).unwrap().limits, limits, "{name}");
        std::fs::remove_file(&path).unwrap();
        let problems = read(&[(LIMITS, path.to_str().unwrap())]).unwrap_err().problems;
        let both = "no file has this name, so it is read as the text of limits";
        assert!(problems[0].contains("line 1: ") && problems[0].ends_with(both), "{problems:?}");
    }
}

#[test]
fn each_error_names_its_variable_and_the_remedy() {
    let problem = |name: &str, text: &str| {
        let problems = read(&[(name, text)]).unwrap_err().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("{name}: ")), "{problems:?}");
        problems[0].split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(problem(DECISIONS_QUEUE_URL, ""), "is missing; set it to the URL of a FIFO queue");
    assert_eq!(
        problem(DECISIONS_QUEUE_URL, "decisions.fifo"),
        "'decisions.fifo' is not the URL of a queue, which begins with https://"
    );
    assert!(
        problem(DEAD_LETTER_QUEUE_URL, "https://x/y")
            .ends_with("is not a FIFO queue: the name of a FIFO queue ends with .fifo")
    );
    for hours in ["0", "-1", "1.5", "87841", "a day"] {
        assert_eq!(problem(CORRELATION_TTL_HOURS, hours), format!("'{hours}' is not a whole number from 1 to 87840"));
    }
    assert!(problem(CORRELATION_TABLE, "a b").contains("'a b' is not a valid table name"));
    assert!(problem(LOAD_TABLE, "EventCorrelationTable").contains("is the same table as LOADGATE_CORRELATION_TABLE"));
    let arn = "arn:aws:dynamodb:eu-west-1:1:table/EventCorrelationTable";
    assert!(problem(LOAD_TABLE, arn).contains("is the same table as LOADGATE_CORRELATION_TABLE"));
    assert!(problem(LIMITS, "[[limit]]\ncode = 'X'").contains("line 1: limit 1, measure: missing"));
    assert!(problem(LIMITS, "/no/such/file").contains("'/no/such/file': could not read the limits file: No such file"));
    assert!(problem(DEAD_LETTER_QUEUE_URL, DECISIONS).contains("is the same queue as LOADGATE_DECISIONS_QUEUE_URL"));
    let no_url = "'127.0.0.1:8000' is not a URL, which begins with https:// or http://";
    assert_eq!(problem("AWS_ENDPOINT_URL_SQS", "127.0.0.1:8000"), no_url);
    assert_eq!(problem("AWS_ENDPOINT_URL_DYNAMODB", "127.0.0.1:8000"), no_url);
}

#[test]
fn several_errors_are_listed_one_per_line() {
    let all = read(&[(DECISIONS_QUEUE_URL, ""), (CORRELATION_TTL_HOURS, "x")]).unwrap_err();
    let listed = "the configuration has 2 mistakes:\n\
                  \x20 LOADGATE_DECISIONS_QUEUE_URL: is missing; set it to the URL of a FIFO queue\n\
                  \x20 LOADGATE_CORRELATION_TTL_HOURS: 'x' is not a whole number from 1 to 87840";
    assert_eq!(all.to_string(), listed);
    let one = read(&[(CORRELATION_TTL_HOURS, "x")]).unwrap_err().to_string();
    assert!(one.starts_with("the configuration is wrong: LOADGATE_CORRELATION_TTL_HOURS: 'x'"), "{one}");
}

#[tokio::test]
async fn all_attempts_and_backoffs_fit_into_the_operation_timeout() {
    let sdk = aws::load(Some("http://127.0.0.1:1")).await;
    let (retries, timeouts) = (sdk.retry_config().unwrap(), sdk.timeout_config().unwrap());
    let (attempt, whole) = (timeouts.operation_attempt_timeout().unwrap(), timeouts.operation_timeout().unwrap());
    assert_eq!((retries.max_attempts(), attempt, whole), (3, Duration::from_millis(1500), Duration::from_secs(5)));
    // As the SDK computes it: the initial backoff doubles before each further attempt, up to the maximum. The SDK
    // waits a random part of it.
    let wait = |number| (retries.initial_backoff() * 2_u32.pow(number)).min(retries.max_backoff());
    let longest = attempt * 3 + wait(0) + wait(1);
    assert!(longest < whole, "{longest:?}");
    // If a service asks for a wait, the SDK waits that long, up to the maximum.
    let asked = attempt * 3 + retries.max_backoff() * 2;
    assert!(asked < whole, "{asked:?}");
}

#[test]
fn usage_is_kept_for_ever_or_longer_than_any_window_and_any_message() {
    let retention = |days: &str| read(&[(USAGE_RETENTION_DAYS, days)]).map(|config| config.usage_retention);
    assert_eq!(read(&[]).unwrap().usage_retention, None);
    for (days, expected) in [("", None), ("0", None), ("62", Some(62)), (" 3660 ", Some(3660))] {
        assert_eq!(retention(days).unwrap(), expected.map(TimeDelta::days), "{days}");
    }
    for days in ["1", "61", "3661", "-62", "62.5", "for ever"] {
        let error = retention(days).unwrap_err().to_string();
        let expected =
            format!("USAGE_RETENTION_DAYS: '{days}' is neither 0, for ever, nor a whole number from 62 to 3660");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn usage_is_not_deleted_while_a_limit_counts_all_time() {
    let limits = |mode: &str| {
        let day = "[[limit]]\ncode = 'DAY'\nmeasure = 'count'\nwindow = 'day'\nmax = 1\n";
        format!("{day}[[limit]]\ncode = 'EVER'\nmeasure = 'count'\nwindow = 'lifetime'\nmax = 9\nmode = '{mode}'\n")
    };
    let with = |days, mode| read(&[(USAGE_RETENTION_DAYS, days), (LIMITS, &limits(mode))]);
    assert_eq!(with("0", "live").unwrap().usage_retention, None);
    assert!(with("62", "shadow").unwrap().usage_retention.is_some());
    let error = with("62", "live").unwrap_err().to_string();
    assert!(error.contains("LOADGATE_USAGE_RETENTION_DAYS: must be 0: the limit EVER counts the loads of all time"));
}
