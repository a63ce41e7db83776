//! The rules for one event: what it changes, given what is stored.

use super::CustomerLimits;
use crate::domain::{Change, LimitEvent, LimitEventError, Millis, OwnLimit, Progress};

/// A limit's pointer to its customer, with its marks and its reported progress. It is never deleted, so the marks outlive
/// the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitPointer {
    /// The customer.
    pub user_id: String,
    /// The highest sequence number of a definition.
    pub definition_mark: Option<u64>,
    /// The highest sequence number of a report of progress.
    pub progress_mark: Option<u64>,
    /// The reported progress, in hundredths of the currency; 0 without a report.
    pub reported: u64,
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

/// Judgement about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The event changes its limit.
    Change(Box<LimitChange>),
    /// An event with the same or a higher sequence number came before it.
    Outdated,
    /// The event is of a type that has no effect.
    Ignored,
}

/// Change of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChange {
    /// The limit's pointer after the change.
    pub pointer: LimitPointer,
    /// The new definition, for [`CustomerLimits::define`]; `None` if only the reported progress changes.
    pub definition: Option<OwnLimit>,
}

impl LimitPointer {
    /// Creates the pointer of a limit that has no event yet.
    pub const fn new(user_id: String) -> LimitPointer {
        LimitPointer { user_id, definition_mark: None, progress_mark: None, reported: 0 }
    }

    /// Takes a report of progress, unless it is outdated. Returns true if it is taken.
    fn report(&mut self, progress: u64, number: u64) -> bool {
        let is_newer = advance(&mut self.progress_mark, number);
        if is_newer {
            self.reported = progress;
        }
        is_newer
    }
}

/// Judges an event by its limit's pointer and by the limits of its customer.
///
/// # Errors
/// [`LimitEventError::OtherCustomer`] and [`LimitEventError::TooManyLimits`].
pub fn judge(
    event: &LimitEvent,
    pointer: Option<&LimitPointer>,
    customer: &CustomerLimits,
) -> Result<Judgement, LimitEventError> {
    let Some(change) = &event.change else { return Ok(Judgement::Ignored) };
    if pointer.is_some_and(|pointer| pointer.user_id != change.user_id()) {
        return Err(LimitEventError::OtherCustomer);
    }
    let number = event.sequence_number;
    let mut pointer = pointer.cloned().unwrap_or_else(|| LimitPointer::new(change.user_id().to_owned()));
    let (definition, is_report_taken) = match change {
        Change::Created { limit, progress } => {
            let definition = advance(&mut pointer.definition_mark, number).then_some(&**limit);
            check_room(definition, customer, event.created_at)?;
            (definition, progress.is_some_and(|progress| pointer.report(progress, number)))
        }
        Change::Progressed(Progress { progress, .. }) => (None, pointer.report(*progress, number)),
    };
    if definition.is_none() && !is_report_taken {
        return Ok(Judgement::Outdated);
    }
    Ok(Judgement::Change(Box::new(LimitChange { pointer, definition: definition.cloned() })))
}

/// Refuses a new definition for which the customer has no room. The instant is the event's own, so that a repeated event
/// is refused again, also after other limits were closed.
fn check_room(
    definition: Option<&OwnLimit>,
    customer: &CustomerLimits,
    created_at: Millis,
) -> Result<(), LimitEventError> {
    let has_room = definition.is_none_or(|limit| customer.has_room_for(limit, created_at));
    if has_room { Ok(()) } else { Err(LimitEventError::TooManyLimits) }
}

/// Raises a mark to this number. Returns false if it was not below.
fn advance(mark: &mut Option<u64>, number: u64) -> bool {
    let is_newer = mark.is_none_or(|mark| number > mark);
    if is_newer {
        *mark = Some(number);
    }
    is_newer
}
