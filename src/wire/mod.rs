//! JSON forms of input and output. Only this module knows the form of an attempt, a decision or a reject.

#[cfg(feature = "http")]
pub mod api;
mod attempt;
#[cfg(feature = "replay")]
mod attempt_parser;
mod decision;
#[cfg(any(feature = "cli", feature = "http"))]
mod job;
#[cfg(any(feature = "aws", feature = "http"))]
mod job_message;
mod json;
mod limit_event;
#[cfg(any(feature = "cli", feature = "http"))]
mod limit_progress;
mod limits;
#[cfg(feature = "replay")]
pub(crate) mod lines;
#[cfg(any(feature = "cli", feature = "http"))]
mod plan;
#[cfg(feature = "replay")]
mod reject;
mod text;

pub use attempt::{attempt_line, parse_attempt, read_attempt};
#[cfg(feature = "replay")]
pub(crate) use attempt_parser::{AttemptParser, ParsedAttempt};
pub use decision::{DecisionHead, Explanation, Reasons, can_be_body, decision_message, write_decision};
#[cfg(any(feature = "cli", feature = "http"))]
pub use job::{CustomerFailureView, JobView, job_failure_json, job_json};
#[cfg(any(feature = "aws", feature = "http"))]
pub use job_message::{job_message, parse_job_id, parse_job_message};
pub use limit_event::parse_limit_event;
#[cfg(any(feature = "cli", feature = "http"))]
pub use limit_progress::{LimitView, PendingView, limit_progress_json};
pub use limits::{LimitJson, LimitsJson, LimitsTextError, limits_json, parse_limits, parse_limits_json};
#[cfg(any(feature = "cli", feature = "http"))]
pub use plan::{DefaultPlanView, EnrollmentView, LinkView, PlanListView, PlanVersionView, PlanView, view_json};
#[cfg(feature = "replay")]
pub use reject::RejectWriter;

/// Returns true if a byte must be escaped in a JSON string (RFC 8259, section 7).
const fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}

/// Returns the number of bytes before the first that must be escaped in a JSON string. It compares eight bytes at a time: most
/// strings are short, so that a loop over bytes would take most of its time to guess its end.
#[inline]
fn plain_bytes(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (before, word) in words.iter().enumerate() {
        let to_escape = bytes_to_escape(u64::from_le_bytes(*word));
        if to_escape != 0 {
            return before * 8 + (to_escape.trailing_zeros() / 8) as usize;
        }
    }
    words.len() * 8 + rest.iter().take_while(|byte| !needs_escape(**byte)).count()
}

/// Returns true if no byte of a text must be escaped in a JSON string.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let is_plain_word = |word: u64| bytes_to_escape(word) == 0;
    let (words, rest) = text.as_chunks::<8>();
    let are_words_plain = || words.iter().all(|word| is_plain_word(u64::from_le_bytes(*word)));
    // The last bytes, together with some before them.
    if let Some(last) = text.last_chunk::<8>() {
        return is_plain_word(u64::from_le_bytes(*last)) && are_words_plain();
    }
    match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            is_plain_word(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
        }
        _ => !rest.iter().any(|byte| needs_escape(*byte)),
    }
}

/// Returns a word whose lowest bit that is set is in the first byte that must be escaped. Higher ones mean nothing: a subtraction
/// may borrow from them. 0 means no byte.
const fn bytes_to_escape(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST_BITS: u64 = ONES * 0x80;
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * b' ' as u64);
    // Each has the highest bit of a byte that is met, if the byte itself has not.
    (quote | backslash | control) & !word & HIGHEST_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_to_escape_is_found_wherever_it_is() {
        for first in 0..=u8::MAX {
            for (length, place) in (0..20).flat_map(|length| (0..length).map(move |place| (length, place))) {
                // Behind it are bytes that a borrow reaches, and others that must be escaped.
                for others in [b'!', 0xff, b'"', 0] {
                    let text = [vec![b'#'; place], vec![first], vec![others; length - place - 1]].concat();
                    let expected = text.iter().position(|byte| needs_escape(*byte)).unwrap_or(length);
                    assert_eq!(plain_bytes(&text), expected, "{text:?}");
                    assert_eq!(is_plain(&text), expected == length, "{text:?}");
                }
            }
        }
    }
}
