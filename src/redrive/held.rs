//! Dead letters that stay in the queue, by their groups.
//!
//! A FIFO queue returns no other message of a group while some of the group are invisible, and at most ten messages
//! in one answer. So a group with held dead letters is locked, and the queue may not have shown all of it. Once the
//! group is released, another answer may show more.

use std::collections::{BTreeMap, BTreeSet};

use crate::deciding::{RECEIVE_MAX, Receipt, Received};

/// The dead letters that stay.
#[derive(Default)]
pub struct Held {
    groups: BTreeMap<String, Group>,
}

/// Number of dead letters of a group in one answer.
#[derive(Clone, Copy, Default)]
pub struct Count {
    pub all: usize,
    /// Those that were not seen before.
    pub new: usize,
}

#[derive(Default)]
struct Group {
    /// Receipts by the dead letters' ids; `None` once returned.
    letters: BTreeMap<String, Option<Receipt>>,
    /// True when the queue may show more of the group if it is asked again.
    may_have_more: bool,
}

impl Held {
    pub fn contains(&self, letter: &Received) -> bool {
        self.groups.get(&letter.group_id).is_some_and(|group| group.letters.contains_key(&letter.message_id))
    }

    /// Returns the number of dead letters that are held or were released.
    pub fn len(&self) -> usize {
        self.groups.values().map(|group| group.letters.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns true when every dead letter is held.
    pub fn has_all(&self) -> bool {
        self.groups.values().flat_map(|group| group.letters.values()).all(Option::is_some)
    }

    pub fn hold<'a>(&mut self, letters: impl IntoIterator<Item = &'a Received>) {
        for letter in letters {
            let group = self.groups.entry(letter.group_id.clone()).or_default();
            group.letters.insert(letter.message_id.clone(), Some(letter.receipt.clone()));
        }
    }

    /// Records an answer, with the number of dead letters in each group. A full answer may have had no room for more
    /// of those groups. After any other answer, the queue has shown all that it can of them.
    pub fn note_answer(&mut self, counts: &BTreeMap<String, Count>, is_full: bool) {
        for (group_id, count) in counts {
            if let Some(group) = self.groups.get_mut(group_id) {
                let is_shown = !is_full || count.all >= RECEIVE_MAX;
                group.may_have_more = !is_shown && (group.may_have_more || count.new > 0);
            }
        }
    }

    /// Records that some dead letters of these groups have left the queue. It may now show others behind them.
    pub fn note_left<'g>(&mut self, group_ids: impl IntoIterator<Item = &'g str>) {
        for group_id in group_ids {
            if let Some(group) = self.groups.get_mut(group_id) {
                group.may_have_more = true;
            }
        }
    }

    /// Returns some of the groups of which the queue may show more, so few that one answer has room for more than
    /// their known dead letters.
    pub fn next_unfinished(&self) -> BTreeSet<String> {
        let (mut next, mut letters) = (BTreeSet::new(), 0);
        for (group_id, group) in self.groups.iter().filter(|(_, group)| group.may_have_more) {
            letters += group.letters.len();
            if letters >= RECEIVE_MAX && !next.is_empty() {
                break;
            }
            next.insert(group_id.clone());
        }
        next
    }

    /// Records that the queue shows no more of these groups.
    pub fn finish(&mut self, group_ids: &BTreeSet<String>) {
        for (_, group) in self.groups.iter_mut().filter(|(group_id, _)| group_ids.contains(*group_id)) {
            group.may_have_more = false;
        }
    }

    /// Returns the number of groups with so many staying dead letters that the queue shows none behind them.
    pub fn full_groups(&self) -> usize {
        self.groups.values().filter(|group| group.letters.len() >= RECEIVE_MAX).count()
    }

    /// Takes the receipts of some groups, so that their dead letters can be made visible again.
    pub fn release(&mut self, group_ids: &BTreeSet<String>) -> Vec<Receipt> {
        let groups = self.groups.iter_mut().filter(|(group_id, _)| group_ids.contains(*group_id));
        groups.flat_map(|(_, group)| group.letters.values_mut()).filter_map(Option::take).collect()
    }

    /// Takes all receipts.
    pub fn release_all(&mut self) -> Vec<Receipt> {
        self.groups.values_mut().flat_map(|group| group.letters.values_mut()).filter_map(Option::take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: usize, group: &str) -> Received {
        Received {
            message_id: id.to_string(),
            group_id: group.to_owned(),
            receipt: Receipt(id.to_string()),
            ..Received::default()
        }
    }

    #[test]
    fn a_group_for_which_an_answer_had_no_room_is_unfinished() {
        let mut held = Held::default();
        let counts = |counts: &[(&str, usize)]| {
            counts.iter().map(|(group, count)| ((*group).to_owned(), Count { all: *count, new: *count })).collect()
        };
        held.hold(&(0..8).map(|id| letter(id, "a")).collect::<Vec<_>>());
        held.hold(&(8..10).map(|id| letter(id, "b")).collect::<Vec<_>>());
        held.note_answer(&counts(&[("a", 8), ("b", 2)]), true);
        let unfinished = |held: &Held| held.next_unfinished().into_iter().collect::<Vec<_>>();
        assert_eq!(unfinished(&held), ["a"], "both together would fill an answer");
        held.note_answer(&counts(&[("a", 8)]), false);
        assert_eq!(unfinished(&held), ["b"]);
        held.note_answer(&counts(&[("b", 10)]), true);
        assert!(unfinished(&held).is_empty(), "it has shown the first ten");
        held.note_left(["a", "none"]);
        assert_eq!(unfinished(&held), ["a"]);
        held.finish(&BTreeSet::from(["a".to_owned()]));
        assert!(unfinished(&held).is_empty());
    }

    #[test]
    fn what_was_given_back_is_not_given_back_twice() {
        let mut held = Held::default();
        held.hold(&(0..3).map(|id| letter(id, "a")).collect::<Vec<_>>());
        held.hold([&letter(3, "b")]);
        assert_eq!(held.release(&BTreeSet::from(["a".to_owned()])).len(), 3);
        assert!(!held.has_all() && held.len() == 4);
        assert_eq!(held.release_all().len(), 1);
        assert!(held.release_all().is_empty() && held.contains(&letter(0, "a")));
    }
}
