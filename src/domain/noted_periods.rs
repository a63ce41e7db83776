//! A short list of periods in one number.

use super::OwnPeriod;

/// Periods of own limits, each once, in the order in which they were noted. It is one number, because it is a part of every
/// decision, and decisions are copied.
#[derive(Clone, Copy, Default)]
pub(super) struct NotedPeriods {
    /// A byte for each, from the lowest on: its place in [`OwnPeriod::ALL`], from 1. There is room for all.
    places: u64,
}

const _: [OwnPeriod; size_of::<NotedPeriods>()] = OwnPeriod::ALL;

impl NotedPeriods {
    /// Returns true when no period has been noted.
    pub(super) const fn is_empty(self) -> bool {
        self.places == 0
    }

    /// Notes a period, unless it has been noted.
    pub(super) fn note(&mut self, period: OwnPeriod) {
        let mut places = self.places.to_le_bytes();
        let place = (1..).zip(OwnPeriod::ALL).find_map(|(place, known)| (known == period).then_some(place));
        if let Some(place) = place
            && let Some(free) = places.iter_mut().find(|noted| [0, place].contains(*noted))
        {
            *free = place;
        }
        self.places = u64::from_le_bytes(places);
    }

    /// Returns the periods, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = OwnPeriod> {
        let period = |place: u8| OwnPeriod::ALL.get(usize::from(place.checked_sub(1)?)).copied();
        self.places.to_le_bytes().into_iter().filter_map(period)
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
