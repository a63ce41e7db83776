//! Money: exact, non-negative US dollars in integer cents.

use std::fmt;

/// An amount of US dollars in cents. A sum saturates at [`u64::MAX`] cents, which is above every limit that can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(u64);

/// Why a text is not an amount. The text itself is never repeated: amounts stay out of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// There is no digit where the dollars should begin.
    #[error("has no digits where the dollars should begin")]
    NoDollars,
    /// A comma stands elsewhere than before each group of three digits.
    #[error("has a comma that does not part thousands")]
    MisplacedComma,
    /// The decimal point is followed by no digit, or by more than two.
    #[error("must have one or two digits after the point; it is never rounded")]
    Decimals,
    /// A character that no amount has: a sign, a space, a letter.
    #[error("has a character that does not belong in an amount (at byte {at}); write it like $3,318.47")]
    Character {
        /// Offset of the character in the text, in bytes from 0.
        at: usize,
    },
    /// More than [`Cents::LOAD_MAX`].
    #[error("is more than $90071992547409.91, the largest amount of one load")]
    TooLarge,
}

impl Cents {
    /// The largest amount of one load: 2^53 - 1 cents, the largest integer that every JSON reader keeps exact.
    pub const LOAD_MAX: Cents = Cents((1 << 53) - 1);

    /// So many cents.
    pub const fn new(cents: u64) -> Cents {
        Cents(cents)
    }

    /// The number of cents.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or [`u64::MAX`] cents where it would be more.
    #[must_use]
    pub const fn saturating_add(self, other: Cents) -> Cents {
        Cents(self.0.saturating_add(other.0))
    }

    /// Reads an amount: optional `USD`, optional `$`, digits with optional thousands commas, optional point with one or
    /// two decimals.
    ///
    /// # Errors
    /// [`AmountError`] when the text is anything else, or is above [`Cents::LOAD_MAX`].
    pub fn parse(text: &str) -> Result<Cents, AmountError> {
        let number = text.strip_prefix("USD").unwrap_or(text);
        let number = number.strip_prefix('$').unwrap_or(number);
        if let Some(at) = number.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b',' | b'.')) {
            let prefix_bytes = text.len().saturating_sub(number.len());
            return Err(AmountError::Character { at: prefix_bytes.saturating_add(at) });
        }
        let (dollars, decimals) = number.split_once('.').unwrap_or((number, "00"));
        if !has_thousands_in_place(dollars) {
            return Err(if dollars.is_empty() { AmountError::NoDollars } else { AmountError::MisplacedComma });
        }
        let decimals = match *decimals.as_bytes() {
            [tenths] => [tenths, b'0'],
            [tenths, hundredths] => [tenths, hundredths],
            _ => return Err(AmountError::Decimals),
        };
        let digits = dollars.bytes().filter(|byte| *byte != b',').chain(decimals);
        let cents = digits.into_iter().try_fold(0, push_digit)?;
        if cents > Cents::LOAD_MAX.0 { Err(AmountError::TooLarge) } else { Ok(Cents(cents)) }
    }
}

/// Plain digits, or one to three digits and then commas with three digits behind each.
fn has_thousands_in_place(dollars: &str) -> bool {
    let mut groups = dollars.split(',').map(str::len);
    let first = groups.next().unwrap_or_default();
    let is_plain = first == dollars.len();
    first > 0 && (is_plain || (first <= 3 && groups.all(|digits| digits == 3)))
}

fn push_digit(sum: u64, digit: u8) -> Result<u64, AmountError> {
    let value = match digit {
        b'0'..=b'9' => u64::from(digit.saturating_sub(b'0')),
        _ => return Err(AmountError::Decimals),
    };
    sum.checked_mul(10).and_then(|sum| sum.checked_add(value)).ok_or(AmountError::TooLarge)
}

/// As an amount is written: `$3318.47`.
impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0.saturating_div(100), self.0.checked_rem(100).unwrap_or_default())
    }
}
