//! Input of a replay through a store. Lines are parsed, and compared with the run's manifest before any of them is
//! decided.

use std::io::{self, Read};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::deciding::{Clock, Decider, Delivery, MessageSource, StoreError, UndecidedReason};
use crate::domain::{LoadAttempt, LoadError};
use crate::replay::line::{Invalid, Lines, read_lines};
use crate::replay::{Comparison, Manifest, ManifestCheck, ReplayError};
use crate::wire::lines::{Piece, Source};
use crate::wire::read_attempt;

/// Size of the parts in which the input is read, in bytes. It is large enough that customers' attempts share commits
/// and customers proceed in parallel, and small enough that progress is visible every few seconds.
const BLOCK_BYTES: usize = 256 * 1024;

/// A part of the input that the run may decide.
pub(super) enum Verified {
    /// Whole lines.
    Lines(Lines<'static, Delivery>),
    /// A part of a line that is too long to be processed whole.
    Overlong { part: Vec<u8>, begins: bool, ends: bool },
    /// The input cannot be read further.
    Failed(io::Error),
}

/// Successive lines, parsed.
pub(super) struct ParsedLines {
    pub(super) lines: Lines<'static, Delivery>,
    /// The digest of each line.
    digests: Vec<Digest>,
}

/// Digest of a line.
#[derive(Clone, PartialEq, Eq)]
enum Digest {
    Attempt(String),
    /// A blank or invalid line, whatever its content.
    NoAttempt,
    /// An invalid line so long that it may be read in parts.
    TooLong,
}

impl Digest {
    fn text(&self) -> String {
        match self {
            Digest::Attempt(digest) => digest.clone(),
            Digest::NoAttempt | Digest::TooLong => String::new(),
        }
    }
}

/// Reads, parses and verifies the input.
pub(super) struct Verifier<S, C> {
    decider: Arc<Decider<S, C>>,
    run: String,
    pieces: mpsc::Receiver<Ahead>,
    lines_before: u64,
}

impl<S: Manifest + 'static, C: Clock + 'static> Verifier<S, C> {
    /// Verifies `input` in a separate task, ahead of the receiver.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub(super) fn start<R: Read + Send + 'static>(
        decider: Arc<Decider<S, C>>,
        run: String,
        input: R,
    ) -> io::Result<mpsc::Receiver<Result<Option<Verified>, ReplayError>>> {
        let verifier = Verifier { decider, run, pieces: read_ahead(input)?, lines_before: 0 };
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(verifier.send_to(sender));
        Ok(receiver)
    }

    async fn send_to(mut self, sender: mpsc::Sender<Result<Option<Verified>, ReplayError>>) {
        loop {
            let next = self.next().await;
            let is_last = !matches!(next, Ok(Some(Verified::Lines(_) | Verified::Overlong { .. })));
            if sender.send(next).await.is_err() || is_last {
                return;
            }
        }
    }

    /// Returns the next part, or `None` at the end of the input.
    async fn next(&mut self) -> Result<Option<Verified>, ReplayError> {
        match self.pieces.recv().await {
            Some(Some((Piece::Lines, bytes))) => self.verify_lines(&bytes).await.map(Some),
            Some(Some((Piece::Overlong { begins, ends }, part))) => {
                if begins {
                    self.verify_overlong().await?;
                }
                self.lines_before += u64::from(ends);
                Ok(Some(Verified::Overlong { part, begins, ends }))
            }
            Some(Some((Piece::Failed(error), _))) => Ok(Some(Verified::Failed(error))),
            Some(None) => self.verify_end().await.map(|()| None),
            None => Ok(Some(Verified::Failed(io::Error::other("reading broke off")))),
        }
    }

    async fn verify_lines(&mut self, bytes: &[u8]) -> Result<Verified, ReplayError> {
        let mut parsed = self.parse(bytes, 0);
        while let Some(last_line) = self.compare(&parsed.digests).await? {
            match self.pieces.recv().await {
                Some(Some((Piece::Lines, bytes))) => {
                    let more = self.parse(&bytes, parsed.lines.count);
                    parsed.append(more);
                }
                Some(Some((Piece::Failed(error), _))) => return Ok(Verified::Failed(error)),
                Some(Some((Piece::Overlong { .. }, _)) | None) | None => {
                    return Err(ReplayError::InputChanged { first_line: self.lines_before + 1, last_line });
                }
            }
        }
        self.lines_before += parsed.lines.count;
        Ok(Verified::Lines(parsed.lines))
    }

    async fn verify_overlong(&self) -> Result<(), ReplayError> {
        match self.compare(&[Digest::TooLong]).await? {
            None => Ok(()),
            Some(last_line) => Err(ReplayError::InputChanged { first_line: self.lines_before + 1, last_line }),
        }
    }

    async fn verify_end(&self) -> Result<(), ReplayError> {
        let line = self.lines_before + 1;
        let comparison = self.check().compare_end(line).await.map_err(|error| failed(line, error))?;
        partial(comparison).map(drop)
    }

    /// Compares the next lines with the manifest. Returns the last line of an entry that ends after them.
    ///
    /// A line that is too long is an entry of its own, because it may be read in parts. So entries do not depend on
    /// where the input is split.
    async fn compare(&self, digests: &[Digest]) -> Result<Option<u64>, ReplayError> {
        let mut line = self.lines_before + 1;
        let mut segments = digests.chunk_by(|one, other| ![one, other].contains(&&Digest::TooLong)).peekable();
        while let Some(segment) = segments.next() {
            let texts: Vec<String> = segment.iter().map(Digest::text).collect();
            let comparison = self.check().compare(line, &texts).await.map_err(|error| failed(line, error))?;
            match partial(comparison)? {
                None => line += segment.len() as u64,
                Some(last_line) if segments.peek().is_none() => return Ok(Some(last_line)),
                Some(last_line) => return Err(ReplayError::InputChanged { first_line: line, last_line }),
            }
        }
        Ok(None)
    }

    fn check(&self) -> ManifestCheck<'_, S, C> {
        let Decider { store, clock, correlation_ttl, .. } = self.decider.as_ref();
        ManifestCheck { store, clock, run: &self.run, correlation_ttl: *correlation_ttl }
    }

    /// Parses lines. `lines_before` is the number of lines before them in the same part.
    fn parse(&self, bytes: &[u8], lines_before: u64) -> ParsedLines {
        let first_line = self.lines_before + lines_before + 1;
        let lines = read_lines(bytes, |line, line_in_block| self.delivery(line.raw(), first_line + line_in_block));
        let mut digests = vec![Digest::NoAttempt; usize::try_from(lines.count).unwrap_or(0)];
        let mut note = |line_in_block: u64, digest| {
            if let Some(place) = usize::try_from(line_in_block).ok().and_then(|line| digests.get_mut(line)) {
                *place = digest;
            }
        };
        for delivery in &lines.attempts {
            note(delivery.index - first_line, Digest::Attempt(delivery.digest()));
        }
        for invalid in lines.invalid.iter().filter(|invalid| invalid.error == LoadError::TooLong) {
            note(invalid.line_in_block, Digest::TooLong);
        }
        let owned = lines.invalid.into_iter().map(|Invalid { line_in_block, error, raw }| {
            let raw = raw.into_owned().into();
            Invalid { line_in_block: lines_before + line_in_block, error, raw }
        });
        let lines = Lines { attempts: lines.attempts, invalid: owned.collect(), count: lines.count };
        ParsedLines { lines, digests }
    }

    fn delivery(&self, raw: &[u8], line: u64) -> Result<Delivery, LoadError> {
        let written = read_attempt(raw)?;
        let attempt = LoadAttempt::check_in(written.clone(), self.decider.currency)?;
        let source = MessageSource { message_id: format!("{}:{line}", self.run), ..MessageSource::default() };
        Ok(Delivery::new(line, source, &written, attempt, self.decider.currency))
    }
}

impl ParsedLines {
    fn append(&mut self, more: ParsedLines) {
        self.lines.attempts.extend(more.lines.attempts);
        self.lines.invalid.extend(more.lines.invalid);
        self.lines.count += more.lines.count;
        self.digests.extend(more.digests);
    }
}

/// Returns the last line of an entry that ends after the compared lines.
fn partial(comparison: Comparison) -> Result<Option<u64>, ReplayError> {
    match comparison {
        Comparison::Same => Ok(None),
        Comparison::Partial { last_line } => Ok(Some(last_line)),
        Comparison::Changed { first_line, last_line } => Err(ReplayError::InputChanged { first_line, last_line }),
    }
}

fn failed(line: u64, error: StoreError) -> ReplayError {
    ReplayError::Store { line, source: UndecidedReason::Store(error) }
}

/// A piece with its bytes. `None` is the end of the input; if the channel closes without it, reading was interrupted.
type Ahead = Option<(Piece, Vec<u8>)>;

/// Reads the input on a separate thread, so that decisions do not wait for lines that have not arrived.
///
/// The thread may outlive the replay for as long as the input blocks it.
fn read_ahead<R: Read + Send + 'static>(input: R) -> io::Result<mpsc::Receiver<Ahead>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut source = Source::reading(input, BLOCK_BYTES);
    let read = move || {
        let mut block = Vec::new();
        while let Some((_, piece)) = source.take(&mut block) {
            if sender.blocking_send(Some((piece, std::mem::take(&mut block)))).is_err() {
                return;
            }
        }
        let _ = sender.blocking_send(None);
    };
    std::thread::Builder::new().spawn(read).map(|_| receiver)
}
