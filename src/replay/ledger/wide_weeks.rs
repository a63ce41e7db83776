//! Weeks whose usage does not fit into a row of the week tables. They hold any amount and any count.

use crate::domain::{Cents, DayAndWeek, LoadTotal, WeekUsage};

/// Number of weeks by which the list grows. Weeks never move, so at most one chunk is partly empty.
const CHUNK_WEEKS: usize = 64;

/// The weeks, each at a fixed place.
#[derive(Debug, Default)]
pub(super) struct WideWeeks {
    chunks: Vec<Vec<WideWeek>>,
}

/// The usage of one week, without the padding of [`WeekUsage`].
#[derive(Clone, Copy, Debug)]
pub(super) struct WideWeek {
    amounts: [Cents; 7],
    counts: [u32; 7],
}

const _: () = assert!(size_of::<WideWeek>() == 88, "what the ledger's text says");

impl WideWeeks {
    /// Adds a week and returns its place.
    pub(super) fn push(&mut self, usage: &WeekUsage) -> u64 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_WEEKS) {
            self.chunks.push(Vec::with_capacity(CHUNK_WEEKS));
        }
        let full = self.chunks.len().saturating_sub(1) * CHUNK_WEEKS;
        let in_chunk = self.chunks.last_mut().map_or(0, |chunk| {
            chunk.push(WideWeek::new(usage));
            chunk.len() - 1
        });
        (full + in_chunk) as u64
    }

    /// Returns the week at a place.
    pub(super) fn get_mut(&mut self, place: u64) -> Option<&mut WideWeek> {
        let place = usize::try_from(place).ok()?;
        self.chunks.get_mut(place / CHUNK_WEEKS)?.get_mut(place % CHUNK_WEEKS)
    }

    /// Returns the number of weeks.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// Returns its allocated memory, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        let weeks: usize = self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<WideWeek>()).sum();
        weeks + self.chunks.capacity() * size_of::<Vec<WideWeek>>()
    }
}

impl WideWeek {
    fn new(usage: &WeekUsage) -> WideWeek {
        WideWeek { amounts: usage.days().map(|day| day.amount), counts: usage.days().map(|day| day.count) }
    }

    pub(super) fn totals(&self, days_since_monday: u8) -> DayAndWeek {
        let mut totals = DayAndWeek::default();
        for (place, (amount, count)) in (0..).zip(self.amounts.into_iter().zip(self.counts)) {
            let day = LoadTotal { amount, count };
            totals.week = totals.week.plus(day);
            if place == days_since_monday {
                totals.day = day;
            }
        }
        totals
    }

    pub(super) fn set_day(&mut self, days_since_monday: u8, usage: LoadTotal) {
        let place = usize::from(days_since_monday);
        if let (Some(amount), Some(count)) = (self.amounts.get_mut(place), self.counts.get_mut(place)) {
            (*amount, *count) = (usage.amount, usage.count);
        }
    }
}
