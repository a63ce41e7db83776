//! Money: exact, non-negative amounts in integer cents, and the currency of a deployment.

use std::fmt;

/// An amount in cents, the hundredths of the deployment's currency. A sum saturates at [`u64::MAX`] cents, which exceeds every possible limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(u64);

/// An ISO 4217 code of a currency: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency([u8; 3]);

/// Reason why a text is not an amount. It never repeats the text, because amounts must stay out of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// A digit is missing where the amount should begin.
    #[error("has no digits where the amount should begin")]
    NoDollars,
    /// A comma does not separate thousands.
    #[error("has a comma that does not part thousands")]
    MisplacedComma,
    /// No digit, or more than two, follow the decimal point.
    #[error("must have one or two digits after the point; it is never rounded")]
    Decimals,
    /// The text has a character that no amount has: a sign, a space, a letter.
    #[error("has a character that no amount has; write it like 3,318.47")]
    Character,
    /// The amount is more than [`Cents::LOAD_MAX`].
    #[error("is more than 90071992547409.91, the largest amount allowed")]
    TooLarge,
}

impl Currency {
    /// The default currency.
    pub const USD: Currency = Currency(*b"USD");

    /// Reads a code. Returns `None` for anything but three capital letters.
    pub fn parse(code: &str) -> Option<Currency> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Currency(code))
    }

    /// Formats an amount like `$3318.47`, or with the code of another currency than US dollars, like `EUR3318.47`.
    pub fn format(self, amount: Cents) -> String {
        let dollars = amount.to_string();
        if self == Currency::USD { dollars } else { dollars.replace('$', self.code()) }
    }

    /// Returns the code.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Cents {
    /// The largest amount of one load: 2^53 - 1 cents, the largest integer that every JSON reader represents exactly.
    pub const LOAD_MAX: Cents = Cents((1 << 53) - 1);

    /// Creates an amount of `cents` cents.
    pub const fn new(cents: u64) -> Cents {
        Cents(cents)
    }

    /// Returns the number of cents.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the sum, or [`u64::MAX`] cents if it would be more.
    #[must_use]
    pub const fn saturating_add(self, other: Cents) -> Cents {
        Cents(self.0.saturating_add(other.0))
    }

    /// Reads an amount as events and requests about limits write it: 1 to 14 digits of whole units, and at most two decimals
    /// after a point. `None` for anything else.
    pub fn of_units(text: &str) -> Option<Cents> {
        let (units, fraction) = text.split_once('.').map_or((text, "00"), |(units, fraction)| (units, fraction));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_amount = (1..=14).contains(&units.len()) && (1..=2).contains(&fraction.len());
        if !is_amount || !are_digits(units) || !are_digits(fraction) {
            return None;
        }
        format!("{units}{fraction:0<2}").parse().ok().map(Cents)
    }

    /// Reads an amount of US dollars.
    ///
    /// # Errors
    /// See [`Cents::parse_in`].
    pub fn parse(text: &str) -> Result<Cents, AmountError> {
        Cents::parse_in(text, Currency::USD)
    }

    /// Reads an amount: the currency's code, which is optional; for US dollars an optional `$`; digits with optional
    /// thousands commas; and an optional point with one or two decimals.
    ///
    /// # Errors
    /// [`AmountError`] when the text is anything else, or is above [`Cents::LOAD_MAX`].
    #[inline]
    pub fn parse_in(text: &str, currency: Currency) -> Result<Cents, AmountError> {
        let plain = text.strip_prefix('$').filter(|_| currency == Currency::USD);
        match plain.and_then(|number| read_plain(number.as_bytes())) {
            Some(cents) => Ok(cents),
            None => Cents::parse_any(text, currency),
        }
    }

    /// Reads an amount of any form.
    fn parse_any(text: &str, currency: Currency) -> Result<Cents, AmountError> {
        let number = text.as_bytes();
        let number = number.strip_prefix(&currency.0).unwrap_or(number);
        let number = if currency == Currency::USD { number.strip_prefix(b"$").unwrap_or(number) } else { number };
        let (dollars, rest) = read_dollars(number)?;
        let decimals = match *rest {
            [] => [b'0', b'0'],
            [b'.', tenths] => [tenths, b'0'],
            [b'.', tenths, hundredths] => [tenths, hundredths],
            _ => return Err(AmountError::Decimals),
        };
        let cents = decimals.into_iter().try_fold(dollars, push_digit)?;
        if cents > Cents::LOAD_MAX.0 { Err(AmountError::TooLarge) } else { Ok(Cents(cents)) }
    }
}

/// Reads the plain form that most amounts have: some digits, too few for more than [`Cents::LOAD_MAX`], a point and two digits.
/// `None` for any other form, which takes longer to read.
#[inline]
fn read_plain(number: &[u8]) -> Option<Cents> {
    let (units, [b'.', decimals @ ..]) = number.split_last_chunk::<3>()? else { return None };
    if !(1..=13).contains(&units.len()) {
        return None;
    }
    let push = |sum: u64, byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum.wrapping_mul(10).wrapping_add(digit.into()))
    };
    decimals.iter().try_fold(units.iter().try_fold(0, push)?, push).map(Cents)
}

/// Reads plain digits, or one to three digits followed by groups of a comma and three digits, up to a point or the end. Returns
/// what is left.
fn read_dollars(text: &[u8]) -> Result<(u64, &[u8]), AmountError> {
    let (mut dollars, mut group, mut is_grouped, mut rest) = (0, text, false, text);
    while let [byte, after @ ..] = rest {
        match *byte {
            b'.' => break,
            b',' => {
                check_group(group.len().saturating_sub(rest.len()), is_grouped)?;
                (group, is_grouped) = (after, true);
            }
            digit => dollars = push_digit(dollars, digit)?,
        }
        rest = after;
    }
    match (group.len().saturating_sub(rest.len()), is_grouped) {
        (0, false) => Err(AmountError::NoDollars),
        (1.., false) | (3, true) => Ok((dollars, rest)),
        _ => Err(AmountError::MisplacedComma),
    }
}

/// Checks the number of digits before a comma.
fn check_group(digits: usize, is_grouped: bool) -> Result<(), AmountError> {
    match (digits, is_grouped) {
        (1..=3, false) | (3, true) => Ok(()),
        _ => Err(AmountError::MisplacedComma),
    }
}

fn push_digit(sum: u64, digit: u8) -> Result<u64, AmountError> {
    let value = digit.checked_sub(b'0').filter(|value| *value < 10).ok_or(AmountError::Character)?;
    sum.checked_mul(10).and_then(|sum| sum.checked_add(u64::from(value))).ok_or(AmountError::TooLarge)
}

/// Formats the amount like `$3318.47`.
impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0.saturating_div(100), self.0.checked_rem(100).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_form_is_read_as_any_other() {
        let mut plain = 0;
        for digits in 0..=20 {
            for end in ["", ".", ".4", ".47", ".470", ".4x", ",000.47", ".-7", "x.47", " .47"] {
                let text = format!("${}{end}", "31847291650918273645".get(..digits).unwrap_or_default());
                assert_eq!(Cents::parse(&text), Cents::parse_any(&text, Currency::USD), "{text}");
                plain += usize::from(read_plain(text.as_bytes().get(1..).unwrap_or_default()).is_some());
            }
        }
        assert_eq!(plain, 13);
        assert_eq!(Cents::parse("$9999999999999.99"), Ok(Cents(999_999_999_999_999)));
        assert_eq!(Cents::parse_in("$3.00", Currency(*b"EUR")), Err(AmountError::Character));
    }
}
