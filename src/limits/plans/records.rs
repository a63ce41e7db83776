//! Stored data: plan versions, programmes and links.

use crate::deciding::digest_hex;
use crate::domain::{Limits, Millis, PlanVersion};

/// Number of shards of a programme's roster. Each is written at the rate of one partition of a table.
pub const ROSTER_SHARDS: u8 = 16;

/// Person or program that makes a change: an IAM ARN, or the name in the request or on the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author(pub String);

/// A plan version with its limits. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPlan {
    /// The plan and the version.
    pub plan: PlanVersion,
    /// The limits.
    pub limits: Limits,
    /// The instant of its creation.
    pub created_at: Millis,
    /// Its author.
    pub created_by: Author,
}

/// Some plans, each with its latest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanPage {
    /// The plans, in the order of their ids.
    pub plans: Vec<PlanVersion>,
    /// The plan id behind which the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// A programme, which customers are enrolled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// 0 for a programme that does not exist yet. Each change of the default plan adds 1.
    pub version: u64,
    /// The plan of all its customers that have none of their own.
    pub default_plan: Option<PlanVersion>,
}

/// A customer's programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The programme; `None` if the customer is in none.
    pub program_id: Option<String>,
    /// 0 for a customer that never was in a programme. Each change adds 1.
    pub version: u64,
}

/// A customer's move to another programme, or out of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The customer.
    pub customer_id: String,
    /// The programme as it was read. The write fails if it has changed since.
    pub before: Membership,
    /// The programme after the write; `None` if the customer is removed from it.
    pub after: Option<String>,
}

/// The link of a customer to a plan version, or what its removal has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Number of the last link or unlink, from the counter of the deployment; 0 if there never was one.
    pub number: u64,
    /// The plan version; `None` without a link.
    pub plan: Option<PlanVersion>,
    /// The instant of the last link or unlink.
    pub linked_at: Option<Millis>,
    /// The author of the last link or unlink.
    pub linked_by: Option<Author>,
}

/// Returns the shard of a programme's roster that has a customer: 0 to [`ROSTER_SHARDS`] - 1. It never changes.
pub fn roster_shard(customer_id: &str) -> u8 {
    let digest = digest_hex(&[customer_id.as_bytes()]);
    digest.get(..2).and_then(|byte| u8::from_str_radix(byte, 16).ok()).unwrap_or_default() % ROSTER_SHARDS
}
