//! Records of changes of own limits: who changed what, when, from what to what.

use super::{Millis, OwnLimit};

/// Record of one change of a limit. It is written together with the change, and never changes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The version of the limit that the change has made.
    pub version: u64,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The instant of the change. For a limit event, that of the event.
    pub changed_at: Millis,
    /// Who made the change: a caller, or `limit-event/` and the event's sequence number.
    pub changed_by: String,
    /// The limit before the change, settled at the moment of the write; `None` if the change has created it.
    pub before: Option<OwnLimit>,
    /// The limit after the change.
    pub after: OwnLimit,
}

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A request has created the limit.
    Created,
    /// The maximum is lower.
    Lowered,
    /// A higher maximum waits.
    IncreaseRequested,
    /// The removal of the limit waits.
    RemovalRequested,
    /// The pending change is withdrawn.
    Withdrawn,
    /// The pending change is confirmed.
    Confirmed,
    /// A limit event has defined the limit, or replaced its definition.
    Defined,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [ChangeKind; 7] = [
        ChangeKind::Created,
        ChangeKind::Lowered,
        ChangeKind::IncreaseRequested,
        ChangeKind::RemovalRequested,
        ChangeKind::Withdrawn,
        ChangeKind::Confirmed,
        ChangeKind::Defined,
    ];

    /// Returns the name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            ChangeKind::Created => "CREATED",
            ChangeKind::Lowered => "LOWERED",
            ChangeKind::IncreaseRequested => "INCREASE_REQUESTED",
            ChangeKind::RemovalRequested => "REMOVAL_REQUESTED",
            ChangeKind::Withdrawn => "WITHDRAWN",
            ChangeKind::Confirmed => "CONFIRMED",
            ChangeKind::Defined => "DEFINED",
        }
    }
}
