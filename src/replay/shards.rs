//! The ledgers of all customers, divided into shards. One thread uses a shard at a time.

use std::iter::repeat_n;
use std::num::NonZeroUsize;

use crate::replay::ledger::{Identity, PendingAttempt};
use crate::replay::ticket_lock::TicketLock;

/// Number of shards for each thread: so many that threads seldom meet in one, and so few that a block has many attempts for each.
const THREAD_SHARDS: u32 = 16;

/// Maximum number of shards.
const SHARDS_MAX: u32 = 64;

/// The ledgers, each an `L`.
#[derive(Debug)]
pub(super) struct Shards<L> {
    ledgers: Vec<TicketLock<L>>,
    /// Shard of a customer, by a draw. The last shard gets twice as many customers as the first: a
    /// table doubles when it is full, and so they do not all double at the same time.
    shard_by_draw: Vec<u8>,
    draws: u32,
}

impl<L> Shards<L> {
    pub(super) fn new(threads: NonZeroUsize, ledger: impl Fn() -> L) -> Shards<L> {
        let threads = u32::try_from(threads.get()).unwrap_or(SHARDS_MAX);
        let count = threads.saturating_mul(THREAD_SHARDS).min(SHARDS_MAX);
        let shares = (count..).zip(0..).take(count as usize);
        let shard_by_draw: Vec<u8> = shares.flat_map(|(share, shard)| repeat_n(shard, share as usize)).collect();
        Shards {
            ledgers: (0..count).map(|_| TicketLock::new(ledger())).collect(),
            draws: u32::try_from(shard_by_draw.len()).unwrap_or(u32::MAX),
            shard_by_draw,
        }
    }

    /// Passes through every shard in the ticket's turn. There, `decide` gets the attempts of the shard's customers, in order.
    /// None when the shards have been closed.
    pub(super) fn pass<'b>(
        &self,
        ticket: u64,
        attempts: &mut [PendingAttempt<'b>],
        mut decide: impl FnMut(&mut L, &mut [&mut PendingAttempt<'b>]),
    ) -> Option<()> {
        // As many as an even share, and half of it again: few lists grow.
        let share = attempts.len().div_ceil(self.ledgers.len()) * 3 / 2;
        let mut by_shard: Vec<Vec<&mut PendingAttempt<'b>>> =
            self.ledgers.iter().map(|_| Vec::with_capacity(share)).collect();
        for pending in attempts {
            if let Some(attempts) = self.shard(pending.identity).and_then(|shard| by_shard.get_mut(shard)) {
                attempts.push(pending);
            }
        }
        for (ledger, mut attempts) in self.ledgers.iter().zip(by_shard) {
            decide(&mut *ledger.enter(ticket)?, &mut attempts);
        }
        Some(())
    }

    /// Admits no further ticket.
    pub(super) fn close(&self) {
        self.ledgers.iter().for_each(TicketLock::close);
    }

    pub(super) fn into_ledgers(self) -> impl Iterator<Item = L> {
        self.ledgers.into_iter().map(TicketLock::into_inner)
    }

    fn shard(&self, identity: Identity) -> Option<usize> {
        self.shard_by_draw.get(identity.draw_by_customer(self.draws) as usize).copied().map(usize::from)
    }
}
