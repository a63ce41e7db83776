//! The answers to a batch request, of which each entry's id is its place.

use std::collections::BTreeMap;

use crate::deciding::QueueError;

/// Brings answers into the order of the request. What they do not mention is as `unmentioned` says.
pub fn in_order<'a>(
    count: usize,
    answers: impl Iterator<Item = (&'a str, Result<(), QueueError>)>,
    unmentioned: impl Fn() -> Result<(), QueueError>,
) -> Vec<Result<(), QueueError>> {
    let mut answers: BTreeMap<&str, Result<(), QueueError>> = answers.collect();
    (0..count).map(|place| answers.remove(place.to_string().as_str()).unwrap_or_else(&unmentioned)).collect()
}
