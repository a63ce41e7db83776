//! The same file through a store: block after block, customers in parallel, each in its own order.
//!
//! The run's name and the line number stand for the message id. So a line that has been decided in this run, in whatever
//! attempt at it, is a redelivery, and its stored decision is written again; an event that another run or another line
//! brought is a duplicate.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::line::{Line, read_lines};
use super::outlet::{Outlet, Settled};
use super::source::{Piece, Source};
use super::{ReplayError, Report};
use crate::app::deciding::{Carrier, Decider, Delivery, Group, Outcome, Troubled};
use crate::app::ledger;
use crate::app::{Cause, Clock, Store, StoreError};
use crate::domain::{LoadAttempt, LoadError};
use crate::wire::{Reasons, read_attempt, write_decision};

/// How much of the input is decided at once, in bytes: enough that customers' attempts share commits and customers go in
/// parallel, little enough that progress is seen every few seconds.
const BLOCK_BYTES: usize = 256 * 1024;

/// How a stream is to be replayed through a store.
#[derive(Debug)]
pub struct StoreReplay<S, C> {
    /// What decides.
    pub decider: Arc<Decider<S, C>>,
    /// The run's name.
    pub run: String,
    /// Whether each decision names its reasons.
    pub reasons: Reasons,
    /// How many customers are decided at once.
    pub customers_max: NonZeroUsize,
}

/// What became of each valid line, by its number.
type Outcomes = BTreeMap<u64, (Delivery, Outcome)>;

/// What became of a customer's lines, or why nothing did.
type Answer = Result<Vec<(Delivery, Outcome)>, Box<Troubled>>;

impl<S: Store + 'static, C: Clock + 'static> StoreReplay<S, C> {
    /// Decides every line of `input` and hands everything to `outlet`, in the input's order.
    ///
    /// # Errors
    /// [`ReplayError`] when the input cannot be read on, the store does not decide, or an output cannot be written.
    pub async fn run<R: Read>(&self, input: R, mut outlet: Outlet<'_>) -> Result<Report, ReplayError> {
        let (mut source, mut block, mut lines_before) = (Source::reading(input, BLOCK_BYTES), Vec::new(), 0);
        while let Some((_, piece)) = source.take(&mut block) {
            let settled = match piece {
                Piece::Lines => self.settle_block(&block, &mut lines_before, &mut outlet).await,
                Piece::Overlong { begins, ends } => {
                    lines_before += u64::from(ends);
                    outlet.settle_overlong(&block, begins, ends)
                }
                Piece::Failed(error) => outlet.fail_to_read(error),
            };
            if let Err(failure) = settled {
                outlet.stop(failure);
                break;
            }
        }
        outlet.finish()
    }

    async fn settle_block(
        &self,
        block: &[u8],
        lines_before: &mut u64,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), ReplayError> {
        let (lines, line_count) = read_lines(block, |raw, line| self.read(raw, *lines_before + line + 1));
        *lines_before += line_count;
        let mut groups = BTreeMap::<String, Group>::new();
        let mut take = |delivery: Delivery| {
            let place = delivery.place;
            groups.entry(delivery.customer_id().to_owned()).or_default().deliveries.push(delivery);
            place
        };
        let lines: Vec<Line<'_, u64>> = lines.into_iter().map(|line| line.map(&mut take)).collect();
        let (outcomes, failure) = self.decide(groups.into_values()).await;
        let settled = self.render(&lines, line_count, &outcomes)?;
        match failure {
            // Nothing of the block is written: the same run again finds what has been decided of it.
            Some(Troubled { group, error }) => {
                let line = group.deliveries.first().map_or(*lines_before, |delivery| delivery.place);
                Err(ReplayError::Store { line, source: error })
            }
            None => outlet.settle(&settled),
        }
    }

    fn read(&self, raw: &[u8], line: u64) -> Result<Delivery, LoadError> {
        let written = read_attempt(raw)?;
        let attempt = LoadAttempt::check(written.clone())?;
        let carrier = Carrier { message_id: format!("{}:{line}", self.run), ..Carrier::default() };
        Ok(Delivery::new(line, carrier, &written, attempt))
    }

    /// Decides groups, so many at once. After the first failure no further one is begun.
    async fn decide(&self, groups: impl Iterator<Item = Group>) -> (Outcomes, Option<Troubled>) {
        let (mut outcomes, mut failure, mut tasks) = (Outcomes::new(), None, JoinSet::new());
        let mut settle = |answer: Result<Answer, JoinError>| match answer {
            Ok(Ok(settled)) => {
                outcomes.extend(settled.into_iter().map(|settled| (settled.0.place, settled)));
                None
            }
            Ok(Err(troubled)) => Some(*troubled),
            Err(error) => Some(broken(error)),
        };
        for group in groups {
            if tasks.len() >= self.customers_max.get() {
                failure = tasks.join_next().await.and_then(&mut settle);
            }
            if failure.is_some() {
                break;
            }
            let decider = Arc::clone(&self.decider);
            tasks.spawn(async move { decider.settle_all(group).await });
        }
        while let Some(answer) = tasks.join_next().await {
            failure = settle(answer).or(failure);
        }
        (outcomes, failure)
    }

    fn render<'b>(
        &self,
        lines: &'b [Line<'b, u64>],
        line_count: u64,
        outcomes: &Outcomes,
    ) -> Result<Settled<'b>, ReplayError> {
        let mut settled = Settled { line_count, ..Settled::default() };
        for line in lines {
            match line {
                Line::Valid(place) => {
                    if let Some((delivery, outcome)) = outcomes.get(place) {
                        self.write(&mut settled, delivery, outcome)?;
                    }
                }
                Line::Invalid(invalid) => {
                    settled.tally.count_invalid();
                    settled.invalid.push(invalid);
                }
            }
        }
        Ok(settled)
    }

    fn write(&self, settled: &mut Settled<'_>, delivery: &Delivery, outcome: &Outcome) -> Result<(), ReplayError> {
        let record = match outcome {
            Outcome::Decided(record) | Outcome::Redelivered { record, is_same_message: true } => record,
            // One that another door has not published yet: it is not this door's to publish.
            Outcome::Redelivered { is_same_message: false, .. } | Outcome::Ignored { .. } => {
                settled.tally.count(ledger::Outcome::Ignored);
                return Ok(());
            }
        };
        if record.fingerprint != delivery.fingerprint() {
            return Err(ReplayError::InputChanged { line: delivery.place });
        }
        let decision = &record.decision;
        settled.tally.count(ledger::Outcome::Decided(decision.decision(&self.decider.limits)));
        let reasons = self.reasons.named(decision.reasons.iter().map(String::as_str));
        let (id, customer_id) = (&decision.key.event_id, &decision.key.customer_id);
        write_decision(&mut settled.decisions, id, customer_id, decision.accepted, reasons);
        Ok(())
    }
}

/// A task that came to no end, because of an error in this program: of which line, it cannot say.
fn broken(error: JoinError) -> Troubled {
    let cause = Cause::with("deciding broke off: an error in this program, please report it", error);
    Troubled { group: Group::default(), error: StoreError::Unavailable(cause) }
}
