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
    pub fn parse_in(text: &str, currency: Currency) -> Result<Cents, AmountError> {
        let number = text.as_bytes();
        let number = number.strip_prefix(&currency.0).unwrap_or(number);
        let number = if currency == Currency::USD { number.strip_prefix(b"$").unwrap_or(number) } else { number };
        let mut parts = number.splitn(2, |byte| *byte == b'.');
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

/// Reads plain digits, or one to three digits followed by groups of a comma and three digits.
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

/// Formats the amount like `$3318.47`.
impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:02}", self.0.saturating_div(100), self.0.checked_rem(100).unwrap_or_default())
    }
}
