//! JSON Lines: a stream of bytes in blocks of whole lines, in bounded memory.

mod source;

use memchr::memchr_iter;

use crate::domain::ATTEMPT_BYTES_MAX;
pub(crate) use source::{Piece, Source};

/// Returns true when a line is nothing but white space. One that is too long is too long all the same: those that do
/// not fit into a block are never looked at.
pub(crate) fn is_blank(raw: &[u8]) -> bool {
    raw.len() <= ATTEMPT_BYTES_MAX && raw.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The block's lines, without their line feeds.
pub(crate) fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let last_without_end = (!block.is_empty() && !block.ends_with(b"\n")).then_some(block.len());
    let ends = memchr_iter(b'\n', block).chain(last_without_end);
    let mut begin = 0;
    ends.map(move |end| block.get(std::mem::replace(&mut begin, end + 1)..end).unwrap_or_default())
}
