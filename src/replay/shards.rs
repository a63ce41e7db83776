//! All customers' ledgers, dealt out to stripes, each of which one thread uses at a time.

use std::iter::repeat_n;

use crate::domain::Limits;
use crate::replay::ledger::{Identity, Ledger, PendingAttempt};
use crate::replay::line::Line;
use crate::replay::ticket_lock::TicketLock;

/// How many stripes there are: so many that threads seldom meet in one, and that one stripe's tables are a small part
/// of the memory.
const STRIPES: u32 = 64;

/// The ledgers.
#[derive(Debug)]
pub(super) struct Shards {
    ledgers: Vec<TicketLock<Ledger>>,
    /// Which stripe a customer is dealt to, by a draw. The last stripe gets twice as many customers as the first: a
    /// table doubles when it is full, and so they do not all double at the same time.
    stripe_by_draw: Vec<usize>,
    draws: u32,
}

impl Shards {
    pub(super) fn new() -> Shards {
        let shares = (STRIPES..).zip(0..).take(STRIPES as usize);
        let stripe_by_draw: Vec<usize> = shares.flat_map(|(share, shard)| repeat_n(shard, share as usize)).collect();
        Shards {
            ledgers: (0..STRIPES).map(|_| TicketLock::new(Ledger::default())).collect(),
            draws: u32::try_from(stripe_by_draw.len()).unwrap_or(u32::MAX),
            stripe_by_draw,
        }
    }

    /// Passes through every stripe in the ticket's turn, and decides there the attempts of the stripe's customers.
    /// None when the stripes have been closed.
    pub(super) fn decide(&self, ticket: u64, lines: &mut [Line<'_>], limits: &Limits) -> Option<()> {
        let mut by_stripe: Vec<Vec<&mut PendingAttempt<'_>>> = self.ledgers.iter().map(|_| Vec::new()).collect();
        for line in lines {
            if let Line::Valid(pending) = line
                && let Some(attempts) = self.shard(pending.identity).and_then(|shard| by_stripe.get_mut(shard))
            {
                attempts.push(pending);
            }
        }
        for (ledger, mut attempts) in self.ledgers.iter().zip(by_stripe) {
            ledger.enter(ticket)?.decide(limits, &mut attempts);
        }
        Some(())
    }

    /// Lets no ticket in any more.
    pub(super) fn close(&self) {
        self.ledgers.iter().for_each(TicketLock::close);
    }

    fn shard(&self, identity: Identity) -> Option<usize> {
        self.stripe_by_draw.get(identity.draw_by_customer(self.draws) as usize).copied()
    }
}
