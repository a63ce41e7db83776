//! Rosters: the customers of a programme, in shards.

use super::JobStore;
use crate::deciding::StoreError;
use crate::domain::{CHUNK_CUSTOMERS_MAX, JobSize};
use crate::limits::ROSTER_SHARDS;

/// One shard of a programme's roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterShard<'r> {
    /// The programme.
    pub program_id: &'r str,
    /// The shard, below [`ROSTER_SHARDS`].
    pub shard: u8,
}

/// Place in a roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterCursor {
    /// The shard.
    pub shard: u8,
    /// The customer behind whom the rest of the shard begins; `None` for its beginning.
    pub after: Option<String>,
}

/// A page of a job: customers of the roster, as they were read. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterPage {
    /// The customers.
    pub customers: Vec<String>,
    /// Number of customers of all pages before.
    pub customers_before: u64,
    /// Number of chunks of all pages before.
    pub chunks_before: u32,
    /// The place at which the next page begins; `None` at the end of the roster.
    pub next: Option<RosterCursor>,
}

impl RosterPage {
    /// Returns the chunks with their numbers.
    pub fn chunks(&self) -> impl Iterator<Item = (u32, &[String])> {
        (self.chunks_before..).zip(self.customers.chunks(CHUNK_CUSTOMERS_MAX))
    }

    /// Returns the size of the job up to the end of this page.
    pub fn size(&self) -> JobSize {
        let chunks = self.customers.len().div_ceil(CHUNK_CUSTOMERS_MAX);
        JobSize {
            customers: self.customers_before.saturating_add(u64::try_from(self.customers.len()).unwrap_or(u64::MAX)),
            chunks: self.chunks_before.saturating_add(u32::try_from(chunks).unwrap_or(u32::MAX)),
        }
    }

    /// Reads the page that follows `before`, across the shards in their order, until it has `max` customers or the roster
    /// ends.
    pub(super) async fn read(
        store: &impl JobStore,
        program_id: &str,
        from: RosterCursor,
        before: JobSize,
        max: usize,
    ) -> Result<RosterPage, StoreError> {
        let (mut customers, mut place) = (Vec::new(), Some(from));
        while let Some(RosterCursor { shard, after }) = place.clone() {
            let room = max.saturating_sub(customers.len());
            if room == 0 {
                break;
            }
            let read = store.read_roster(&RosterShard { program_id, shard }, after.as_deref(), room).await?;
            place = match read.last() {
                Some(last) if read.len() >= room => Some(RosterCursor { shard, after: Some(last.clone()) }),
                _ => next_shard(shard),
            };
            customers.extend(read);
        }
        let JobSize { customers: customers_before, chunks: chunks_before } = before;
        Ok(RosterPage { customers, customers_before, chunks_before, next: place })
    }
}

fn next_shard(shard: u8) -> Option<RosterCursor> {
    let next = shard.saturating_add(1);
    (next < ROSTER_SHARDS).then_some(RosterCursor { shard: next, after: None })
}
