//! Conversion between records or rows and DynamoDB items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, L, M, N, S};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::loads::decode_loads;
use super::plan_item::{PLAN, PROGRAM_ID, from_plan_version, to_plan_version};
use crate::deciding::{Cause, CorrelationRecord, Publication, StoreError, UsageKey, UsageRow};
use crate::domain::{
    Cents, Day, EventKey, LimitOrigin, LimitUsage, LoadTotal, Millis, StoredDecision, Verdict, Week, WeekUsage,
};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

pub const CUSTOMER_ID: &str = "CUSTOMER_ID";
pub const EVENT_ID: &str = "EVENT_ID";
pub const DATE: &str = "DATE";
pub const VERSION: &str = "VERSION";
pub const DAYS: &str = "DAYS";
/// The accepted loads that a row keeps.
pub const LOADS: &str = "LOADS";
/// Number of a row's changes by commits that also changed the fence.
pub const FENCED_CHANGES: &str = "FENCED_CHANGES";
pub const MESSAGE_ID: &str = "MESSAGE_ID";
pub const UNPUBLISHED: &str = "UNPUBLISHED";
/// TTL attribute of the table: epoch seconds.
pub const EXPIRES_AT: &str = "EXPIRES_AT";
const ACCEPTED: &str = "ACCEPTED";
const REASONS: &str = "REASONS";
const LOAD_AMOUNT: &str = "LOAD_AMOUNT";
const TIME: &str = "TIME";
const DECIDED_AT: &str = "DECIDED_AT";
const USAGE: &str = "USAGE";
pub const FINGERPRINT: &str = "FINGERPRINT";
pub const AMOUNT: &str = "AMOUNT";
pub const COUNT: &str = "COUNT";
const CODE: &str = "CODE";
const USED: &str = "USED";
const LIMIT: &str = "LIMIT";
/// Id of a customer's own limit.
const LIMIT_ID: &str = "LIMIT_ID";
/// End of the span of a limit, in milliseconds since 1970.
const RESETS_AT: &str = "RESETS_AT";

/// Names of a week row's days, Monday first.
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

pub fn event_key(key: &EventKey) -> Item {
    item([(CUSTOMER_ID, S(key.customer_id.clone())), (EVENT_ID, S(key.event_id.clone()))])
}

pub fn usage_key(key: &UsageKey) -> Item {
    item([(CUSTOMER_ID, S(key.customer_id.clone())), (DATE, S(key.week.monday().to_string()))])
}

/// Converts a record to an item.
pub fn from_record(record: &CorrelationRecord) -> Item {
    let decision = &record.decision;
    let mut attributes = event_key(&decision.key);
    attributes.extend(item([
        (ACCEPTED, Bool(decision.verdict.is_accepted())),
        (REASONS, L(decision.verdict.reasons().iter().cloned().map(S).collect())),
        (LOAD_AMOUNT, S(decision.load_amount.clone())),
        (TIME, S(decision.time.clone())),
        (DECIDED_AT, S(decision.decided_at.to_rfc3339_opts(SecondsFormat::Millis, true))),
        (USAGE, L(decision.usage.iter().map(from_usage).collect())),
        (MESSAGE_ID, S(record.message_id.clone())),
        (FINGERPRINT, S(record.fingerprint.clone())),
        (EXPIRES_AT, N(record.expires_at.timestamp().to_string())),
    ]));
    attributes.extend(from_origin(&decision.origin));
    if record.is_pending() {
        attributes.insert(UNPUBLISHED.to_owned(), Bool(true));
    }
    attributes
}

fn from_usage(usage: &LimitUsage) -> AttributeValue {
    let number = |number: u64| N(number.to_string());
    let mut entry = item([(CODE, S(usage.code.clone())), (USED, number(usage.used)), (LIMIT, number(usage.limit))]);
    if let Some(limit_id) = &usage.limit_id {
        entry.insert(LIMIT_ID.to_owned(), S(limit_id.clone()));
    }
    if let Some(resets_at) = usage.resets_at {
        entry.insert(RESETS_AT.to_owned(), N(Millis::of(resets_at).get().to_string()));
    }
    M(entry)
}

/// Converts the days with accepted loads to the `DAYS` attribute of a row.
pub fn from_days(usage: &WeekUsage) -> AttributeValue {
    let day = |day: &LoadTotal| M(item([(AMOUNT, N(day.amount.get().to_string())), (COUNT, N(day.count.to_string()))]));
    let days = WEEKDAYS.into_iter().zip(usage.days()).filter(|(_, day)| **day != LoadTotal::default());
    M(days.map(|(name, usage)| (name.to_owned(), day(usage))).collect())
}

/// Reads a record from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_record(item: &Item, table: &str) -> Result<CorrelationRecord, StoreError> {
    let reader = Reader { item, table, keys: [CUSTOMER_ID, EVENT_ID] };
    let strings =
        |values: &[AttributeValue]| values.iter().map(|value| value.as_s().ok().cloned()).collect::<Option<Vec<_>>>();
    let is_accepted = reader.get(ACCEPTED, |value| value.as_bool().ok().copied())?;
    let decision = StoredDecision {
        key: EventKey { customer_id: reader.string(CUSTOMER_ID)?, event_id: reader.string(EVENT_ID)? },
        verdict: reader.get(REASONS, |value| Verdict::new(is_accepted, strings(value.as_l().ok()?)?))?,
        load_amount: reader.string(LOAD_AMOUNT)?,
        time: reader.string(TIME)?,
        decided_at: reader.get(DECIDED_AT, |value| value.as_s().ok()?.parse::<DateTime<Utc>>().ok())?.trunc_subsecs(3),
        usage: reader.get(USAGE, |value| value.as_l().ok()?.iter().map(to_usage).collect())?,
        origin: to_origin(&reader)?,
    };
    let expires_at_s = reader.get(EXPIRES_AT, number::<i64>)?;
    Ok(CorrelationRecord {
        decision,
        message_id: reader.string(MESSAGE_ID)?,
        fingerprint: reader.string(FINGERPRINT)?,
        publication: publication(item),
        // An instant after the calendar's end never expires; one before its beginning has expired.
        expires_at: DateTime::from_timestamp(expires_at_s, 0).unwrap_or(match expires_at_s {
            ..0 => DateTime::<Utc>::MIN_UTC,
            _ => DateTime::<Utc>::MAX_UTC.trunc_subsecs(0),
        }),
    })
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

fn publication(item: &Item) -> Publication {
    let is_pending = item.get(UNPUBLISHED).is_some_and(|value| value.as_bool() == Ok(&true));
    if is_pending { Publication::Pending } else { Publication::Confirmed }
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
        // Records of earlier versions have none.
        resets_at: match usage.get(RESETS_AT) {
            Some(value) => Some(Millis::new(number(value)?).instant()?),
            None => None,
        },
    })
}

/// Reads a usage row from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_row(item: &Item, table: &str) -> Result<UsageRow, StoreError> {
    let reader = Reader { item, table, keys: [CUSTOMER_ID, DATE] };
    let loads = reader.optional(LOADS, |value| decode_loads(week_of(item)?, value.as_b().ok()?.as_ref()))?;
    let fenced_changes = reader.optional(FENCED_CHANGES, number)?.unwrap_or_default();
    let loads = loads.unwrap_or_default();
    Ok(UsageRow { usage: reader.get(DAYS, to_days)?, loads, fenced_changes, version: reader.version()? })
}

/// Returns the week of a usage row's key.
pub fn week_of(item: &Item) -> Option<Week> {
    let date = item.get(DATE)?.as_s().ok()?.parse().ok()?;
    let day = Day::of_date(date);
    Some(day.week()).filter(|week| week.monday() == day)
}

fn to_days(value: &AttributeValue) -> Option<WeekUsage> {
    let days = value.as_m().ok()?;
    let mut usage = WeekUsage::default();
    for (name, day) in days {
        let place = WEEKDAYS.iter().position(|weekday| weekday == name)?;
        let day = day.as_m().ok()?;
        let (amount, count) = (number(day.get(AMOUNT)?)?, number(day.get(COUNT)?)?);
        usage.set_day(u8::try_from(place).ok()?, LoadTotal { amount: Cents::new(amount), count });
    }
    Some(usage)
}

/// Reads the attributes of one item. Its errors name the invalid attribute.
pub struct Reader<'i> {
    pub item: &'i Item,
    pub table: &'i str,
    /// Names of the hash key and the range key.
    pub keys: [&'static str; 2],
}

const MISSING: &str = "is missing";
const WRONG: &str = "cannot be understood";

impl Reader<'_> {
    /// Returns the version, which counts the item's changes.
    pub fn version(&self) -> Result<u64, StoreError> {
        self.get(VERSION, |value| number(value).filter(|version| (1..u64::MAX).contains(version)))
    }

    pub fn string(&self, name: &str) -> Result<String, StoreError> {
        self.get(name, |value| value.as_s().ok().cloned())
    }

    pub fn get<T>(&self, name: &str, read: impl FnOnce(&AttributeValue) -> Option<T>) -> Result<T, StoreError> {
        self.optional(name, read)?.ok_or_else(|| self.corrupt(name, MISSING))
    }

    /// Returns `None` for an attribute that is missing.
    pub fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&AttributeValue) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(value) = self.item.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(name))
    }

    /// Returns the error for an attribute, or a part of one, that cannot be understood.
    pub fn wrong(&self, name: &str) -> StoreError {
        self.corrupt(name, WRONG)
    }

    fn corrupt(&self, name: &str, problem: &str) -> StoreError {
        let value = |key| self.item.get(key).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
        let keys = self.keys.map(|key| format!("{key} '{}'", value(key))).join(", ");
        let place = format!("{name} of the item {keys} in table {}", self.table);
        StoreError::Corrupt(Cause::new(format!("{place} {problem}: correct the item by hand")))
    }
}

pub fn number<T: std::str::FromStr>(value: &AttributeValue) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}

pub fn item<const COUNT: usize>(attributes: [(&str, AttributeValue); COUNT]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
