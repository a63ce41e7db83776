//! Decompression of the input: gzip and Zstandard, in bounded memory.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::GzDecoder;

/// Largest accepted window of a Zstandard frame, as a power of two in bytes: 8 MiB. RFC 8878 asks every decoder to
/// support this size, and `zstd` stays within it up to level 19. The whole window is kept in memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Error text of the Zstandard library for a frame whose window is larger.
const ZSTD_WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Decompresses gzip or Zstandard, as the first bytes indicate. No load attempt begins with these bytes.
pub fn decompressed<'r>(mut raw: impl Read + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
    let mut magic = Vec::new();
    (&mut raw).take(4).read_to_end(&mut magic)?;
    let whole = Cursor::new(magic.clone()).chain(raw);
    Ok(match *magic {
        [0x1f, 0x8b, ..] => Box::new(Gzip::new(BufReader::new(whole))),
        // A frame, or a skippable frame, which parallel compressors write first.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Box::new(Zstandard::new(whole)?),
        _ => Box::new(whole),
    })
}

/// Reader of the members of a gzip file, one after another. Zero bytes after a member are padding, as in gzip(1): tapes
/// and some block devices fill their last block.
struct Gzip<R> {
    /// Current member; `None` after the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    fn new(raw: R) -> Gzip<R> {
        Gzip { member: Some(GzDecoder::new(raw)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let padded = member.get_mut();
            skip_zeros(padded)?;
            let is_end = padded.fill_buf()?.is_empty();
            self.member = self.member.take().map(GzDecoder::into_inner).filter(|_| !is_end).map(GzDecoder::new);
        }
        Ok(0)
    }
}

fn skip_zeros(raw: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = raw.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        raw.consume(zeros);
    }
}

/// Reader of Zstandard frames whose window is within the maximum.
struct Zstandard<R: Read>(zstd::Decoder<'static, BufReader<R>>);

impl<R: Read> Zstandard<R> {
    fn new(raw: R) -> io::Result<Zstandard<R>> {
        let mut decoder = zstd::Decoder::new(raw)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(Zstandard(decoder))
    }
}

impl<R: Read> Read for Zstandard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.to_string().as_str() {
            ZSTD_WINDOW_TOO_LARGE => io::Error::other(format!(
                "its Zstandard window is over {} MiB, which is kept in memory: compress it without --long and --ultra, or \
                 decompress it first, with `zstd -dc --long=31`",
                (1_u32 << ZSTD_WINDOW_LOG_MAX) >> 20
            )),
            _ => error,
        })
    }
}
