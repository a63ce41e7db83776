//! A load attempt: an accepted attempt has the same meaning for any JSON parser, and survives being written again.

use loadgate::deciding::{Delivery, MessageSource, WRITTEN_BYTES_MAX};
use loadgate::domain::{
    ATTEMPT_BYTES_MAX, AttemptText, Cents, Currency, ID_BYTES_MAX, LoadAttempt, LoadError, can_be_group, parse_time,
};
use loadgate::wire::read_attempt;
use serde::Deserialize;

/// Maximum length of an error message. It repeats nothing of the input, regardless of the input's length.
const MESSAGE_BYTES_MAX: usize = 200;

/// The four fields as plain `serde_json` parses them, for comparison.
#[derive(Debug, PartialEq, Deserialize)]
struct Plain {
    id: String,
    customer_id: String,
    load_amount: String,
    time: String,
}

pub fn check(bytes: &[u8]) -> bool {
    let read = read_attempt(bytes);
    assert_eq!(read.as_ref().ok().map(plain), parsed_by_serde(bytes), "serde_json reads something else");
    // Leading white space bypasses the parser of the plain form.
    let spaced = [b" ", bytes].concat();
    if spaced.len() <= ATTEMPT_BYTES_MAX {
        let code = |read: Result<AttemptText<'_>, LoadError>| read.map(drop).map_err(|error| error.code());
        assert_eq!(code(read_attempt(bytes)), code(read_attempt(&spaced)), "white space changes the answer");
    }
    match read {
        Ok(text) => {
            check_printed(&text, bytes);
            check_text(&text)
        }
        Err(error) => {
            check_error(&error, bytes);
            false
        }
    }
}

fn plain(text: &AttemptText<'_>) -> Plain {
    let [id, customer_id, load_amount, time] =
        [&text.id, &text.customer_id, &text.load_amount, &text.time].map(|text| text.clone().into_owned());
    Plain { id, customer_id, load_amount, time }
}

/// Parses an attempt with plain `serde_json`. Two kinds of input that serde accepts are not attempts, and are
/// excluded: four strings in an array, and ignored fields that are not UTF-8.
fn parsed_by_serde(bytes: &[u8]) -> Option<Plain> {
    let text = str::from_utf8(bytes).ok().filter(|text| text.len() <= ATTEMPT_BYTES_MAX)?;
    text.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
}

fn check_printed(text: &AttemptText<'_>, bytes: &[u8]) {
    let fields = plain(text);
    let bytes_kept = [&fields.id, &fields.customer_id, &fields.load_amount, &fields.time].map(String::len);
    assert!(bytes_kept.iter().sum::<usize>() <= bytes.len(), "more came out than went in");
    let json = |text: &str| serde_json::to_string(text).expect("a string can be written");
    let [id, customer_id] = [&fields.id, &fields.customer_id].map(|text| json(text));
    let [load_amount, time] = [&fields.load_amount, &fields.time].map(|text| json(text));
    let printed = format!(r#"{{"id":{id},"customer_id":{customer_id},"load_amount":{load_amount},"time":{time}}}"#);
    let again = read_attempt(printed.as_bytes()).map(|text| plain(&text));
    assert_eq!(again, Ok(fields), "printed, it reads as something else");
}

fn check_error(error: &LoadError, bytes: &[u8]) {
    let message = error.to_string();
    assert!(message.len() <= MESSAGE_BYTES_MAX, "{message}");
    check_repeats_nothing(*error, &message);
    match error {
        LoadError::NotUtf8 { at } => assert!((1..=bytes.len()).contains(at), "{error}"),
        LoadError::NotJson { at, .. } => assert!(*at <= bytes.len(), "{error}"),
        LoadError::TooLong => assert!(bytes.len() > ATTEMPT_BYTES_MAX, "{error}"),
        _ => {}
    }
}

/// Checks that an error message repeats nothing of the input. An error that is `Copy` and borrows nothing can contain
/// input only as a number, and the numbers in a message are positions, lengths and bounds.
fn check_repeats_nothing<E: Copy + std::fmt::Debug + 'static>(error: E, message: &str) {
    let known = format!(
        "{error:?} {ATTEMPT_BYTES_MAX} {ID_BYTES_MAX} {} $3,318.47 RFC 3339 2000-01-01 0000 001",
        Cents::LOAD_MAX
    );
    let numbers = message.split(|character: char| !character.is_ascii_digit()).filter(|number| number.len() > 2);
    numbers.for_each(|number| assert!(known.contains(number), "{number}: {message}"));
}

/// Checks the texts alone, in their customer's message group, and in another group. Returns true if they are an
/// attempt.
fn check_text(text: &AttemptText<'_>) -> bool {
    let checked = LoadAttempt::check(text.clone());
    let own_group = LoadAttempt::check_grouped(text.clone(), &text.customer_id, Currency::USD);
    let other_group = LoadAttempt::check_grouped(text.clone(), &format!("{}x", text.customer_id), Currency::USD);
    let attempt = match checked {
        Ok(attempt) => attempt,
        Err(error) => {
            check_error(&error, &[]);
            assert!(own_group.is_err() && other_group.is_err(), "a group makes an attempt of it");
            return false;
        }
    };
    if can_be_group(&text.customer_id) {
        assert_eq!(own_group.as_ref(), Ok(&attempt));
        assert_eq!(other_group, Err(LoadError::GroupMismatch));
    } else {
        let code = |checked: Result<LoadAttempt<'_>, LoadError>| checked.map_err(|error| error.code()).err();
        assert_eq!([own_group, other_group].map(code), [Some("BAD_ID"); 2]);
    }
    assert_eq!((attempt.id.as_str(), attempt.customer_id.as_str()), (&*text.id, &*text.customer_id));
    assert!([&text.id, &text.customer_id].iter().all(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
    check_repeated_texts(&attempt, text);
    true
}

/// Checks that the texts that a record repeats of an attempt are bounded, and have the same meaning.
fn check_repeated_texts(attempt: &LoadAttempt<'_>, written: &AttemptText<'_>) {
    assert!(attempt.amount <= Cents::LOAD_MAX);
    assert_eq!(Cents::parse(&attempt.amount.to_string()), Ok(attempt.amount));
    let Delivery { load_amount, time, .. } =
        Delivery::new(0, MessageSource::default(), written, attempt.clone(), Currency::USD);
    assert!(load_amount.len() <= WRITTEN_BYTES_MAX && time.len() <= WRITTEN_BYTES_MAX, "{load_amount} {time}");
    assert_eq!(Cents::parse(&load_amount), Ok(attempt.amount), "{load_amount}");
    assert_eq!(parse_time(&time), Ok(attempt.time), "{time}");
}
