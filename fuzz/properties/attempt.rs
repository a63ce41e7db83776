//! A load attempt: what is accepted means the same to any JSON reader, and survives being written again.

use loadgate::deciding::{Delivery, MessageSource, WRITTEN_BYTES_MAX};
use loadgate::domain::{
    ATTEMPT_BYTES_MAX, AttemptText, Cents, ID_BYTES_MAX, LoadAttempt, LoadError, can_be_group, parse_time,
};
use loadgate::wire::read_attempt;
use serde::Deserialize;

/// The longest sentence about a fault. It repeats nothing of the input, however long that is.
const SENTENCE_BYTES_MAX: usize = 200;

/// The four fields as plain `serde_json` reads them: the second opinion.
#[derive(Debug, PartialEq, Deserialize)]
struct Plain {
    id: String,
    customer_id: String,
    load_amount: String,
    time: String,
}

pub fn check(bytes: &[u8]) -> bool {
    let read = read_attempt(bytes);
    assert_eq!(read.as_ref().ok().map(plain), second_opinion(bytes), "serde_json reads something else");
    // White space leads past the reader of the plain form.
    let spaced = [b" ", bytes].concat();
    if spaced.len() <= ATTEMPT_BYTES_MAX {
        let code = |read: Result<AttemptText<'_>, LoadError>| read.map(drop).map_err(|error| error.code());
        assert_eq!(code(read_attempt(bytes)), code(read_attempt(&spaced)), "white space changes the answer");
    }
    match read {
        Ok(text) => {
            survives_printing(&text, bytes);
            is_checked(&text)
        }
        Err(error) => {
            is_told(&error, bytes);
            false
        }
    }
}

fn plain(text: &AttemptText<'_>) -> Plain {
    let [id, customer_id, load_amount, time] =
        [&text.id, &text.customer_id, &text.load_amount, &text.time].map(|text| text.clone().into_owned());
    Plain { id, customer_id, load_amount, time }
}

/// To serde four strings in an array would be the fields as well, and what it ignores need not be UTF-8: neither is an
/// attempt.
fn second_opinion(bytes: &[u8]) -> Option<Plain> {
    let text = str::from_utf8(bytes).ok().filter(|text| text.len() <= ATTEMPT_BYTES_MAX)?;
    text.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
}

fn survives_printing(text: &AttemptText<'_>, bytes: &[u8]) {
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

fn is_told(error: &LoadError, bytes: &[u8]) {
    let sentence = error.to_string();
    assert!(sentence.len() <= SENTENCE_BYTES_MAX, "{sentence}");
    repeats_nothing(*error, &sentence);
    match error {
        LoadError::NotUtf8 { at } => assert!((1..=bytes.len()).contains(at), "{error}"),
        LoadError::NotJson { at, .. } => assert!(*at <= bytes.len(), "{error}"),
        LoadError::TooLong => assert!(bytes.len() > ATTEMPT_BYTES_MAX, "{error}"),
        _ => {}
    }
}

/// What is copied, and borrows nothing, has no room for the input but in a number: and a sentence's numbers are places,
/// lengths and bounds.
fn repeats_nothing<E: Copy + std::fmt::Debug + 'static>(error: E, sentence: &str) {
    let known = format!(
        "{error:?} {ATTEMPT_BYTES_MAX} {ID_BYTES_MAX} {} $3,318.47 RFC 3339 2000-01-01 0000 001",
        Cents::LOAD_MAX
    );
    let numbers = sentence.split(|character: char| !character.is_ascii_digit()).filter(|number| number.len() > 2);
    numbers.for_each(|number| assert!(known.contains(number), "{number}: {sentence}"));
}

/// Checks the texts alone, in their customer's message group, and in another's.
fn is_checked(text: &AttemptText<'_>) -> bool {
    let checked = LoadAttempt::check(text.clone());
    let own_group = LoadAttempt::check_grouped(text.clone(), &text.customer_id);
    let other_group = LoadAttempt::check_grouped(text.clone(), &format!("{}x", text.customer_id));
    let attempt = match checked {
        Ok(attempt) => attempt,
        Err(error) => {
            is_told(&error, &[]);
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
    is_repeated(&attempt, text);
    true
}

/// What a record repeats of an attempt is bounded, and says the same.
fn is_repeated(attempt: &LoadAttempt<'_>, written: &AttemptText<'_>) {
    assert!(attempt.amount <= Cents::LOAD_MAX);
    assert_eq!(Cents::parse(&attempt.amount.to_string()), Ok(attempt.amount));
    let Delivery { load_amount, time, .. } = Delivery::new(0, MessageSource::default(), written, attempt.clone());
    assert!(load_amount.len() <= WRITTEN_BYTES_MAX && time.len() <= WRITTEN_BYTES_MAX, "{load_amount} {time}");
    assert_eq!(Cents::parse(&load_amount), Ok(attempt.amount), "{load_amount}");
    assert_eq!(parse_time(&time), Ok(attempt.time), "{time}");
}
