//! Texts of figures, for people and programs. All of them are computed with integers.

/// Returns an amount as a decimal number with two decimals, such as `1234.50`.
pub fn decimal(cents: u128) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Returns an amount for people, such as `1,234.50`.
pub fn amount(cents: u128) -> String {
    format!("{}.{:02}", grouped(cents / 100), cents % 100)
}

/// Returns a number with commas between thousands.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a part of a whole in percent with one decimal, rounded down, such as `12.3 %`; a dash if the whole is 0.
pub fn percent(part: u128, whole: u128) -> String {
    match part.saturating_mul(1000).checked_div(whole) {
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        None => "–".to_owned(),
    }
}

/// Returns a round number in few characters, such as `250k`.
pub(super) fn short(number: u128) -> String {
    let units = [(1_000_000_000_000, "tn"), (1_000_000_000, "bn"), (1_000_000, "m"), (1_000, "k")];
    match units.iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => {
            let tenths = number % unit * 10 / unit;
            let decimal = if tenths > 0 { format!(".{tenths}") } else { String::new() };
            format!("{}{decimal}{name}", grouped(number / unit))
        }
        None => number.to_string(),
    }
}

/// Returns a text in which every character is visible: any other one is written as an escape, such as `\u{1b}`.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            visible.extend(character.escape_unicode());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// Returns true for a character that has no visible form of its own, or changes that of its neighbours.
pub(super) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 7, 999, 1_000, 12_345, 999_999, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "999,999", "1,000,000"]);
        assert_eq!((amount(123_450), decimal(123_450)), ("1,234.50".to_owned(), "1234.50".to_owned()));
        assert_eq!((amount(5), decimal(5)), ("0.05".to_owned(), "0.05".to_owned()));
    }

    #[test]
    fn percentages_are_rounded_down_and_never_divide_by_zero() {
        let texts = [(0, 7), (1, 3), (2, 3), (999, 1_000), (7, 7), (0, 0)].map(|(part, whole)| percent(part, whole));
        assert_eq!(texts, ["0.0 %", "33.3 %", "66.6 %", "99.9 %", "100.0 %", "–"]);
        assert_eq!(percent(u128::MAX, 1), format!("{}.5 %", u128::MAX / 10));
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!(
            [0, 500, 1_000, 2_500, 20_000_000, 5_000_000_000].map(short),
            ["0", "500", "1k", "2.5k", "20m", "5bn"]
        );
    }
}
