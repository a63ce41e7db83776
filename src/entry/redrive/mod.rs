//! The operator's door: a dead-letter queue is looked through, or emptied, letter by letter.
//!
//! A FIFO queue gives out no more of a group while some of it are invisible. So the letters that stay are held back until
//! the queue has nothing else to give; then they are given back, and if some of their customers' letters went away, another
//! pass sees those behind them.

mod letters;
mod report;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use crate::app::redrive::Redriver;
use crate::app::{
    Clock, Inbox, Outbox, QueueError, Queues, RECEIVE_MAX, Receipt, Received, Store, StoreError, with_sources,
};
use crate::domain::LoadError;
use letters::{Letter, by_customer, judge};
pub use report::{Cause, Letters, Report};
use settle::{Settled, settle_all};

/// How long to wait for a further letter before the queue counts as empty.
const WAIT: Duration = Duration::from_secs(2);

/// How long a letter is invisible to others. Should this program die, it comes back after that.
const VISIBILITY: Duration = Duration::from_mins(5);

/// How often an answer of the queue is waited for that does not come.
const TRIES_MAX: u32 = 3;

/// Where invalid letters are kept that leave the queue.
pub trait Archive: Send {
    /// Keeps letters, so that they are there even when the machine stops right after.
    ///
    /// # Errors
    /// Those of the medium. Then the letters stay in the queue.
    fn keep(&mut self, letters: &[(&Received, &LoadError)]) -> std::io::Result<()>;
}

/// What to do with the letters.
#[allow(missing_debug_implementations)]
pub enum Mode<'a> {
    /// Nothing: only say what would be done.
    Look,
    /// What has to be done; invalid ones go into the archive, or stay if there is none.
    Go(Option<&'a mut dyn Archive>),
}

/// Looks through a dead-letter queue, or empties it.
#[derive(Clone, Debug)]
pub struct Redrive<S, Q, C, O, I> {
    /// What settles letters.
    pub redriver: Redriver<S, Q, C, O>,
    /// The dead-letter queue.
    pub letters: I,
    /// The most letters that are looked at.
    pub letters_max: u64,
}

/// Why looking through a dead-letter queue has ended early. What has been done until then is done, and in the report.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// Letters cannot be received.
    #[error("could not receive letters")]
    Receive(#[source] QueueError),
    /// The store cannot be read.
    #[error("could not read the store")]
    Read(#[source] StoreError),
    /// Invalid letters cannot be kept.
    #[error("could not keep invalid letters, which stay in the queue")]
    Archive(#[source] std::io::Error),
}

/// A look through the queue under way.
struct Look<'a, 'm, S, Q, C, O, I> {
    redrive: &'a Redrive<S, Q, C, O, I>,
    mode: Mode<'m>,
    report: Report,
    /// The letters that have stayed, by their ids.
    staying: BTreeMap<String, Staying>,
    /// Customers of whom a letter could not be settled: none behind it may be.
    stopped: BTreeSet<String>,
}

/// A letter that stays.
struct Staying {
    group_id: String,
    /// What gives it back. None when it has been.
    receipt: Option<Receipt>,
}

impl<S: Store, Q: Queues, C: Clock, O: Outbox, I: Inbox> Redrive<S, Q, C, O, I> {
    /// Goes through the queue until nothing is left to do, or as many letters were seen as may be. `may_go_on` is asked before
    /// more are received, with what was done so far.
    ///
    /// # Errors
    /// [`RedriveError`], with what was done until then.
    pub async fn run(&self, mode: Mode<'_>, may_go_on: impl Fn(&Report) -> bool) -> (Report, Result<(), RedriveError>) {
        let (staying, stopped) = (BTreeMap::new(), BTreeSet::new());
        let mut look = Look { redrive: self, mode, report: Report::default(), staying, stopped };
        let ended = loop {
            let done_before = look.report.done;
            let passed = look.pass(&may_go_on).await;
            look.give_back().await;
            // What has stayed may have hidden what stands behind it.
            let is_worthwhile =
                look.report.done > done_before && !look.staying.is_empty() && !look.is_enough(&may_go_on);
            if passed.is_err() || !is_worthwhile {
                break passed;
            }
        };
        look.report.is_through &= !look.hides_some();
        (look.report, ended)
    }
}

impl<S: Store, Q: Queues, C: Clock, O: Outbox, I: Inbox> Look<'_, '_, S, Q, C, O, I> {
    /// Goes through the queue once, until it gives out nothing any more, or all that stays once more and nothing else: when
    /// that takes longer than its visibility time-out, the queue is never empty.
    async fn pass(&mut self, may_go_on: &impl Fn(&Report) -> bool) -> Result<(), RedriveError> {
        self.report.is_through = false;
        let mut again = 0;
        while !self.is_enough(may_go_on) {
            let left = self.redrive.letters_max - self.report.seen;
            let max = usize::try_from(left).map_or(RECEIVE_MAX, |left| left.min(RECEIVE_MAX));
            let received = self.receive(max).await.map_err(RedriveError::Receive)?;
            if received.is_empty() {
                self.report.is_through = true;
                return Ok(());
            }
            let (known, new): (Vec<_>, Vec<_>) =
                received.into_iter().partition(|letter| self.staying.contains_key(&letter.message_id));
            self.stay(&known);
            again = if new.is_empty() { again + known.len() } else { 0 };
            if again > 0 && again >= self.staying.len() {
                self.report.is_through = true;
                return Ok(());
            }
            self.report.seen += new.len() as u64;
            self.treat(new).await?;
        }
        Ok(())
    }

    /// Whether a customer has so many letters that stay that the queue may have shown no others of them.
    fn hides_some(&self) -> bool {
        let mut counts = BTreeMap::<&str, usize>::new();
        for letter in self.staying.values() {
            *counts.entry(&letter.group_id).or_default() += 1;
        }
        counts.values().any(|count| *count >= RECEIVE_MAX)
    }

    fn is_enough(&self, may_go_on: &impl Fn(&Report) -> bool) -> bool {
        !may_go_on(&self.report) || self.report.seen >= self.redrive.letters_max
    }

    async fn receive(&self, max: usize) -> Result<Vec<Received>, QueueError> {
        let mut tries = 1;
        loop {
            match self.redrive.letters.receive(max, WAIT, Some(VISIBILITY)).await {
                Err(error) if tries == TRIES_MAX => return Err(error),
                Err(_) => tries += 1,
                Ok(received) => return Ok(received),
            }
        }
    }

    /// Finds out what is to become of letters, and does it: customers in parallel, each one's letters in order.
    async fn treat(&mut self, received: Vec<Received>) -> Result<(), RedriveError> {
        let letters = match judge(&self.redrive.redriver, &received).await {
            Ok(contents) => received.into_iter().zip(contents).map(Letter::new).collect::<Vec<_>>(),
            Err(error) => {
                self.stay(&received);
                return Err(RedriveError::Read(error));
            }
        };
        for letter in &letters {
            self.report.note(letter);
        }
        if matches!(self.mode, Mode::Look) {
            self.stay(letters.iter().map(|letter| &letter.received));
            return Ok(());
        }
        let (invalid, valid): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| letter.invalid().is_some());
        let ended = self.put_away(&invalid).await;
        let (wait, go): (Vec<_>, Vec<_>) =
            by_customer(valid).into_iter().partition(|(customer, _)| self.stopped.contains(customer));
        for (_, letters) in &wait {
            self.stay(letters.iter().map(|letter| &letter.received));
        }
        let redrive = self.redrive;
        let each = go.into_iter().map(|(customer, letters)| settle_all(redrive, customer, letters));
        for settled in join_all(each).await {
            self.note(settled);
        }
        ended
    }

    /// Keeps invalid letters, and takes them out of the queue. Without an archive they stay.
    async fn put_away(&mut self, invalid: &[Letter]) -> Result<(), RedriveError> {
        let invalid: Vec<(&Received, &LoadError)> = invalid.iter().filter_map(Letter::invalid).collect();
        let archive = match &mut self.mode {
            Mode::Go(Some(archive)) if !invalid.is_empty() => archive,
            _ => {
                self.stay(invalid.into_iter().map(|(letter, _)| letter));
                return Ok(());
            }
        };
        if let Err(error) = archive.keep(&invalid) {
            self.stay(invalid.into_iter().map(|(letter, _)| letter));
            return Err(RedriveError::Archive(error));
        }
        let receipts: Vec<Receipt> = invalid.iter().map(|(letter, _)| letter.receipt.clone()).collect();
        for ((letter, _), answer) in invalid.into_iter().zip(self.redrive.letters.delete(&receipts).await) {
            match answer {
                Ok(()) => {
                    self.report.done += 1;
                    self.report.archived += 1;
                }
                Err(error) => {
                    let what = format!("{}: kept, but not deleted: {}", letter.message_id, with_sources(&error));
                    self.report.fail(what);
                    self.stay([letter]);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, settled: Settled) {
        self.report.done += settled.done;
        if let Some(what) = settled.failure {
            self.report.fail(what);
            self.stopped.insert(settled.customer);
        }
        self.stay(&settled.left);
    }

    fn stay<'l>(&mut self, letters: impl IntoIterator<Item = &'l Received>) {
        for letter in letters {
            let (group_id, receipt) = (letter.group_id.clone(), Some(letter.receipt.clone()));
            self.staying.insert(letter.message_id.clone(), Staying { group_id, receipt });
        }
    }

    /// Gives back what stays. Where that fails, it comes back by itself when its visibility time-out has run out.
    async fn give_back(&mut self) {
        let receipts: Vec<Receipt> = self.staying.values_mut().filter_map(|letter| letter.receipt.take()).collect();
        let answers = self.redrive.letters.set_visibility(&receipts, Duration::ZERO).await;
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        if failed > 0 {
            self.report.not_given_back = failed as u64;
        }
    }
}
