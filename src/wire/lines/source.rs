//! Splits a stream of bytes into blocks of whole lines, in bounded memory.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use crate::domain::ATTEMPT_BYTES_MAX;

/// Size of one read request, in bytes. A pipe returns what it has, so decisions do not wait for lines that have not
/// arrived.
const READ_BYTES: usize = 256 * 1024;

/// Maximum number of lines in a block. Lines of ordinary length never reach it; but a block of lines with one character
/// each would take a hundred times its size in memory.
const BLOCK_LINES_MAX: usize = 16 * 1024;

/// Maximum length of a line that is kept whole, in bytes: an attempt with a byte-order mark before it and `\r\n` after
/// it.
const WHOLE_LINE_BYTES_MAX: usize = BYTE_ORDER_MARK.len() + ATTEMPT_BYTES_MAX + 2;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Content of a block.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole lines, with their ends; the input's last line may have none.
    Lines,
    /// Part of a line that is too long to be kept whole, without the line's end.
    Overlong {
        /// True if the line begins here.
        begins: bool,
        /// True if the line ends here.
        ends: bool,
    },
    /// No content: reading the input failed with this error.
    Failed(io::Error),
}

/// Source of blocks.
#[derive(Debug)]
pub(crate) struct Source<R> {
    input: R,
    read_bytes: usize,
    /// Bytes read after the end of the last block.
    carried: Vec<u8>,
    tickets: u64,
    is_in_overlong_line: bool,
    is_at_end: bool,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R) -> Source<R> {
        Source::reading(input, READ_BYTES)
    }

    /// Creates a source with smaller blocks: `read_bytes` is the size of one read request.
    pub(crate) fn reading(input: R, read_bytes: usize) -> Source<R> {
        Source { input, read_bytes, carried: Vec::new(), tickets: 0, is_in_overlong_line: false, is_at_end: false }
    }

    /// Fills `block` with the next piece and returns its ticket: 0, 1, 2 and so on. `None` after the last.
    pub(crate) fn take(&mut self, block: &mut Vec<u8>) -> Option<(u64, Piece)> {
        block.clear();
        block.append(&mut self.carried);
        let piece = self.next_piece(block)?;
        let ticket = self.tickets;
        self.tickets += 1;
        if ticket == 0 && block.starts_with(BYTE_ORDER_MARK) {
            block.drain(..BYTE_ORDER_MARK.len());
        }
        Some((ticket, piece))
    }

    fn next_piece(&mut self, block: &mut Vec<u8>) -> Option<Piece> {
        loop {
            if self.is_at_end {
                return self.cut_rest(block);
            }
            let cut = if self.is_in_overlong_line { self.cut_overlong(block) } else { self.cut(block) };
            if cut.is_some() {
                return cut;
            }
            match self.read(block) {
                Ok(bytes) => self.is_at_end = bytes == 0,
                Err(error) => {
                    self.is_at_end = true;
                    self.is_in_overlong_line = false;
                    block.clear();
                    return Some(Piece::Failed(error));
                }
            }
        }
    }

    /// Cuts the block after its last line end, or an earlier one. `None` if more must be read to find one.
    fn cut(&mut self, block: &mut Vec<u8>) -> Option<Piece> {
        if let Some(last) = memrchr(b'\n', block) {
            let mut ends = memchr_iter(b'\n', block);
            let has_too_many = ends.clone().count() > BLOCK_LINES_MAX;
            let at = if has_too_many { ends.nth(BLOCK_LINES_MAX - 1).unwrap_or(last) } else { last };
            self.carry(block, at + 1);
            return Some(Piece::Lines);
        }
        if block.len() <= WHOLE_LINE_BYTES_MAX {
            return None;
        }
        self.is_in_overlong_line = true;
        self.hold_back_carriage_return(block);
        Some(Piece::Overlong { begins: true, ends: false })
    }

    /// Cuts the block at the end of the overlong line, if the line ends in it. `None` if more must be read.
    fn cut_overlong(&mut self, block: &mut Vec<u8>) -> Option<Piece> {
        let line_end = memchr(b'\n', block);
        if let Some(at) = line_end {
            self.carry(block, at + 1);
            block.pop();
            block.pop_if(|last| *last == b'\r');
        } else if block.len() > 1 {
            self.hold_back_carriage_return(block);
        } else {
            return None;
        }
        self.is_in_overlong_line = line_end.is_none();
        Some(Piece::Overlong { begins: false, ends: line_end.is_some() })
    }

    /// Returns the remaining bytes after the end of the input.
    fn cut_rest(&mut self, block: &mut Vec<u8>) -> Option<Piece> {
        if std::mem::take(&mut self.is_in_overlong_line) {
            block.pop_if(|last| *last == b'\r');
            return Some(Piece::Overlong { begins: false, ends: true });
        }
        (!block.is_empty()).then_some(Piece::Lines)
    }

    /// Keeps the bytes from `at` on for the next block.
    fn carry(&mut self, block: &mut Vec<u8>, at: usize) {
        self.carried.extend(block.drain(at..));
    }

    /// Keeps a last carriage return for the next block, because it may be half of the line's end.
    fn hold_back_carriage_return(&mut self, block: &mut Vec<u8>) {
        self.carried.extend(block.pop_if(|last| *last == b'\r'));
    }

    /// Appends more input to the block. Returns the number of bytes; 0 is the end of the input.
    fn read(&mut self, block: &mut Vec<u8>) -> io::Result<usize> {
        let filled = block.len();
        block.resize(filled + self.read_bytes, 0);
        let read = loop {
            match self.input.read(block.get_mut(filled..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        block.truncate(filled + read.as_ref().copied().unwrap_or(0));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_bounded_number_of_lines() {
        let input = b"x\n".repeat(3 * BLOCK_LINES_MAX);
        let mut source = Source::new(input.as_slice());
        let (mut block, mut whole) = (Vec::new(), Vec::new());
        while source.take(&mut block).is_some() {
            assert!(memchr_iter(b'\n', &block).count() <= BLOCK_LINES_MAX);
            whole.extend_from_slice(&block);
        }
        assert!(whole == input);
    }
}
