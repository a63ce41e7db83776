//! Lines of a block that is mostly text.

use memchr::{memchr, memchr_iter, memrchr};

use super::is_blank;

/// Size, in bytes, of the groups of lines that are checked as UTF-8 at once. A group with an invalid line is checked line by line.
const GROUP_BYTES: usize = 4 * 1024;

/// A line, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'b> {
    /// A text.
    Text(&'b str),
    /// Bytes that are not UTF-8.
    Bytes(&'b [u8]),
}

impl<'b> Line<'b> {
    /// Returns the line's bytes.
    pub(crate) const fn raw(self) -> &'b [u8] {
        match self {
            Line::Text(text) => text.as_bytes(),
            Line::Bytes(bytes) => bytes,
        }
    }

    /// Returns true if it contains only white space. See [`is_blank`].
    pub(crate) fn is_blank(self) -> bool {
        is_blank(self.raw())
    }
}

impl<'b> From<&'b [u8]> for Line<'b> {
    fn from(raw: &'b [u8]) -> Line<'b> {
        str::from_utf8(raw).map_or(Line::Bytes(raw), Line::Text)
    }
}

/// Returns the lines of a block. Many are checked as UTF-8 at once, which takes less time than to check each.
pub(crate) fn lines(block: &[u8]) -> impl Iterator<Item = Line<'_>> {
    groups(block).flat_map(|group| {
        let text = str::from_utf8(group).ok();
        let mut begin = 0;
        let last_without_end = (!group.ends_with(b"\n")).then_some(group.len());
        memchr_iter(b'\n', group).chain(last_without_end).map(move |end| {
            let begin = std::mem::replace(&mut begin, end + 1);
            let raw = group.get(begin..end).unwrap_or_default();
            let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            text.and_then(|text| text.get(begin..begin + raw.len())).map_or_else(|| raw.into(), Line::Text)
        })
    })
}

/// Returns the parts of a block, each of whole lines: as many as fit, or one.
fn groups(mut block: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let fitting = memrchr(b'\n', block.get(..GROUP_BYTES).unwrap_or(block));
        let end = fitting.or_else(|| memchr(b'\n', block)).map_or(block.len(), |end| end + 1);
        let (group, rest) = block.split_at_checked(end).filter(|(group, _)| !group.is_empty())?;
        block = rest;
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::lines::split;

    /// Ends of lines, half of them of lines that are text.
    fn line_end() -> impl Strategy<Value = &'static [u8]> {
        proptest::sample::select(vec![b"\n".as_slice(), b"\n", b"\r\n", b"\xff\n", b"\xc3\n", b"\xa4\n"])
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_block_each_as_text_if_it_is_one(
            lines_and_ends in proptest::collection::vec((0..3 * GROUP_BYTES / 2, line_end()), 0..12),
            has_last_end: bool,
        ) {
            let mut block = Vec::new();
            for (length, end) in lines_and_ends {
                block.extend(std::iter::repeat_n(b"{\"\xc3\xa4".as_slice(), length / 4).flatten());
                block.extend(end);
            }
            if !has_last_end {
                block.pop();
            }
            let expected: Vec<Line<'_>> = split(&block).map(|raw| raw.strip_suffix(b"\r").unwrap_or(raw).into()).collect();
            prop_assert_eq!(lines(&block).collect::<Vec<_>>(), expected);
        }
    }
}
