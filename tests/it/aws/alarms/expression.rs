//! Metric math of CloudWatch, as far as template.yaml uses it. See "Metric math syntax and functions" in the
//! CloudWatch user guide.

use super::{Metrics, Series};

/// Evaluates an expression over metrics of equal length, which it names by their ids.
pub fn evaluate(text: &str, metrics: &Metrics) -> Series {
    let length = metrics.values().map(Vec::len).max().unwrap();
    let spaced = ["(", ")", ","].iter().fold(text.to_owned(), |text, sign| text.replace(sign, &format!(" {sign} ")));
    let mut parser = Parser { words: spaced.split_whitespace().map(str::to_owned).collect(), at: 0, metrics, length };
    let value = parser.conjunction();
    assert_eq!(parser.at, parser.words.len(), "{text}");
    value
}

struct Parser<'m> {
    words: Vec<String>,
    at: usize,
    metrics: &'m Metrics,
    length: usize,
}

impl Parser<'_> {
    /// Parses `a AND b`.
    fn conjunction(&mut self) -> Series {
        let mut left = self.comparison();
        while self.takes("AND") {
            left = zip(&left, &self.comparison(), |one, other| truth(one != 0.0 && other != 0.0));
        }
        left
    }

    fn comparison(&mut self) -> Series {
        let left = self.sum();
        if self.takes(">") {
            return zip(&left, &self.sum(), |one, other| truth(one > other));
        }
        if self.takes(">=") {
            return zip(&left, &self.sum(), |one, other| truth(one >= other));
        }
        if self.takes("==") {
            return zip(&left, &self.sum(), |one, other| truth((one - other).abs() < f64::EPSILON));
        }
        left
    }

    fn sum(&mut self) -> Series {
        let mut left = self.product();
        loop {
            if self.takes("+") {
                left = zip(&left, &self.product(), |one, other| one + other);
            } else if self.takes("-") {
                left = zip(&left, &self.product(), |one, other| one - other);
            } else {
                return left;
            }
        }
    }

    fn product(&mut self) -> Series {
        let mut left = self.term();
        while self.takes("*") {
            left = zip(&left, &self.term(), |one, other| one * other);
        }
        left
    }

    fn term(&mut self) -> Series {
        let word = self.words[self.at].clone();
        self.at += 1;
        match word.as_str() {
            "FILL" => {
                let [series, filler] = self.arguments();
                series.into_iter().zip(filler).map(|(value, filler)| value.or(filler)).collect()
            }
            // Each value minus the previous one. The first value has no previous one.
            "DIFF" => {
                let [series] = self.arguments();
                let before = std::iter::once(None).chain(series.iter().copied());
                series.iter().zip(before).map(|(value, before)| Some((*value)? - before?)).collect()
            }
            "IF" => {
                let [condition, yes, no] = self.arguments();
                let chosen = condition.into_iter().zip(yes.into_iter().zip(no));
                chosen.map(|(condition, (yes, no))| if condition? == 0.0 { no } else { yes }).collect()
            }
            number if number.starts_with(|first: char| first.is_ascii_digit()) => {
                vec![Some(number.parse().unwrap()); self.length]
            }
            id => self.metrics.get(id).unwrap_or_else(|| panic!("{id} is not modelled")).clone(),
        }
    }

    fn arguments<const COUNT: usize>(&mut self) -> [Series; COUNT] {
        assert!(self.takes("("));
        let arguments = std::array::from_fn(|place| {
            assert!(place == 0 || self.takes(","));
            self.conjunction()
        });
        assert!(self.takes(")"));
        arguments
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is_next);
        is_next
    }
}

fn zip(one: &Series, other: &Series, combine: impl Fn(f64, f64) -> f64) -> Series {
    one.iter().zip(other).map(|(one, other)| Some(combine((*one)?, (*other)?))).collect()
}

fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}
