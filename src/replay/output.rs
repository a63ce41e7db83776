//! Output of a replay: decisions, rejects and counts, block after block.

use std::fmt;
use std::io::{self, Write};

use crate::domain::{Decision, LoadError, ShadowJudgement};
use crate::replay::ledger::LineOutcome;
use crate::replay::line::{Invalid, Lines};
use crate::replay::{ReplayError, ReplayReport, Tally};
use crate::wire::{DecisionHead, Explanation, Reasons, RejectWriter, write_decision};

/// Destination of a replay's decisions, rejects and progress.
pub struct ReplayOutput<'o> {
    /// Receives the decisions, a block at a time.
    decisions: Box<dyn Write + Send + 'o>,
    rejects: Option<RejectWriter<Box<dyn Write + Send + 'o>>>,
    observer: Box<dyn ReplayObserver + Send + 'o>,
    /// Settled lines of the input, including blank ones.
    lines: u64,
    tally: Tally,
    /// The reason why the replay was stopped early.
    failure: Option<ReplayError>,
}

/// Receives replay progress.
pub trait ReplayObserver {
    /// Reports that a line of the input is invalid. Lines count from 1.
    fn invalid(&mut self, line: u64, error: &LoadError);

    /// Reports that a block has been settled. `tally` counts everything up to now.
    fn progressed(&mut self, tally: &Tally);
}

/// A decided block, rendered before its turn to be written.
#[derive(Debug, Default)]
pub(super) struct RenderedBlock<'b> {
    pub(super) decisions: Vec<u8>,
    pub(super) invalid: Vec<&'b Invalid<'b>>,
    /// Number of lines, including blank ones.
    pub(super) line_count: u64,
    pub(super) tally: Tally,
}

impl<'b> RenderedBlock<'b> {
    /// Counts the decisions of a block of so many bytes, and renders them, with these reasons, unless there are none.
    pub(super) fn new(lines: &'b Lines<'b>, block_bytes: usize, reasons: Option<Reasons>) -> RenderedBlock<'b> {
        let mut rendered = RenderedBlock { line_count: lines.count, ..RenderedBlock::default() };
        let mut declines = Declines::default();
        // Usually a decision is shorter than its attempt.
        rendered.decisions.reserve(reasons.map_or(0, |_| block_bytes));
        for pending in &lines.attempts {
            let (Some(outcome), shadow) = (pending.outcome, pending.shadow) else { continue };
            let LineOutcome::Decided(decision) = outcome else {
                rendered.tally.ignored += 1;
                continue;
            };
            match decision {
                Decision::Accepted => rendered.tally.accepted += 1,
                Decision::Declined(broken) => {
                    rendered.tally.declined += 1;
                    broken.codes().for_each(|code| declines.count(code));
                }
            }
            if let Some(shadow) = shadow {
                rendered.tally.count_shadow(shadow.broken());
            }
            if let Some(reasons) = reasons {
                rendered.write(pending.head(), decision, shadow, reasons);
            }
        }
        for (code, count) in declines.0 {
            rendered.tally.count_code(code, count);
        }
        assert_eq!(rendered.tally.attempts(), lines.attempts.len() as u64, "every attempt comes to something");
        for invalid in &lines.invalid {
            rendered.tally.count_invalid();
            rendered.invalid.push(invalid);
        }
        rendered
    }

    fn write(
        &mut self,
        head: DecisionHead<'_>,
        decision: Decision<'_>,
        shadow: Option<ShadowJudgement<'_>>,
        reasons: Reasons,
    ) {
        let explanation = Explanation {
            reasons: decision.codes(),
            shadow: shadow.into_iter().flat_map(ShadowJudgement::broken),
            // A replay in memory knows all loads.
            unjudged: std::iter::empty(),
        };
        let explanation = reasons.named(explanation);
        write_decision(&mut self.decisions, head, decision.is_accepted(), explanation);
    }
}

/// Declined attempts of a block by the code of a limit. Codes are compared by their places in memory, which is faster than by
/// their letters; there are few.
#[derive(Default)]
struct Declines<'l>(Vec<(&'l str, u64)>);

impl<'l> Declines<'l> {
    fn count(&mut self, code: &'l str) {
        match self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, code)) {
            Some((_, count)) => *count += 1,
            None => self.0.push((code, 1)),
        }
    }
}

impl<'o> ReplayOutput<'o> {
    /// Writes decisions to `decisions`, flushed after each block, and invalid lines, unabridged, to `rejects`, if
    /// given.
    pub fn new(
        decisions: impl Write + Send + 'o,
        rejects: Option<Box<dyn Write + Send + 'o>>,
        observer: impl ReplayObserver + Send + 'o,
    ) -> ReplayOutput<'o> {
        ReplayOutput {
            decisions: Box::new(decisions),
            rejects: rejects.map(RejectWriter::new),
            observer: Box::new(observer),
            lines: 0,
            tally: Tally::default(),
            failure: None,
        }
    }

    /// Returns the number of settled lines, including blank ones.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Writes a block of whole lines.
    pub(super) fn write_block(&mut self, block: &RenderedBlock<'_>) -> Result<(), ReplayError> {
        self.decisions
            .write_all(&block.decisions)
            .and_then(|()| self.decisions.flush())
            .map_err(ReplayError::WriteDecisions)?;
        for invalid in &block.invalid {
            let line = self.lines + invalid.line_in_block + 1;
            self.observer.invalid(line, &invalid.error);
            self.reject(|rejects| rejects.write(line, &invalid.error, &invalid.raw))?;
        }
        if !block.invalid.is_empty() {
            self.reject(RejectWriter::flush)?;
        }
        self.lines += block.line_count;
        self.tally.add(&block.tally);
        self.observer.progressed(&self.tally);
        Ok(())
    }

    /// Writes a part of a line that is too long to be an attempt.
    pub(super) fn write_overlong(&mut self, part: &[u8], begins: bool, ends: bool) -> Result<(), ReplayError> {
        let error = LoadError::TooLong;
        let line = self.lines + 1;
        if begins {
            self.observer.invalid(line, &error);
            self.reject(|rejects| rejects.begin(line, &error))?;
        }
        self.reject(|rejects| rejects.push(part))?;
        if ends {
            self.reject(RejectWriter::end_if_begun)?;
            self.lines += 1;
            self.tally.count_invalid();
            self.observer.progressed(&self.tally);
        }
        Ok(())
    }

    /// Stops the output because the input cannot be read further.
    pub(super) fn fail_to_read(&mut self, source: io::Error) -> Result<(), ReplayError> {
        self.reject(RejectWriter::end_if_begun)?;
        Err(ReplayError::Read { lines: self.lines, source })
    }

    /// Stops the output, and records the reason.
    pub(super) fn stop(&mut self, failure: ReplayError) {
        self.failure = Some(failure);
    }

    /// Returns true when the output is stopped. A later block must not be written then: it would leave a gap.
    pub(super) fn is_stopped(&self) -> bool {
        self.failure.is_some()
    }

    /// Returns the result of the replay.
    pub(crate) fn finish(self) -> Result<ReplayReport, ReplayError> {
        match self.failure {
            None => Ok(ReplayReport { tally: self.tally, is_complete: true, run_id: None }),
            Some(ReplayError::WriteDecisions(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ReplayReport { tally: self.tally, is_complete: false, run_id: None })
            }
            Some(failure) => Err(failure),
        }
    }

    fn reject(
        &mut self,
        write: impl FnOnce(&mut RejectWriter<Box<dyn Write + Send + 'o>>) -> io::Result<()>,
    ) -> Result<(), ReplayError> {
        self.rejects.as_mut().map_or(Ok(()), write).map_err(ReplayError::WriteRejects)
    }
}

impl fmt::Debug for ReplayOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayOutput").field("lines", &self.lines).field("tally", &self.tally).finish_non_exhaustive()
    }
}
