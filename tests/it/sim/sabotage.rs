//! Mechanisms that are broken on purpose.

use chrono::TimeDelta;

use super::simulation::{Chances, CustomerFaults, beginning};

/// A mechanism that is broken on purpose. The checks must detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// A commit succeeds although an event of it has a record.
    NoRecordCondition,
    /// A commit succeeds although a usage row has changed since it was read.
    NoRowCondition,
    /// Reads return expired records as records in force.
    NoExpiry,
    /// No redelivery is recognised: every record seems to come from another message.
    RedeliveryIgnored,
    /// No record is written as pending.
    NoPendingRecord,
    /// A refused decision counts as published, so its customer is not stopped.
    NoStop,
    /// A commit may write its records without its usage rows.
    TornCommit,
    /// A customer's next decision is published before the previous one is confirmed. Refused decisions are offered
    /// again.
    ImpatientPublishing,
    /// A commit that conflicts is repeated unchanged, without end.
    EndlessRetry,
    /// Messages are deleted as soon as they are received.
    DeletedOnReceipt,
    /// A redrive deletes dead letters as soon as it receives them.
    DeadLettersDeletedOnReceipt,
    /// The usage row alone commits an accepted load.
    OneWriteAccept,
    /// A stored decision waits for the commit of the messages behind it.
    StoredWaits,
    /// Commits neither check the fence's version nor change it.
    NoFence,
    /// The second read returns the rows as they stood before it reads the fence.
    FenceReadLast,
    /// The second read is no transaction: it returns a commit that is half applied.
    PlainReads,
    /// Fences are deleted now and then, and start again.
    FenceDeleted,
    /// Own limits are read eventually consistent.
    OwnLimitsEventual,
    /// Loads that a row no longer keeps do not count in its totals either.
    CapForgotten,
    /// A fence keeps totals although some writers do not know it yet.
    EarlyTotals,
    /// Totals count although the rows do not show every commit.
    UncheckedCount,
    /// The log confirms entries before it has written them.
    LogAfterSettling,
}

impl Sabotage {
    /// Raises the chances of the faults that reveal a rare defect.
    pub fn provoke(self, mut chances: Chances, mut customer_faults: CustomerFaults) -> (Chances, CustomerFaults) {
        match self {
            Sabotage::StoredWaits => {
                chances.killed = 250;
                customer_faults.refused_until = beginning() + TimeDelta::minutes(10);
                customer_faults.refused_events.0 = 2;
            }
            Sabotage::PlainReads | Sabotage::UncheckedCount => chances.slow_apply = 700,
            Sabotage::NoFence | Sabotage::FenceReadLast | Sabotage::FenceDeleted | Sabotage::EarlyTotals => {
                chances.slow = 100;
            }
            _ => {}
        }
        (chances, customer_faults)
    }

    /// Returns true for a mechanism that only runs with long limits or customers' own limits have.
    pub const fn needs_long_limits(self) -> bool {
        matches!(
            self,
            Sabotage::NoFence
                | Sabotage::FenceReadLast
                | Sabotage::PlainReads
                | Sabotage::FenceDeleted
                | Sabotage::OwnLimitsEventual
                | Sabotage::CapForgotten
                | Sabotage::EarlyTotals
                | Sabotage::UncheckedCount
        )
    }
}
