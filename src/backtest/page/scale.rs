//! Scales of plots, with round numbers at their ticks.

/// A scale from 0 to a round number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// The distance of two ticks.
    step: u128,
    /// The largest number: a multiple of the step.
    top: u128,
}

impl Scale {
    /// Returns a scale with at most so many ticks above 0 that reaches to `max`. It has at least one.
    pub(super) fn up_to(max: u128, ticks_max: u128) -> Scale {
        let (max, ticks_max) = (max.max(1), ticks_max.max(1));
        let needed = max.div_ceil(ticks_max);
        let mut power = 1_u128;
        while power.saturating_mul(10) < needed && power.saturating_mul(10) > power {
            power = power.saturating_mul(10);
        }
        let round = [1, 2, 5, 10].map(|digit| power.saturating_mul(digit));
        let step = round.into_iter().find(|step| *step >= needed).unwrap_or(needed);
        Scale { step, top: step.saturating_mul(max.div_ceil(step)) }
    }

    /// Returns a scale that ends at `max`, for a plot without ticks between.
    pub(super) const fn ending_at(max: u128) -> Scale {
        let top = if max == 0 { 1 } else { max };
        Scale { step: top, top }
    }

    /// Returns the ticks, from 0 on.
    pub(super) fn ticks(self) -> impl Iterator<Item = u128> {
        let last = self.top / self.step;
        (0..=last).map(move |tick| tick.saturating_mul(self.step))
    }

    /// Returns the length of a value, where the largest number has the length `whole`.
    pub(super) fn length(self, value: u128, whole: i32) -> i32 {
        let (value, whole_length) = (value.min(self.top), u128::from(whole.unsigned_abs()));
        let length = match value.checked_mul(whole_length) {
            Some(product) => product / self.top,
            None => value / (self.top / whole_length.max(1)).max(1),
        };
        i32::try_from(length).unwrap_or(whole).min(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_largest_value() {
        let ticks = |max| Scale::up_to(max, 4).ticks().collect::<Vec<_>>();
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(5), [0, 2, 4, 6]);
        assert_eq!(ticks(100), [0, 50, 100]);
        assert_eq!(ticks(18_000), [0, 5_000, 10_000, 15_000, 20_000]);
        for max in [1, 9, 99, 12_345, u128::from(u64::MAX), u128::MAX] {
            let scale = Scale::up_to(max, 4);
            assert!((1..=5).contains(&scale.ticks().skip(1).count()), "{max}");
            assert_eq!(scale.length(0, 200), 0);
            assert!((80..=200).contains(&scale.length(max, 200)), "{max}: {}", scale.length(max, 200));
        }
    }
}
