//! Figures of one block, before its turn, and their sum over all blocks.

use std::collections::BTreeMap;

use crate::backtest::figures::{ByDay, DayFigures, EXAMPLES_MAX, Example, Flip, PerFlip, Total};
use crate::domain::{Day, Decision, LoadAttempt};
use crate::replay::ledger::{LineOutcome, PendingAttempt};

/// Figures of a block, under the base and under each candidate.
#[derive(Debug)]
pub(super) struct BlockFigures<'b> {
    pub(super) base: TableFigures<'b>,
    pub(super) candidates: Vec<TableFigures<'b>>,
}

/// Figures of a block under one table of limits.
#[derive(Debug, Default)]
pub(super) struct TableFigures<'b> {
    /// In the order of the days. Most attempts have the day of the one before, which most often is the last.
    by_day: Vec<(Day, DayFigures)>,
    /// Declined attempts by reason. There are few reasons, so that a list is faster than a map.
    by_reason: Vec<(&'b str, Total)>,
    /// The first flipped attempts, in the order of their lines.
    examples: PerFlip<Vec<BlockExample<'b>>>,
}

/// A flipped attempt of a block.
#[derive(Debug)]
struct BlockExample<'b> {
    line_in_block: u64,
    attempt: LoadAttempt<'b>,
    base: Decision<'b>,
    candidate: Decision<'b>,
}

/// Sum of the figures of all blocks.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) base: TableSum,
    pub(super) candidates: Vec<TableSum>,
}

/// Sum of the figures of all blocks under one table of limits.
#[derive(Debug, Default)]
pub(super) struct TableSum {
    pub(super) by_day: ByDay,
    pub(super) by_reason: BTreeMap<String, Total>,
    pub(super) examples: PerFlip<Vec<Example>>,
}

impl<'b> BlockFigures<'b> {
    pub(super) fn new(candidates: usize) -> BlockFigures<'b> {
        BlockFigures {
            base: TableFigures::default(),
            candidates: (0..candidates).map(|_| TableFigures::default()).collect(),
        }
    }
}

impl<'b> TableFigures<'b> {
    /// Counts an attempt that the base has decided. An ignored attempt counts for nothing.
    pub(super) fn count_base(&mut self, pending: &PendingAttempt<'b>) {
        if let Some(LineOutcome::Decided(decision)) = pending.outcome {
            self.count(pending, decision, None);
        }
    }

    /// Counts an attempt that a candidate has decided. Returns the flip, if it is one.
    pub(super) fn count_candidate(
        &mut self,
        pending: &PendingAttempt<'b>,
        base: Option<LineOutcome<'b>>,
    ) -> Option<Flip> {
        let (Some(LineOutcome::Decided(base)), Some(LineOutcome::Decided(candidate))) = (base, pending.outcome) else {
            return None;
        };
        let flip = Flip::between(base.is_accepted(), candidate.is_accepted());
        self.count(pending, candidate, flip);
        if let Some(flip) = flip {
            self.keep_example(pending, base, candidate, flip);
        }
        flip
    }

    fn count(&mut self, pending: &PendingAttempt<'b>, decision: Decision<'b>, flip: Option<Flip>) {
        let amount = pending.attempt.amount;
        if let Some(figures) = self.figures_of(pending.day()) {
            figures.count(decision.is_accepted(), flip, amount);
        }
        for code in decision.codes() {
            if let Some((_, total)) = self.by_reason.iter_mut().find(|(known, _)| *known == code) {
                total.count(amount);
            } else {
                self.by_reason.push((code, Total::of(amount)));
            }
        }
    }

    /// Returns the figures of a day.
    fn figures_of(&mut self, day: Day) -> Option<&mut DayFigures> {
        let last = self.by_day.len().checked_sub(1);
        let place = match last.filter(|last| self.by_day.get(*last).is_some_and(|(known, _)| *known == day)) {
            Some(last) => last,
            None => self.by_day.binary_search_by_key(&day, |(known, _)| *known).unwrap_or_else(|place| {
                self.by_day.insert(place, (day, DayFigures::default()));
                place
            }),
        };
        self.by_day.get_mut(place).map(|(_, figures)| figures)
    }

    /// Keeps the attempt, unless [`EXAMPLES_MAX`] attempts of earlier lines are kept. The attempts of a block come shard by
    /// shard, so that an earlier line may come later.
    fn keep_example(&mut self, pending: &PendingAttempt<'b>, base: Decision<'b>, candidate: Decision<'b>, flip: Flip) {
        let (examples, line_in_block) = (self.examples.get_mut(flip), pending.line_in_block);
        let place = examples.partition_point(|kept| kept.line_in_block < line_in_block);
        if place < EXAMPLES_MAX {
            examples.truncate(EXAMPLES_MAX - 1);
            let attempt = pending.attempt.clone();
            examples.insert(place, BlockExample { line_in_block, attempt, base, candidate });
        }
    }
}

impl Sum {
    /// Adds the figures of the next block.
    pub(super) fn add(&mut self, block: &BlockFigures<'_>, lines_before: u64) {
        self.base.add(&block.base, lines_before);
        self.candidates.resize_with(block.candidates.len(), TableSum::default);
        for (sum, figures) in self.candidates.iter_mut().zip(&block.candidates) {
            sum.add(figures, lines_before);
        }
    }
}

impl TableSum {
    fn add(&mut self, figures: &TableFigures<'_>, lines_before: u64) {
        figures.by_day.iter().for_each(|(day, figures)| self.by_day.add(*day, figures));
        for (code, total) in &figures.by_reason {
            match self.by_reason.get_mut(*code) {
                Some(known) => known.add(*total),
                None => drop(self.by_reason.insert((*code).to_owned(), *total)),
            }
        }
        for flip in Flip::ALL {
            let kept = self.examples.get_mut(flip);
            let room = EXAMPLES_MAX.saturating_sub(kept.len());
            kept.extend(figures.examples.get(flip).iter().take(room).map(|example| example.kept(lines_before)));
        }
    }
}

impl BlockExample<'_> {
    fn kept(&self, lines_before: u64) -> Example {
        let codes = |decision: Decision<'_>| decision.codes().map(str::to_owned).collect();
        Example {
            line: lines_before + self.line_in_block + 1,
            id: self.attempt.id.as_str().to_owned(),
            customer_id: self.attempt.customer_id.as_str().to_owned(),
            amount: self.attempt.amount,
            time: self.attempt.time,
            base_reasons: codes(self.base),
            candidate_reasons: codes(self.candidate),
        }
    }
}
