//! Answers to a batch request. The id of an entry is its place in the request.

use std::collections::BTreeMap;

use crate::deciding::QueueError;

/// Sorts answers into the order of the request. An entry without an answer gets the result of `unmentioned`.
pub fn in_order<'a>(
    count: usize,
    answers: impl Iterator<Item = (&'a str, Result<(), QueueError>)>,
    unmentioned: impl Fn() -> Result<(), QueueError>,
) -> Vec<Result<(), QueueError>> {
    let mut answers: BTreeMap<&str, Result<(), QueueError>> = answers.collect();
    (0..count).map(|place| answers.remove(place.to_string().as_str()).unwrap_or_else(&unmentioned)).collect()
}
