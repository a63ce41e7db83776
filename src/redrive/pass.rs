//! A redrive of the queue, in passes, until the queue shows nothing new.
//!
//! The first pass receives dead letters until the queue returns no more, and holds those that stay. The queue may
//! have more of some groups, because an answer had no room for them, or because earlier dead letters have left. A few
//! of these groups at a time are released, so few that one answer has room for more than their known dead letters.
//! Another pass sees the rest.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::deciding::dead_letter::OWN_ATTRIBUTES;
use crate::deciding::{
    Clock, DeadLetter, Publisher, QueueError, RECEIVE_MAX, Receipt, Received, Receiver, Sender, Store, with_sources,
};
use crate::domain::LoadError;
use crate::redrive::held::{Count, Held};
use crate::redrive::letters::{Letter, by_customer, has_own_group, judge};
use crate::redrive::perform::{Settled, decide_all};
use crate::redrive::{Mode, RECEIVE_TRIES_MAX, Redrive, RedriveError, RedriveReport, VISIBILITY, WAIT};

/// Maximum number of attributes of a message (the SQS developer guide, "Message metadata").
const ATTRIBUTES_MAX: usize = 10;

/// A redrive in progress.
pub struct Pass<'a, 'm, S, Q, C, O, I, F> {
    redrive: &'a Redrive<S, Q, C, O, I>,
    mode: Mode<'m>,
    /// Returns true while more dead letters may be received.
    may_go_on: F,
    report: RedriveReport,
    held: Held,
    /// Customers with a dead letter that could not be settled. None behind it may be settled.
    stopped: BTreeSet<String>,
    /// Groups that this redrive has made, for one dead letter each.
    made: BTreeSet<String>,
}

impl<'a, 'm, S, Q, C, O, I, F> Pass<'a, 'm, S, Q, C, O, I, F>
where
    S: Store,
    Q: Publisher,
    C: Clock,
    O: Sender,
    I: Receiver,
    F: Fn(&RedriveReport) -> bool,
{
    pub fn new(redrive: &'a Redrive<S, Q, C, O, I>, mode: Mode<'m>, may_go_on: F) -> Self {
        let (report, held) = (RedriveReport::default(), Held::default());
        Pass { redrive, mode, may_go_on, report, held, stopped: BTreeSet::new(), made: BTreeSet::new() }
    }

    /// Processes the queue until it shows nothing new, or until a limit is reached. Releases the dead letters that
    /// stay.
    pub async fn run(mut self) -> (RedriveReport, Result<(), RedriveError>) {
        let ended = self.go_through().await;
        self.report.full_groups = self.held.full_groups() as u64;
        let receipts = self.held.release_all();
        self.report.not_given_back += self.give_back(&receipts).await;
        (self.report, ended)
    }

    async fn go_through(&mut self) -> Result<(), RedriveError> {
        let mut released = BTreeSet::new();
        loop {
            let seen_before = self.report.seen;
            self.pass().await?;
            if self.is_enough() {
                return Ok(());
            }
            if self.report.seen == seen_before {
                self.held.finish(&released);
            }
            released = self.held.next_unfinished();
            if released.is_empty() {
                self.report.is_complete = true;
                return Ok(());
            }
            let receipts = self.held.release(&released);
            self.report.not_given_back += self.give_back(&receipts).await;
        }
    }

    fn is_enough(&self) -> bool {
        !(self.may_go_on)(&self.report) || self.report.seen >= self.redrive.letters_max
    }

    /// Receives until the queue returns no more, or until it has returned the held dead letters again. If a pass
    /// takes longer than their visibility time-out, the queue is never empty.
    async fn pass(&mut self) -> Result<(), RedriveError> {
        let is_first = self.held.is_empty();
        let mut again = 0;
        while !self.is_enough() {
            let left = self.redrive.letters_max - self.report.seen;
            let max = usize::try_from(left).map_or(RECEIVE_MAX, |left| left.min(RECEIVE_MAX));
            let received = self.receive(max).await.map_err(RedriveError::Receive)?;
            if received.is_empty() {
                return Ok(());
            }
            let is_full = received.len() >= max;
            let is_new = self.take(received, is_full).await?;
            again = if is_new.new > 0 { 0 } else { again + is_new.known };
            let is_all_held = !is_first && !is_full && self.held.has_all();
            if is_all_held || again > 0 && again >= self.held.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn receive(&self, max: usize) -> Result<Vec<Received>, QueueError> {
        let mut tries = 1;
        loop {
            match self.redrive.letters.receive(max, WAIT, Some(VISIBILITY)).await {
                Err(error) if tries == RECEIVE_TRIES_MAX => return Err(error),
                Err(_) => tries += 1,
                Ok(received) => return Ok(received),
            }
        }
    }

    /// Processes one answer of the queue.
    async fn take(&mut self, received: Vec<Received>, is_full: bool) -> Result<Taken, RedriveError> {
        let is_known = |letter: &Received| self.held.contains(letter) || self.made.contains(&letter.group_id);
        let mut counts = BTreeMap::<String, Count>::new();
        for letter in received.iter().filter(|letter| !has_own_group(letter)) {
            let count = counts.entry(letter.group_id.clone()).or_default();
            count.all += 1;
            count.new += usize::from(!is_known(letter));
        }
        let (known, new): (Vec<_>, Vec<_>) = received.into_iter().partition(is_known);
        let taken = Taken { known: known.len(), new: new.len() };
        self.held.hold(&known);
        self.report.seen += new.len() as u64;
        let treated = self.treat(new).await;
        self.held.note_answer(&counts, is_full);
        self.held.note_left(treated.left.iter().map(String::as_str));
        treated.ended.map(|()| taken)
    }

    /// Determines the actions of dead letters and performs them, customers in parallel, and each customer's dead
    /// letters in order.
    async fn treat(&mut self, received: Vec<Received>) -> Treated {
        let letters = match judge(&self.redrive.redriver, &received).await {
            Ok(contents) => received.into_iter().zip(contents).map(Letter::new).collect::<Vec<_>>(),
            Err(error) => {
                self.held.hold(&received);
                return Treated { left: vec![], ended: Err(RedriveError::Read(error)) };
            }
        };
        for letter in &letters {
            self.report.note(letter);
        }
        if matches!(self.mode, Mode::List) {
            self.held.hold(letters.iter().map(|letter| &letter.received));
            return Treated { left: vec![], ended: Ok(()) };
        }
        let (invalid, valid): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| letter.invalid().is_some());
        let mut treated = self.put_away(&invalid).await;
        treated.left.extend(self.settle(valid).await);
        treated
    }

    /// Settles valid dead letters. Returns the groups of those that have left the queue.
    async fn settle(&mut self, letters: Vec<Letter>) -> Vec<String> {
        let (wait, go): (Vec<_>, Vec<_>) =
            by_customer(letters).into_iter().partition(|(customer, _)| self.stopped.contains(customer));
        self.held.hold(wait.iter().flat_map(|(_, letters)| letters).map(|letter| &letter.received));
        let redrive = self.redrive;
        let each = go.into_iter().map(|(customer, letters)| decide_all(redrive, customer, letters));
        let mut left = Vec::new();
        for Settled { customer, done, failure, staying } in join_all(each).await {
            self.report.done += done.len() as u64;
            left.extend(done.into_iter().map(|letter| letter.group_id));
            if let Some(what) = failure {
                self.report.fail(what);
                self.stopped.insert(customer);
            }
            self.held.hold(&staying);
        }
        left
    }

    /// Moves invalid dead letters to the archive, or to groups of their own, where they delay no other.
    async fn put_away(&mut self, invalid: &[Letter]) -> Treated {
        let invalid: Vec<(&Received, &LoadError)> = invalid.iter().filter_map(Letter::invalid).collect();
        match &mut self.mode {
            Mode::Go(Some(archive)) if !invalid.is_empty() => {
                if let Err(error) = archive.keep(&invalid) {
                    self.held.hold(invalid.iter().map(|(letter, _)| *letter));
                    return Treated { left: vec![], ended: Err(RedriveError::Archive(error)) };
                }
                let letters: Vec<&Received> = invalid.into_iter().map(|(letter, _)| letter).collect();
                let left = self.delete(&letters, "kept").await;
                self.report.done += left.len() as u64;
                self.report.archived += left.len() as u64;
                Treated { left, ended: Ok(()) }
            }
            _ => Treated { left: self.regroup(invalid).await, ended: Ok(()) },
        }
    }

    /// Sends invalid dead letters again, each in a group of its own, and deletes the originals. They have no order to
    /// keep.
    async fn regroup(&mut self, invalid: Vec<(&Received, &LoadError)>) -> Vec<String> {
        let is_movable =
            |letter: &Received| !has_own_group(letter) && letter.attributes.len() + OWN_ATTRIBUTES <= ATTRIBUTES_MAX;
        let (movable, fixed): (Vec<_>, Vec<_>) = invalid.into_iter().partition(|(letter, _)| is_movable(letter));
        self.held.hold(fixed.iter().map(|(letter, _)| *letter));
        let publisher = &self.redrive.redriver.publisher;
        let sent = join_all(
            movable.iter().map(|(letter, error)| async { publisher.dead_letter(&regrouped(letter, error)).await }),
        );
        let mut moved = Vec::new();
        for ((letter, _), sent) in movable.iter().zip(sent.await) {
            match sent {
                Ok(()) => {
                    self.made.insert(letter.message_id.clone());
                    moved.push(*letter);
                }
                Err(error) => {
                    let what = format!("{}: not given a group of its own: {}", letter.message_id, with_sources(&error));
                    self.report.fail(what);
                    self.held.hold([*letter]);
                }
            }
        }
        let left = self.delete(&moved, "sent again in a group of its own").await;
        self.report.regrouped += left.len() as u64;
        left
    }

    /// Deletes dead letters. Returns the groups of those that were deleted.
    async fn delete(&mut self, letters: &[&Received], done: &str) -> Vec<String> {
        let receipts: Vec<Receipt> = letters.iter().map(|letter| letter.receipt.clone()).collect();
        let mut left = Vec::new();
        for (letter, answer) in letters.iter().zip(self.redrive.letters.delete(&receipts).await) {
            match answer {
                Ok(()) => left.push(letter.group_id.clone()),
                Err(error) => {
                    self.report.fail(format!(
                        "{}: {done}, but not deleted: {}",
                        letter.message_id,
                        with_sources(&error)
                    ));
                    self.held.hold([*letter]);
                }
            }
        }
        left
    }

    /// Makes dead letters visible again. Returns the number of failures. Those become visible when their visibility
    /// time-out ends.
    async fn give_back(&self, receipts: &[Receipt]) -> u64 {
        let answers = self.redrive.letters.set_visibility(receipts, std::time::Duration::ZERO).await;
        answers.iter().filter(|answer| answer.is_err()).count() as u64
    }
}

/// Numbers of known and new dead letters in one answer.
struct Taken {
    known: usize,
    new: usize,
}

/// Result of processing some dead letters.
struct Treated {
    /// The groups of those that have left the queue or their group.
    left: Vec<String>,
    ended: Result<(), RedriveError>,
}

/// Returns the dead letter as it is sent again: unabridged, with its error.
fn regrouped(letter: &Received, error: &LoadError) -> DeadLetter {
    DeadLetter {
        message_id: letter.message_id.clone(),
        group_id: letter.group_id.clone(),
        body: letter.body.clone(),
        kept: letter.attributes.clone(),
        error: *error,
    }
}
