//! The definitions and the reported progress that limit events leave.

use std::collections::BTreeMap;

use crate::domain::{Change, LimitEvent, LimitEventError, Millis, OWN_LIMITS_MAX, OwnLimit, Progress};

/// All customers' own limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitBook {
    /// Each customer's limits, by their ids.
    customers: BTreeMap<String, BTreeMap<String, LimitEntry>>,
    /// The customer of each limit.
    owners: BTreeMap<String, String>,
}

/// One limit, as its events have left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitEntry {
    /// The definition. `None` while only progress has been reported.
    pub definition: Option<OwnLimit>,
    /// The highest sequence number of a definition.
    pub definition_mark: Option<u64>,
    /// The reported progress, in hundredths of the currency.
    pub reported: u64,
    /// The highest sequence number of a report.
    pub progress_mark: Option<u64>,
}

/// Effect of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It changed a limit.
    Changed,
    /// It changed nothing: an event with the same or a higher sequence number came before it.
    Outdated,
    /// It is of a type that has no effect.
    Ignored,
}

impl LimitBook {
    /// Applies an event.
    ///
    /// # Errors
    /// [`LimitEventError::OtherCustomer`] and [`LimitEventError::TooManyLimits`]. Nothing has changed then.
    pub fn apply(&mut self, event: LimitEvent) -> Result<Applied, LimitEventError> {
        let number = event.sequence_number;
        let is_taken = match event.change {
            None => return Ok(Applied::Ignored),
            Some(Change::Created { limit, progress }) => {
                self.check(&limit, number, event.created_at)?;
                let entry = self.entry(&limit.limit_id, &limit.user_id);
                let is_newer = advance(&mut entry.definition_mark, number);
                if is_newer {
                    entry.definition = Some(*limit);
                }
                progress.is_some_and(|progress| entry.report(progress, number)) || is_newer
            }
            Some(Change::Progressed(Progress { limit_id, user_id, progress })) => {
                self.check_owner(&limit_id, &user_id)?;
                self.entry(&limit_id, &user_id).report(progress, number)
            }
        };
        Ok(if is_taken { Applied::Changed } else { Applied::Outdated })
    }

    /// Returns the limit with this id.
    pub fn get(&self, limit_id: &str) -> Option<&LimitEntry> {
        self.customers.get(self.owners.get(limit_id)?)?.get(limit_id)
    }

    /// Returns all defined limits, by customer and then by id.
    pub fn definitions(&self) -> impl Iterator<Item = &OwnLimit> {
        self.customers.values().flat_map(BTreeMap::values).filter_map(|entry| entry.definition.as_ref())
    }

    /// Refuses the id of another customer's limit, and a further open limit of a customer that has the most allowed.
    fn check(&self, limit: &OwnLimit, number: u64, now: Millis) -> Result<(), LimitEventError> {
        self.check_owner(&limit.limit_id, &limit.user_id)?;
        let Some(entries) = self.customers.get(&limit.user_id) else { return Ok(()) };
        let mark = entries.get(&limit.limit_id).and_then(|entry| entry.definition_mark);
        let is_outdated = mark.is_some_and(|mark| number <= mark);
        let others = entries.iter().filter(|(limit_id, _)| **limit_id != limit.limit_id);
        let open = others.filter(|(_, entry)| entry.definition.as_ref().is_some_and(|other| other.is_open(now)));
        let has_no_room = !is_outdated && limit.is_open(now) && open.count() >= OWN_LIMITS_MAX;
        if has_no_room { Err(LimitEventError::TooManyLimits) } else { Ok(()) }
    }

    fn check_owner(&self, limit_id: &str, user_id: &str) -> Result<(), LimitEventError> {
        let is_other = self.owners.get(limit_id).is_some_and(|owner| owner != user_id);
        if is_other { Err(LimitEventError::OtherCustomer) } else { Ok(()) }
    }

    /// Returns the limit's entry, a new one if there is none.
    fn entry(&mut self, limit_id: &str, user_id: &str) -> &mut LimitEntry {
        self.owners.entry(limit_id.to_owned()).or_insert_with(|| user_id.to_owned());
        self.customers.entry(user_id.to_owned()).or_default().entry(limit_id.to_owned()).or_default()
    }
}

impl LimitEntry {
    /// Takes a report of progress, unless it is outdated. Returns true if it is taken.
    fn report(&mut self, progress: u64, number: u64) -> bool {
        let is_newer = advance(&mut self.progress_mark, number);
        if is_newer {
            self.reported = progress;
        }
        is_newer
    }
}

/// Raises a mark to this number. Returns false if it was not below.
fn advance(mark: &mut Option<u64>, number: u64) -> bool {
    let is_newer = mark.is_none_or(|mark| number > mark);
    if is_newer {
        *mark = Some(number);
    }
    is_newer
}
