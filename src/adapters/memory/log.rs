//! The decision log in memory.

use std::ops::Bound;

use super::MemoryStore;
use crate::deciding::{LogPage, LogReader, LogScan, LogStart, StoreError, Units};
use crate::domain::LogEntry;

impl LogReader for MemoryStore {
    async fn read_run(&self, run_id: &str, after: Option<u64>, max: u16) -> Result<LogPage, StoreError> {
        let first =
            after.map_or(Bound::Included((run_id.to_owned(), 0)), |after| Bound::Excluded((run_id.to_owned(), after)));
        let range = (first, Bound::Included((run_id.to_owned(), u64::MAX)));
        let tables = self.tables();
        let (entries, is_end) = page(tables.log.range(range).map(|(_, entry)| entry), max);
        let next = entries.last().filter(|_| !is_end).map(|entry| entry.position.seq);
        Ok(LogPage { entries, next })
    }

    async fn delete_entries(&self, run_id: &str, seqs: &[u64]) -> Result<Vec<u64>, StoreError> {
        let mut tables = self.tables();
        for seq in seqs {
            tables.log.remove(&(run_id.to_owned(), *seq));
        }
        Ok(vec![])
    }

    async fn scan_log(&self, start: Option<LogStart>, max: u16) -> Result<LogScan, StoreError> {
        let first = start.map_or(Bound::Unbounded, |LogStart { run_id, seq }| Bound::Excluded((run_id, seq)));
        let tables = self.tables();
        let (entries, is_end) = page(tables.log.range((first, Bound::Unbounded)).map(|(_, entry)| entry), max);
        let last = entries.last().filter(|_| !is_end);
        let next =
            last.map(|LogEntry { position, .. }| LogStart { run_id: position.run_id.clone(), seq: position.seq });
        Ok(LogScan { entries, next, units: Units::default() })
    }
}

/// Returns the first entries, and true if there are no others.
fn page<'e>(entries: impl Iterator<Item = &'e LogEntry>, max: u16) -> (Vec<LogEntry>, bool) {
    let mut entries: Vec<LogEntry> = entries.take(usize::from(max) + 1).cloned().collect();
    let is_end = entries.len() <= usize::from(max);
    entries.truncate(usize::from(max));
    (entries, is_end)
}
