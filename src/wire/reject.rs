//! Writer of invalid lines, complete and with their errors.
//!
//! Each reject is one JSON object: `source`, where a file has rejects of several inputs; `line` (from 1), `code`, `message`, and the line itself in `raw`. JSON cannot hold
//! bytes that are not UTF-8: from the first such byte on, the rest of the line is in `raw_rest_base64` instead. So the
//! line's bytes are always those of `raw` followed by those of `raw_rest_base64`. A line of any length is written piece
//! by piece.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::domain::InputError;

/// Writes rejects one after another.
#[derive(Debug)]
pub struct RejectWriter<W> {
    out: W,
    /// Bytes of the line that cannot be written before the next ones are known: an incomplete character, or an
    /// incomplete group of three for Base64.
    held: Vec<u8>,
    encoding: Encoding,
    is_begun: bool,
    /// Name of the input, where a file has rejects of several inputs.
    source: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Text,
    Base64,
}

/// Fields before the line itself, without the closing brace.
#[derive(Serialize)]
struct Head<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    line: u64,
    code: &'a str,
    message: &'a str,
}

impl<W: Write> RejectWriter<W> {
    /// Creates a writer of rejects to `out`.
    pub fn new(out: W) -> RejectWriter<W> {
        RejectWriter { out, held: Vec::new(), encoding: Encoding::Text, is_begun: false, source: None }
    }

    /// Creates a writer whose rejects name their input in `source`.
    pub fn of_source(out: W, source: &'static str) -> RejectWriter<W> {
        RejectWriter { source: Some(source), ..RejectWriter::new(out) }
    }

    /// Writes the reject of a line that is in memory.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn write(&mut self, line: u64, error: &dyn InputError, raw: &[u8]) -> io::Result<()> {
        self.begin(line, error)?;
        self.push(raw)?;
        self.end()
    }

    /// Begins the reject of a line whose bytes follow.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn begin(&mut self, line: u64, error: &dyn InputError) -> io::Result<()> {
        let head = Head { source: self.source, line, code: error.code(), message: &error.to_string() };
        let mut head = serde_json::to_vec(&head)?;
        head.pop();
        (self.encoding, self.is_begun) = (Encoding::Text, true);
        self.out.write_all(&head)?;
        self.out.write_all(br#","raw":""#)
    }

    /// Adds the next bytes of the line.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        if let Encoding::Text = self.encoding {
            self.push_text()?;
        }
        if let Encoding::Base64 = self.encoding {
            let whole_groups = self.held.len() / 3 * 3;
            self.write_base64(whole_groups)?;
        }
        Ok(())
    }

    /// Ends the reject and its line.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn end(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.switch_to_base64()?;
            self.write_base64(self.held.len())?;
        }
        self.is_begun = false;
        self.out.write_all(b"\"}\n")
    }

    /// Ends a reject whose line has ended, or whose input has failed, and flushes it.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn end_if_begun(&mut self) -> io::Result<()> {
        if self.is_begun {
            self.end()?;
        }
        self.flush()
    }

    /// Flushes the underlying writer.
    ///
    /// # Errors
    /// Errors of the underlying writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the text part. Keeps an incomplete character; switches to Base64 at a byte that is not UTF-8.
    fn push_text(&mut self) -> io::Result<()> {
        let (valid, is_wrong) = match str::from_utf8(&self.held) {
            Ok(text) => (text.len(), false),
            Err(error) => (error.valid_up_to(), error.error_len().is_some()),
        };
        let text = str::from_utf8(self.held.get(..valid).unwrap_or_default()).unwrap_or_default();
        let quoted = serde_json::to_string(text)?;
        let escaped = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        self.out.write_all(escaped.as_bytes())?;
        self.held.drain(..valid);
        if is_wrong { self.switch_to_base64() } else { Ok(()) }
    }

    fn switch_to_base64(&mut self) -> io::Result<()> {
        if let Encoding::Text = self.encoding {
            self.encoding = Encoding::Base64;
            self.out.write_all(br#"","raw_rest_base64":""#)?;
        }
        Ok(())
    }

    fn write_base64(&mut self, bytes: usize) -> io::Result<()> {
        let encoded = STANDARD.encode(self.held.get(..bytes).unwrap_or_default());
        self.held.drain(..bytes);
        self.out.write_all(encoded.as_bytes())
    }
}
