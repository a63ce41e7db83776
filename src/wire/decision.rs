//! Writing a decision as a line of a file.

use serde::{Serialize, Serializer};

use crate::domain::{Decision, LimitSet, Limits, LoadAttempt};

/// Whether a line names the limits that an attempt would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// Exactly the line of the specification.
    Omitted,
    /// With `"reasons":[…]`, which is empty for an accepted attempt.
    Named,
}

#[derive(Serialize)]
struct DecisionLine<'a> {
    id: &'a str,
    customer_id: &'a str,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Codes<'a>>,
}

/// The codes of the limits in a set, in the order of their table.
struct Codes<'a> {
    set: LimitSet,
    limits: &'a Limits,
}

impl Serialize for Codes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.set.codes(self.limits))
    }
}

/// Adds the line of a decision, with its line feed, to `out`.
pub fn write_decision(
    out: &mut Vec<u8>,
    attempt: &LoadAttempt<'_>,
    decision: Decision,
    limits: &Limits,
    reasons: Reasons,
) {
    let codes = Codes { set: decision.reasons(), limits };
    let line = DecisionLine {
        id: attempt.id.as_str(),
        customer_id: attempt.customer_id.as_str(),
        accepted: decision.is_accepted(),
        reasons: (reasons == Reasons::Named).then_some(codes),
    };
    // Text and truth values written to memory: there is nothing that could fail.
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    }
}
