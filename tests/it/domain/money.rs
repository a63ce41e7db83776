//! Amounts: exact integer cents, in every form that the specification allows, and in no other form.

use loadgate::domain::{AmountError, Cents, Currency};
use proptest::prelude::*;

use crate::support::oracle;

#[test]
fn every_allowed_form_is_parsed_exactly() {
    for (text, cents) in [
        ("$3318.47", 331_847),
        ("3318.47", 331_847),
        ("USD3318.47", 331_847),
        ("USD$3318.47", 331_847),
        ("$3,318.47", 331_847),
        ("USD$1,234,567.89", 123_456_789),
        ("$12", 1_200),
        ("$12.5", 1_250),
        ("$12.05", 1_205),
        ("0", 0),
        ("$0.00", 0),
        ("0.01", 1),
        ("$007", 700),
        ("$000,007.10", 710),
        ("$90071992547409.91", 9_007_199_254_740_991),
        ("$90,071,992,547,409.91", 9_007_199_254_740_991),
        ("0000000000000000000000000000000000000001", 100),
    ] {
        assert_eq!(Cents::parse(text), Ok(Cents::new(cents)), "{text}");
    }
}

#[test]
fn every_other_form_is_refused_with_its_reason() {
    use AmountError::{Character, Decimals, MisplacedComma, NoDollars, TooLarge};
    for (text, error) in [
        ("", NoDollars),
        ("$", NoDollars),
        ("USD", NoDollars),
        ("USD$", NoDollars),
        (".50", NoDollars),
        ("$.50", NoDollars),
        ("$1.", Decimals),
        ("$1.234", Decimals),
        ("$1.000", Decimals),
        ("$1.2.3", Decimals),
        ("1.,5", Character),
        ("$1,00", MisplacedComma),
        ("$1,0000", MisplacedComma),
        ("$1234,567", MisplacedComma),
        ("$1,234,56", MisplacedComma),
        ("$1,,234", MisplacedComma),
        (",123", MisplacedComma),
        ("$1,234,", MisplacedComma),
        ("-1", Character),
        ("+1", Character),
        ("$-1", Character),
        (" 1", Character),
        ("1 ", Character),
        ("$ 1", Character),
        ("$USD1", Character),
        ("usd1", Character),
        ("$$1", Character),
        ("€1", Character),
        ("1e3", Character),
        ("١", Character),
        ("$90071992547409.92", TooLarge),
        ("$99999999999999999999999999", TooLarge),
        ("$184467440737095516.16", TooLarge),
    ] {
        assert_eq!(Cents::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_currency_s_code_is_the_prefix_and_the_dollar_sign_is_for_us_dollars() {
    let parse = |text, currency| Cents::parse_in(text, Currency::parse(currency).unwrap()).map(Cents::get);
    assert_eq!(parse("EUR3,318.47", "EUR"), Ok(331_847));
    assert_eq!(parse("3318.4", "EUR"), Ok(331_840));
    for text in ["$3318.47", "USD3318.47", "EUR$3318.47", "eur3318.47"] {
        assert_eq!(parse(text, "EUR"), Err(AmountError::Character), "{text}");
    }
    assert_eq!(parse("EUR1", "USD"), Err(AmountError::Character));
    for code in ["", "EU", "EURO", "eur", "E\u{dc}", "US1"] {
        assert_eq!(Currency::parse(code), None, "{code}");
    }
}

proptest! {
    #[test]
    fn parsing_agrees_with_the_oracle(text in r"(USD)?\$?[0-9,]{0,12}(\.[0-9]{0,3})?|[0-9$,.USD -]{0,10}|\PC{0,6}") {
        prop_assert_eq!(Cents::parse(&text).ok().map(Cents::get), oracle::cents(&text));
    }

    #[test]
    fn a_printed_amount_parses_to_the_same_amount(cents in 0..=Cents::LOAD_MAX.get()) {
        prop_assert_eq!(Cents::parse(&Cents::new(cents).to_string()), Ok(Cents::new(cents)));
    }
}
