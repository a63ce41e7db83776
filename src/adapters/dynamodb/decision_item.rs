//! Conversion between decisions and attributes of DynamoDB items. Records and entries of the decision log share it.

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, L, M, N, S};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::item::{CUSTOMER_ID, EVENT_ID, Item, MISSING, Reader, event_key, item, number};
use super::plan_item::{PLAN, PROGRAM_ID, from_plan_version, to_plan_version};
use crate::deciding::StoreError;
use crate::domain::{EventKey, LimitOrigin, LimitUsage, LogPosition, Millis, ShadowCodes, StoredDecision, Verdict};

const ACCEPTED: &str = "ACCEPTED";
const REASONS: &str = "REASONS";
const LOAD_AMOUNT: &str = "LOAD_AMOUNT";
const TIME: &str = "TIME";
const DECIDED_AT: &str = "DECIDED_AT";
const USAGE: &str = "USAGE";
/// Codes of shadow limits that the attempt would have broken. Of an entry of the usage: true for a shadow limit.
const SHADOW: &str = "SHADOW";
/// Codes of shadow limits that were not judged.
const UNJUDGED: &str = "UNJUDGED";
const CODE: &str = "CODE";
const USED: &str = "USED";
const LIMIT: &str = "LIMIT";
/// Id of a customer's own limit.
const LIMIT_ID: &str = "LIMIT_ID";
/// End of the span of a limit, in milliseconds since 1970.
const RESETS_AT: &str = "RESETS_AT";

/// Converts a decision to attributes. Its position in the log is not among them.
pub fn from_decision(decision: &StoredDecision) -> Item {
    let mut attributes = event_key(&decision.key);
    attributes.extend(item([
        (ACCEPTED, Bool(decision.verdict.is_accepted())),
        (REASONS, L(decision.verdict.reasons().iter().cloned().map(S).collect())),
        (LOAD_AMOUNT, S(decision.load_amount.clone())),
        (TIME, S(decision.time.clone())),
        (DECIDED_AT, S(decision.decided_at.to_rfc3339_opts(SecondsFormat::Millis, true))),
        (USAGE, L(decision.usage.iter().map(from_usage).collect())),
    ]));
    attributes.extend(from_origin(&decision.origin));
    for (name, codes) in [(SHADOW, &decision.shadow.broken), (UNJUDGED, &decision.shadow.unjudged)] {
        if !codes.is_empty() {
            attributes.insert(name.to_owned(), L(codes.iter().cloned().map(S).collect()));
        }
    }
    attributes
}

/// Reads a decision with this position in the log.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_decision(reader: &Reader<'_>, log: Option<LogPosition>) -> Result<StoredDecision, StoreError> {
    let strings =
        |values: &[AttributeValue]| values.iter().map(|value| value.as_s().ok().cloned()).collect::<Option<Vec<_>>>();
    let codes = |name| reader.optional(name, |value| strings(value.as_l().ok()?)).map(Option::unwrap_or_default);
    let is_accepted = reader.get(ACCEPTED, |value| value.as_bool().ok().copied())?;
    Ok(StoredDecision {
        key: EventKey { customer_id: reader.string(CUSTOMER_ID)?, event_id: reader.string(EVENT_ID)? },
        verdict: reader.get(REASONS, |value| Verdict::new(is_accepted, strings(value.as_l().ok()?)?))?,
        load_amount: reader.string(LOAD_AMOUNT)?,
        time: reader.string(TIME)?,
        decided_at: reader.get(DECIDED_AT, |value| value.as_s().ok()?.parse::<DateTime<Utc>>().ok())?.trunc_subsecs(3),
        usage: reader.get(USAGE, |value| value.as_l().ok()?.iter().map(to_usage).collect())?,
        origin: to_origin(reader)?,
        shadow: ShadowCodes { broken: codes(SHADOW)?, unjudged: codes(UNJUDGED)? },
        log,
    })
}

/// Reads an instant in whole seconds since 1970. One after the calendar's end counts as its end, one before its beginning
/// as its beginning.
pub fn epoch(value: &AttributeValue) -> Option<DateTime<Utc>> {
    let seconds = number::<i64>(value)?;
    Some(DateTime::from_timestamp(seconds, 0).unwrap_or(match seconds {
        ..0 => DateTime::<Utc>::MIN_UTC,
        _ => DateTime::<Utc>::MAX_UTC.trunc_subsecs(0),
    }))
}

fn from_usage(usage: &LimitUsage) -> AttributeValue {
    let number = |number: u64| N(number.to_string());
    let mut entry = item([(CODE, S(usage.code.clone())), (USED, number(usage.used)), (LIMIT, number(usage.limit))]);
    if let Some(limit_id) = &usage.limit_id {
        entry.insert(LIMIT_ID.to_owned(), S(limit_id.clone()));
    }
    if usage.is_shadow {
        entry.insert(SHADOW.to_owned(), Bool(true));
    }
    if let Some(resets_at) = usage.resets_at {
        entry.insert(RESETS_AT.to_owned(), N(Millis::of(resets_at).get().to_string()));
    }
    M(entry)
}

/// Converts an origin of limits to attributes: none for the limits of the deployment, as in records of earlier versions.
fn from_origin(origin: &LimitOrigin) -> impl Iterator<Item = (String, AttributeValue)> {
    let plan = origin.plan().map(|plan| (PLAN.to_owned(), from_plan_version(plan)));
    let program_id = origin.program_id().map(|program_id| (PROGRAM_ID.to_owned(), S(program_id.to_owned())));
    plan.into_iter().chain(program_id)
}

fn to_origin(reader: &Reader<'_>) -> Result<LimitOrigin, StoreError> {
    let plan = reader.optional(PLAN, to_plan_version)?;
    let program_id = reader.optional(PROGRAM_ID, |value| value.as_s().ok().cloned())?;
    Ok(match (program_id, plan) {
        (Some(program_id), Some(plan)) => LimitOrigin::Program { program_id, plan },
        (None, Some(plan)) => LimitOrigin::Plan(plan),
        (None, None) => LimitOrigin::Deployment,
        (Some(_), None) => return Err(reader.corrupt(PLAN, MISSING)),
    })
}

fn to_usage(value: &AttributeValue) -> Option<LimitUsage> {
    let usage = value.as_m().ok()?;
    Some(LimitUsage {
        code: usage.get(CODE)?.as_s().ok()?.clone(),
        limit_id: match usage.get(LIMIT_ID) {
            Some(value) => Some(value.as_s().ok()?.clone()),
            None => None,
        },
        used: number(usage.get(USED)?)?,
        limit: number(usage.get(LIMIT)?)?,
        is_shadow: usage.get(SHADOW).is_some_and(|value| value.as_bool() == Ok(&true)),
        // Records of earlier versions have none.
        resets_at: match usage.get(RESETS_AT) {
            Some(value) => Some(Millis::new(number(value)?).instant()?),
            None => None,
        },
    })
}
