//! The replay of a file through a store: customers in parallel, each in its own order.
//!
//! The run's name and the line number form the message id. So a line that this run has decided, even in an earlier,
//! interrupted execution, is a redelivery, and its stored decision is written again. An event that another run or
//! another line brought is a duplicate.
//!
//! Blocks overlap: while the last customers of one block are being decided, the next block's are read. A block is
//! written when all of it is decided and the blocks before it are written.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::deciding::{Clock, Decider, Delivery, Group, GroupResult, Outcome, Run, Store, Undecided};
use crate::replay::flow::Flow;
use crate::replay::line::{Invalid, Lines};
use crate::replay::output::{RenderedBlock, ReplayOutput};
use crate::replay::verify::{Verified, Verifier};
use crate::replay::{Manifest, ReplayError, ReplayReport};
use crate::wire::{DecisionHead, Explanation, Reasons, write_decision};

/// Maximum number of blocks in progress: the one that is written next, one behind it, so that there is always
/// something to decide, and one more for when a customer delays the first one.
const BLOCKS_MAX: usize = 3;

/// Settings of a replay through a store.
#[derive(Debug)]
pub struct StoreReplay<S, C> {
    /// Decides the lines.
    pub decider: Arc<Decider<S, C>>,
    /// The run's name.
    pub run: String,
    /// Includes or omits the reasons of each decision.
    pub reasons: Reasons,
    /// Maximum number of customers that are decided at once.
    pub customers_max: NonZeroUsize,
}

/// Results of valid lines, by their numbers.
type Outcomes = BTreeMap<u64, (Delivery, Outcome)>;

/// A part of the input in progress.
enum Open {
    Lines(OpenBlock),
    Overlong { part: Vec<u8>, begins: bool, ends: bool },
    Failed(io::Error),
}

/// Lines in progress.
#[derive(Default)]
struct OpenBlock {
    /// Number of its customers that are not decided yet.
    groups_left: usize,
    outcomes: Outcomes,
    invalid: Vec<Invalid<'static>>,
    line_count: u64,
}

/// State of a replay through a store.
struct StoreRun<'r, 'o, S, C> {
    replay: &'r StoreReplay<S, C>,
    output: &'r mut ReplayOutput<'o>,
    /// The run under which new decisions are logged; `None` if they are not.
    log_run: Option<Run>,
    flow: Flow<S, C>,
    /// Parts of the input in progress, in the input's order.
    open: VecDeque<Open>,
    /// The number of the first of them.
    blocks_before: u64,
    lines_before: u64,
    /// The first line that could not be decided.
    failure: Option<ReplayError>,
}

impl<S: Store + Manifest + 'static, C: Clock + 'static> StoreReplay<S, C> {
    /// Decides every line of `input`, and writes the results to `output`, in the input's order.
    ///
    /// # Errors
    /// [`ReplayError`] when the input cannot be read further, a line cannot be decided, or an output cannot be
    /// written.
    pub async fn run<R: Read + Send + 'static>(
        &self,
        input: R,
        mut output: ReplayOutput<'_>,
    ) -> Result<ReplayReport, ReplayError> {
        let flow = Flow::new(Arc::clone(&self.decider), self.customers_max.get());
        let log_run = self.decider.new_run();
        let run_id = log_run.as_ref().map(|run| run.id.clone());
        let run = StoreRun {
            replay: self,
            output: &mut output,
            log_run,
            flow,
            open: VecDeque::new(),
            blocks_before: 0,
            lines_before: 0,
            failure: None,
        };
        if let Err(failure) = run.finish(input).await {
            output.stop(failure);
        }
        Ok(ReplayReport { run_id, ..output.finish()? })
    }

    fn render<'b>(&self, block: &'b OpenBlock) -> Result<RenderedBlock<'b>, ReplayError> {
        let mut rendered = RenderedBlock { line_count: block.line_count, ..RenderedBlock::default() };
        for (delivery, outcome) in block.outcomes.values() {
            self.write(&mut rendered, delivery, outcome)?;
        }
        for invalid in &block.invalid {
            rendered.tally.count_invalid();
            rendered.invalid.push(invalid);
        }
        Ok(rendered)
    }

    fn write(
        &self,
        rendered: &mut RenderedBlock<'_>,
        delivery: &Delivery,
        outcome: &Outcome,
    ) -> Result<(), ReplayError> {
        let record = match outcome {
            Outcome::Decided(record) | Outcome::Redelivered { record, is_same_message: true } => record,
            // A pending decision of another program is left to that program to publish.
            Outcome::Redelivered { is_same_message: false, .. } | Outcome::Ignored { .. } => {
                rendered.tally.ignored += 1;
                return Ok(());
            }
        };
        if record.fingerprint != delivery.fingerprint() {
            let line = delivery.index;
            return Err(ReplayError::InputChanged { first_line: line, last_line: line });
        }
        let decision = &record.decision;
        rendered.tally.count_decided(decision.verdict.is_accepted(), decision.verdict.reasons());
        rendered.tally.count_shadow(decision.shadow.broken.iter().map(String::as_str));
        let explanation = self.reasons.named(Explanation {
            reasons: decision.verdict.reasons().iter().map(String::as_str),
            shadow: decision.shadow.broken.iter().map(String::as_str),
            unjudged: decision.shadow.unjudged.iter().map(String::as_str),
        });
        let head = DecisionHead::Ids { id: &decision.key.event_id, customer_id: &decision.key.customer_id };
        write_decision(&mut rendered.decisions, head, decision.verdict.is_accepted(), explanation);
        Ok(())
    }
}

impl<S: Store + Manifest + 'static, C: Clock + 'static> StoreRun<'_, '_, S, C> {
    async fn finish<R: Read + Send + 'static>(mut self, input: R) -> Result<(), ReplayError> {
        let (decider, run) = (Arc::clone(&self.replay.decider), self.replay.run.clone());
        let mut parts =
            Verifier::start(decider, run, input).map_err(|source| ReplayError::Read { lines: 0, source })?;
        let mut is_at_end = false;
        while !(is_at_end && self.flow.is_empty()) {
            tokio::select! {
                part = parts.recv(), if !is_at_end && self.open.len() < BLOCKS_MAX => match part {
                    Some(Ok(Some(part))) => self.open(part),
                    Some(Ok(None)) => is_at_end = true,
                    // The lines before the failure are still decided and written.
                    Some(Err(failure)) => self.failure = Some(failure),
                    None => {
                        self.open.push_back(Open::Failed(io::Error::other("reading broke off")));
                        is_at_end = true;
                    }
                },
                Some((block, answer)) = self.flow.next() => self.note(block, answer),
                else => break,
            }
            is_at_end |= self.failure.is_some();
            self.write()?;
        }
        self.failure.map_or(Ok(()), Err)
    }

    /// Begins the next part of the input.
    fn open(&mut self, part: Verified) {
        let open = match part {
            Verified::Lines(lines) => Open::Lines(self.begin(lines)),
            Verified::Overlong { part, begins, ends } => {
                self.lines_before += u64::from(ends);
                Open::Overlong { part, begins, ends }
            }
            Verified::Failed(error) => Open::Failed(error),
        };
        self.open.push_back(open);
    }

    /// Begins the groups of a block's customers.
    fn begin(&mut self, Lines { attempts, invalid, count }: Lines<'static, Delivery>) -> OpenBlock {
        self.lines_before += count;
        let mut block = OpenBlock { line_count: count, invalid, ..OpenBlock::default() };
        let mut groups = BTreeMap::<String, Group>::new();
        for delivery in attempts {
            let group = || Group { run: self.log_run.clone(), ..Group::default() };
            groups.entry(delivery.customer_id().to_owned()).or_insert_with(group).deliveries.push(delivery);
        }
        block.groups_left = groups.len();
        self.flow.take(self.blocks_before + self.open.len() as u64, groups);
        block
    }

    /// Stores the outcomes of a customer's lines. After the first failure, nothing more is begun.
    fn note(&mut self, block: Option<u64>, answer: GroupResult) {
        let place = block.and_then(|block| usize::try_from(block.checked_sub(self.blocks_before)?).ok());
        match (answer, place.and_then(|place| self.open.get_mut(place))) {
            (Ok(rendered), Some(Open::Lines(block))) => {
                block.groups_left -= 1;
                block.outcomes.extend(rendered.into_iter().map(|rendered| (rendered.0.index, rendered)));
            }
            (Ok(_), _) => {}
            (Err(unsettled), _) => self.fail(*unsettled),
        }
    }

    fn fail(&mut self, Undecided { deliveries, reason, .. }: Undecided) {
        self.flow.stop();
        let line = deliveries.first().map_or(self.lines_before, |delivery| delivery.index);
        let is_first = !matches!(self.failure, Some(ReplayError::Store { line: other, .. }) if other <= line);
        if is_first {
            self.failure = Some(ReplayError::Store { line, source: reason });
        }
    }

    /// Writes completed blocks, in the input's order. A block with a failure is not written at all. When the same run
    /// is repeated, it finds the decisions that were made.
    fn write(&mut self) -> Result<(), ReplayError> {
        while let Some(open) = self.open.pop_front_if(|open| open.is_whole()) {
            self.blocks_before += 1;
            match open {
                Open::Lines(block) => self.output.write_block(&self.replay.render(&block)?)?,
                Open::Overlong { part, begins, ends } => self.output.write_overlong(&part, begins, ends)?,
                Open::Failed(error) => self.output.fail_to_read(error)?,
            }
        }
        Ok(())
    }
}

impl Open {
    const fn is_whole(&self) -> bool {
        match self {
            Open::Lines(block) => block.groups_left == 0,
            Open::Overlong { .. } | Open::Failed(_) => true,
        }
    }
}
