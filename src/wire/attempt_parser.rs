//! Parser of the load attempts of a file, line by line.

use super::attempt::{PlainShape, read_attempt, read_plain};
use super::lines::Line;
use crate::domain::{ATTEMPT_BYTES_MAX, Currency, LoadAttempt, LoadError, TimeReader};

/// Parser of the load attempts of a file, which follow one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptParser {
    currency: Currency,
    times: TimeReader,
}

impl AttemptParser {
    /// Creates a parser for a deployment with this currency.
    pub(crate) fn new(currency: Currency) -> AttemptParser {
        AttemptParser { currency, times: TimeReader::default() }
    }

    /// Parses the next load attempt. It borrows from the line all text that is written without escapes.
    ///
    /// # Errors
    /// The first error in the order of [`LoadError`]'s variants.
    // Inlined, as are the functions for the plain form: see `LoadAttempt::check_parts`.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(crate) fn parse<'a>(&mut self, line: Line<'a>) -> Result<ParsedAttempt<'a>, LoadError> {
        match line {
            Line::Text(text) if text.len() <= ATTEMPT_BYTES_MAX => self.parse_plain(text),
            _ => None,
        }
        .map_or_else(|| self.parse_any(line.raw()), Ok)
    }

    /// Parses an attempt in the plain form. `None` if it has another one, or is not valid.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn parse_plain<'a>(&mut self, text: &'a str) -> Option<ParsedAttempt<'a>> {
        // The time is whatever is left of the line; but nothing in a text that is a time must be escaped.
        let PlainShape { head, id, customer_id, load_amount, time } = read_plain(text)?;
        let (id, customer_id) = (id.into(), customer_id.into());
        let attempt = LoadAttempt::check_parts(id, customer_id, load_amount, time, self.currency, &mut self.times);
        Some(ParsedAttempt { attempt: attempt.ok()?, line_head: Some(head) })
    }

    /// Parses a line of any form.
    #[cold]
    fn parse_any<'a>(&mut self, raw: &'a [u8]) -> Result<ParsedAttempt<'a>, LoadError> {
        let attempt = LoadAttempt::check_next(read_attempt(raw)?, self.currency, &mut self.times)?;
        Ok(ParsedAttempt { attempt, line_head: None })
    }
}

/// A load attempt that has been read from a line.
#[derive(Clone, Debug)]
pub(crate) struct ParsedAttempt<'a> {
    /// The attempt.
    pub(crate) attempt: LoadAttempt<'a>,
    /// The line up to its ids, if it has the form of a decision's line.
    pub(crate) line_head: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{DecisionHead, Explanation, parse_attempt, write_decision};

    /// Lines of valid attempts, each with the plain form or nearly so.
    const VALID: [&str; 11] = [
        r#"{"id":"1","customer_id":"2","load_amount":"$3.00","time":"2018-12-17T00:00:00Z"}"#,
        r#"{"id":"10000","customer_id":"123456789","load_amount":"$9,999.99","time":"2018-12-17T23:59:60Z"}"#,
        r#"{"id":"1","customer_id":"2","load_amount":"USD3","time":"2018-12-17T00:00:00.125+14:00"}"#,
        r#"{"id":"ä","customer_id":"€ ","load_amount":"$3.00","time":"2018-12-17T00:00:00Z"}"#,
        r#"{"id":"1","customer_id":"2","load_amount":"$3.00","time":"2018-12-17T00:00:00Z","x":"}"}"#,
        r#"{"id":"1","customer_id":"2","load_amount":"$3.00","time":"2018-12-17T00:00:00Z" }"#,
        r#"{"id":"\"","customer_id":"2","load_amount":"$3.00","time":"2018-12-17T00:00:00Z"}"#,
        r#"{"id":"1","customer_id":"\u0032","load_amount":"$3.00","time":"2018-12-17T00:00:00Z"}"#,
        r#"{"id":"1","customer_id":"2","load_amount":"\u00243.00","time":"2018-12-17T00:00:00Z"}"#,
        r#"{"id":"1","customer_id":"2","load_amount":"$3.00","time":"2018-12-17T00:00:00\u005a"}"#,
        r#" {"time":"2018-12-17T00:00:00Z","id":"1","customer_id":"2","load_amount":"$3.00"}"#,
    ];

    #[test]
    fn a_line_of_a_file_is_the_same_attempt_as_a_message_and_gives_the_same_decision() {
        let mut parser = AttemptParser::new(Currency::USD);
        let (mut with_head, mut changed) = (0, 0);
        // Each line as it is, with each character left out, and with each doubled.
        for line in VALID {
            let with = |place: usize, times: usize| -> String {
                line.chars()
                    .enumerate()
                    .flat_map(|(at, c)| std::iter::repeat_n(c, if at == place { times } else { 1 }))
                    .collect()
            };
            let places = 0..line.chars().count();
            for text in places.flat_map(|place| [with(place, 1), with(place, 0), with(place, 2)]) {
                let expected = parse_attempt(text.as_bytes(), Currency::USD);
                let parsed = parser.parse(Line::Text(&text));
                changed += usize::from(expected.is_err());
                assert_eq!(parsed.clone().map(|parsed| parsed.attempt), expected, "{text}");
                if let Ok(ParsedAttempt { attempt, line_head: Some(head) }) = parsed {
                    let line = |head| {
                        let (mut line, none) = (Vec::new(), std::iter::empty());
                        let explanation = Explanation { reasons: none.clone(), shadow: none.clone(), unjudged: none };
                        write_decision(&mut line, head, true, Some(explanation));
                        line
                    };
                    let ids = DecisionHead::Ids { id: attempt.id.as_str(), customer_id: attempt.customer_id.as_str() };
                    assert_eq!(line(DecisionHead::OfAttempt(head)), line(ids), "{text}");
                    with_head += 1;
                }
            }
        }
        assert!(with_head > 300 && changed > 300, "{with_head} {changed}");
    }

    #[test]
    fn a_line_that_is_too_long_is_no_attempt_even_in_the_plain_form() {
        let line = |bytes: usize| {
            let begin = r#"{"id":"1","customer_id":"2","load_amount":"$"#;
            let end = r#"3.00","time":"2018-12-17T00:00:00Z"}"#;
            format!("{begin}{}{end}", "0".repeat(bytes - begin.len() - end.len()))
        };
        let code = |bytes| {
            let text = line(bytes);
            AttemptParser::new(Currency::USD).parse(Line::Text(&text)).map(drop).map_err(|error| error.code())
        };
        assert_eq!(code(100), Ok(()));
        assert_eq!(code(ATTEMPT_BYTES_MAX), Ok(()));
        assert_eq!(code(ATTEMPT_BYTES_MAX + 1), Err("TOO_LONG"));
    }
}
