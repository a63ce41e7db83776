//! Cutting a stream of bytes into blocks of whole lines, in bounded memory.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use crate::domain::ATTEMPT_BYTES_MAX;

/// Bytes that are asked of the input at once, in bytes. A pipe that has less gives what it has: decisions do not wait
/// for lines that have not come yet.
const READ_BYTES: usize = 1024 * 1024;

/// The most lines of a block. Lines of ordinary length never come to so many; but a block of single letters would take
/// a hundred times its size in memory.
const BLOCK_LINES_MAX: usize = 16 * 1024;

/// The longest line that is taken whole, in bytes: an attempt with a byte-order mark before it and `\r\n` behind it.
const WHOLE_LINE_BYTES_MAX: usize = BYTE_ORDER_MARK.len() + ATTEMPT_BYTES_MAX + 2;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Contents of a block.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole lines, with their ends; the input's last line may have none.
    Lines,
    /// A part of a line that is too long to be taken whole, without the line's end.
    Overlong {
        /// True when the line begins here.
        begins: bool,
        /// True when the line ends here.
        ends: bool,
    },
    /// Nothing: the input cannot be read on, and this is why.
    Failed(io::Error),
}

/// Source of blocks.
#[derive(Debug)]
pub(crate) struct Source<R> {
    input: R,
    read_bytes: usize,
    /// Bytes that were read beyond the last block.
    carried: Vec<u8>,
    tickets: u64,
    is_in_overlong_line: bool,
    is_at_end: bool,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R) -> Source<R> {
        Source::reading(input, READ_BYTES)
    }

    /// A source of smaller blocks: it asks for so many bytes at once.
    pub(crate) fn reading(input: R, read_bytes: usize) -> Source<R> {
        Source { input, read_bytes, carried: Vec::new(), tickets: 0, is_in_overlong_line: false, is_at_end: false }
    }

    /// Fills `block` with the next piece and says its ticket: 0, 1, 2 and so on. None after the last.
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

    /// Cuts the block behind its last line end, or an earlier one. None where more must be read to find one.
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

    /// Cuts the block where the overlong line ends, if it does. None where more must be read.
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

    /// Returns the rest when the input has ended.
    fn cut_rest(&mut self, block: &mut Vec<u8>) -> Option<Piece> {
        if std::mem::take(&mut self.is_in_overlong_line) {
            block.pop_if(|last| *last == b'\r');
            return Some(Piece::Overlong { begins: false, ends: true });
        }
        (!block.is_empty()).then_some(Piece::Lines)
    }

    /// Keeps what stands from `at` on for the next block.
    fn carry(&mut self, block: &mut Vec<u8>, at: usize) {
        self.carried.extend(block.drain(at..));
    }

    /// A carriage return may turn out to be half of the line's end.
    fn hold_back_carriage_return(&mut self, block: &mut Vec<u8>) {
        self.carried.extend(block.pop_if(|last| *last == b'\r'));
    }

    /// Reads more behind what is in the block. 0 bytes is the end of the input.
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
