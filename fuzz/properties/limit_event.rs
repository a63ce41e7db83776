//! A limit event: an accepted one is applied once, and a fault is reported with a code and a short sentence.

use loadgate::domain::{ATTEMPT_BYTES_MAX, Change, ID_BYTES_MAX, LimitEvent, Millis};
use loadgate::limits::{Applied, LimitBook};
use loadgate::wire::parse_limit_event;

/// Maximum length of an error message. It repeats no part of the input.
const MESSAGE_BYTES_MAX: usize = 160;

const CODES: [&str; 9] =
    ["TOO_LONG", "NOT_UTF8", "NOT_JSON", "MISSING_FIELD", "BAD_TYPE", "BAD_ID", "BAD_AMOUNT", "BAD_TIME", "BAD_VALUE"];

pub fn check(bytes: &[u8]) -> bool {
    match parse_limit_event(bytes) {
        Ok(event) => {
            assert!(bytes.len() <= ATTEMPT_BYTES_MAX);
            check_event(&event);
            true
        }
        Err(error) => {
            assert!(CODES.contains(&error.code()), "{error:?}");
            assert!(error.to_string().len() <= MESSAGE_BYTES_MAX, "{error}");
            false
        }
    }
}

fn check_event(event: &LimitEvent) {
    assert!(event.created_at.instant().is_some(), "{event:?}");
    let mut book = LimitBook::default();
    let first = book.apply(event);
    let Some(change) = &event.change else { return assert_eq!(first, Ok(Applied::Ignored)) };
    assert_eq!(first, Ok(Applied::Changed));
    assert_eq!(book.apply(event), Ok(Applied::Outdated));
    match change {
        Change::Created { limit, .. } => {
            assert_eq!(book.get(&limit.limit_id).and_then(|entry| entry.definition), Some(&**limit));
            let ids = [&limit.limit_id, &limit.user_id];
            assert!(ids.iter().all(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
            // Any load has its place in the limit's window, but for one before a window without an end: the limit does not
            // apply to it.
            let window = limit.rule(limit.value).window;
            let instants = [limit.active_from, event.created_at, Millis::new(0), Millis::new(253_402_300_799_999)];
            for at in instants.into_iter().filter(|at| window.since().is_none_or(|since| since <= *at)) {
                if let Some(span) = window.span(at) {
                    assert!(span.holds(at), "{limit:?} {at:?}");
                }
            }
        }
        Change::Progressed(progress) => {
            assert_eq!(book.get(&progress.limit_id).map(|entry| entry.reported), Some(progress.progress));
        }
    }
}
