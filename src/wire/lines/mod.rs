//! JSON Lines: reads a stream of bytes in blocks of whole lines, in bounded memory.

mod line;
mod source;

use memchr::memchr_iter;

use crate::domain::ATTEMPT_BYTES_MAX;
pub(crate) use line::{Line, lines};
pub(crate) use source::{Piece, Source};

/// Returns true if a line contains only white space. An overlong line is never blank, because the parts of a line that
/// does not fit into a block are not examined.
pub(crate) fn is_blank(raw: &[u8]) -> bool {
    raw.len() <= ATTEMPT_BYTES_MAX && raw.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// Returns the lines of a block, without their line feeds.
pub(crate) fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let last_without_end = (!block.is_empty() && !block.ends_with(b"\n")).then_some(block.len());
    let ends = memchr_iter(b'\n', block).chain(last_without_end);
    let mut begin = 0;
    ends.map(move |end| block.get(std::mem::replace(&mut begin, end + 1)..end).unwrap_or_default())
}
