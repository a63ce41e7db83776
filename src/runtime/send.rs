//! Conversion of a file's lines to messages for the input queue.

use std::io::{self, Read};

use crate::deciding::{Outgoing, digest_hex};
use crate::domain::{LoadError, can_be_group};
use crate::wire::lines::{Piece, Source, is_blank, split};
use crate::wire::{can_be_body, read_attempt};

/// Group of lines without a customer. Such lines are invalid, so their order does not matter.
const NO_CUSTOMER: &str = "loadgate.no-customer";

/// Reads lines as messages, block by block.
#[derive(Debug)]
pub struct Messages<R> {
    source: Source<R>,
    block: Vec<u8>,
    run: String,
    /// Number of lines read, including blank ones.
    lines: u64,
}

/// Messages of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageBlock {
    /// Messages, in the order of their lines.
    pub messages: Vec<Outgoing>,
    /// Numbers, from 1, of the lines that no queue accepts, each with the reason.
    pub unsendable: Vec<(u64, String)>,
}

impl<R: Read> Messages<R> {
    /// Reads `input`. The run's name and the line number make a message's deduplication id. So a repeated run sends the
    /// same messages, while an event that occurs twice in the file is sent twice.
    pub fn new(input: R, run: String) -> Messages<R> {
        Messages { source: Source::new(input), block: Vec::new(), run, lines: 0 }
    }

    fn block(&mut self) -> MessageBlock {
        let mut block = MessageBlock::default();
        for raw in split(&self.block) {
            self.lines += 1;
            let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            if is_blank(raw) {
                continue;
            }
            match message(raw, &self.run, self.lines) {
                Ok(message) => block.messages.push(message),
                Err(problem) => block.unsendable.push((self.lines, problem)),
            }
        }
        block
    }
}

impl<R: Read> Iterator for Messages<R> {
    type Item = io::Result<MessageBlock>;

    fn next(&mut self) -> Option<io::Result<MessageBlock>> {
        let (_, piece) = self.source.take(&mut self.block)?;
        Some(match piece {
            Piece::Lines => Ok(self.block()),
            Piece::Overlong { ends: false, .. } => Ok(MessageBlock::default()),
            Piece::Overlong { ends: true, .. } => {
                self.lines += 1;
                Ok(MessageBlock {
                    unsendable: vec![(self.lines, LoadError::TooLong.to_string())],
                    ..MessageBlock::default()
                })
            }
            Piece::Failed(error) => Err(error),
        })
    }
}

fn message(raw: &[u8], run: &str, line: u64) -> Result<Outgoing, String> {
    let body = str::from_utf8(raw).map_err(|error| LoadError::NotUtf8 { at: error.valid_up_to() + 1 }.to_string())?;
    if !can_be_body(body) {
        return Err("the line has a character that no queue takes".to_owned());
    }
    let group_id = match read_attempt(raw) {
        Err(error @ LoadError::TooLong) => return Err(error.to_string()),
        Ok(attempt) if can_be_group(&attempt.customer_id) => attempt.customer_id.into_owned(),
        // The consumer reports the error.
        Ok(_) | Err(_) => NO_CUSTOMER.to_owned(),
    };
    Ok(Outgoing {
        group_id,
        deduplication_id: digest_hex(&[run.as_bytes(), &line.to_be_bytes(), raw]),
        body: body.to_owned(),
    })
}
