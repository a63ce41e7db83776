//! Money: exact, non-negative US dollars in integer cents.

use std::fmt;

/// An amount of US dollars in cents. A sum saturates at [`u64::MAX`] cents, which is above every limit that can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(u64);

/// Reason why a text is not an amount. The text itself is never repeated: amounts stay out of logs.
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
    /// A character that no amount has: a sign, a space, a dead letter.
    #[error("has a character that no amount has; write it like $3,318.47")]
    Character,
    /// More than [`Cents::LOAD_MAX`].
    #[error("is more than $90071992547409.91, the largest amount allowed")]
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
        let mut parts = number.as_bytes().splitn(2, |byte| *byte == b'.');
        let dollars = read_dollars(parts.next().unwrap_or_default())?;
        let decimals = match *parts.next().unwrap_or(b"00") {
            [tenths] => [tenths, b'0'],
            [tenths, hundredths] => [tenths, hundredths],
            _ => return Err(AmountError::Decimals),
        };
        let cents = decimals.into_iter().try_fold(dollars, push_digit)?;
        if cents > Cents::LOAD_MAX.0 { Err(AmountError::TooLarge) } else { Ok(Cents(cents)) }
    }
}

/// Plain digits, or one to three digits and then commas with three digits behind each.
fn read_dollars(text: &[u8]) -> Result<u64, AmountError> {
    let (mut dollars, mut group_digits, mut is_grouped) = (0, 0_usize, false);
    for byte in text {
        if *byte == b',' {
            if group_digits == 0 || group_digits > 3 || (is_grouped && group_digits < 3) {
                return Err(AmountError::MisplacedComma);
            }
            (group_digits, is_grouped) = (0, true);
        } else {
            dollars = push_digit(dollars, *byte)?;
            group_digits = group_digits.saturating_add(1);
        }
    }
    match (is_grouped, group_digits) {
        (false, 0) => Err(AmountError::NoDollars),
        (true, digits) if digits != 3 => Err(AmountError::MisplacedComma),
        _ => Ok(dollars),
    }
}

fn push_digit(sum: u64, digit: u8) -> Result<u64, AmountError> {
    let value = digit.checked_sub(b'0').filter(|value| *value < 10).ok_or(AmountError::Character)?;
    sum.checked_mul(10).and_then(|sum| sum.checked_add(u64::from(value))).ok_or(AmountError::TooLarge)
}

/// As an amount is written: `$3318.47`.
impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0.saturating_div(100), self.0.checked_rem(100).unwrap_or_default())
    }
}
