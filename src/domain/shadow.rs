//! Limits in shadow: they are judged, and enforced nowhere. So a limit can be tried on real traffic before it declines.

use std::fmt;

use super::{Limit, Limits, LoadAttempt};

/// Judgement of the shadow limits of a table about one attempt. No decision depends on it.
#[derive(Clone, Copy)]
pub struct ShadowJudgement<'l> {
    limits: &'l Limits,
    /// A bit for each shadow limit that the attempt would break, by its place.
    broken: u32,
    /// A bit for each shadow limit that could not be judged, by its place.
    unjudged: u32,
}

/// Judges an attempt that has not been seen before by the shadow limits of a table.
///
/// `used` must return, for each limit, the customer's accepted loads in the limit's window around the attempt's own time,
/// without the attempt: cents or loads. `None` if that is not known: then the limit is not judged.
pub fn judge_shadow<'l>(
    limits: &'l Limits,
    attempt: &LoadAttempt<'_>,
    used: impl Fn(&Limit) -> Option<u64>,
) -> ShadowJudgement<'l> {
    let mut judgement = ShadowJudgement { limits, broken: 0, unjudged: 0 };
    let mut bit = 1_u32;
    for limit in limits.shadow() {
        match used(limit) {
            Some(used) if limit.with_load(used, attempt.amount) > limit.max => judgement.broken |= bit,
            Some(_) => {}
            None => judgement.unjudged |= bit,
        }
        bit = bit.rotate_left(1);
    }
    judgement
}

impl<'l> ShadowJudgement<'l> {
    /// Returns the codes of the shadow limits that the attempt would break, in order.
    pub fn broken(self) -> impl Iterator<Item = &'l str> {
        codes(self.limits, self.broken)
    }

    /// Returns the codes of the shadow limits that could not be judged, in order.
    pub fn unjudged(self) -> impl Iterator<Item = &'l str> {
        codes(self.limits, self.unjudged)
    }
}

fn codes(limits: &Limits, places: u32) -> impl Iterator<Item = &str> {
    let is_set = move |place: u32| places.checked_shr(place).is_some_and(|bits| bits & 1 == 1);
    (0_u32..).zip(limits.shadow()).filter(move |(place, _)| is_set(*place)).map(|(_, limit)| limit.code.as_str())
}

impl PartialEq for ShadowJudgement<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.broken().eq(other.broken()) && self.unjudged().eq(other.unjudged())
    }
}

impl Eq for ShadowJudgement<'_> {}

impl fmt::Debug for ShadowJudgement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, unjudged): (Vec<&str>, Vec<&str>) = (self.broken().collect(), self.unjudged().collect());
        f.debug_struct("ShadowJudgement").field("broken", &broken).field("unjudged", &unjudged).finish()
    }
}
