//! A short list of periods in one number.

use super::OwnPeriod;

/// Periods of own limits, each once, in the order in which they were noted. It is one small number, because it is a part of every
/// decision, and a backtest copies each decision often.
#[derive(Clone, Copy, Default)]
pub(super) struct NotedPeriods {
    /// Four bits for each, from the lowest on: its place in [`OwnPeriod::ALL`], from 1. There is room for all.
    packed: u32,
}

const _: [OwnPeriod; 8] = OwnPeriod::ALL;

impl NotedPeriods {
    /// Returns true when no period has been noted.
    pub(super) const fn is_empty(self) -> bool {
        self.packed == 0
    }

    /// Notes a period, unless it has been noted.
    pub(super) fn note(&mut self, period: OwnPeriod) {
        let mut places = self.places();
        let place = (1..).zip(OwnPeriod::ALL).find_map(|(place, known)| (known == period).then_some(place));
        if let Some(place) = place
            && let Some(free) = places.iter_mut().find(|noted| [0, place].contains(*noted))
        {
            *free = place;
        }
        self.packed = places.iter().rfold(0, |packed, place| packed << 4 | place);
    }

    /// Returns the periods, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = OwnPeriod> {
        let rests = std::iter::successors(Some(self.packed), |rest| Some(rest >> 4));
        let places = rests.take_while(|rest| *rest != 0).map(|rest| rest & 0xf);
        places.filter_map(|place| OwnPeriod::ALL.get(usize::try_from(place.checked_sub(1)?).ok()?).copied())
    }

    fn places(self) -> [u32; OwnPeriod::ALL.len()] {
        let mut rest = self.packed;
        OwnPeriod::ALL.map(|_| {
            let place = rest & 0xf;
            rest >>= 4;
            place
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_noted_once_in_any_order() {
        for (place, first) in OwnPeriod::ALL.into_iter().enumerate() {
            let mut rotated = OwnPeriod::ALL;
            rotated.rotate_left(place);
            let mut noted = NotedPeriods::default();
            assert!(noted.is_empty());
            for (number, period) in rotated.into_iter().enumerate() {
                noted.note(period);
                noted.note(first);
                assert!(!noted.is_empty());
                assert!(noted.iter().eq(rotated.into_iter().take(number + 1)));
            }
        }
    }
}
