//! Conversion between records or rows and DynamoDB items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, M, N, S};

use super::commit::epoch_seconds;
use super::decision_item::{epoch, from_decision, to_decision};
use super::loads::decode_loads;
use crate::deciding::{Cause, CorrelationRecord, Publication, StoreError, UsageKey, UsageRow};
use crate::domain::{Cents, Day, EventKey, LoadTotal, LogPosition, Week, WeekUsage};

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
/// Run of a decision in the decision log. It is the hash key of the log's table.
pub const RUN_ID: &str = "RUN_ID";
/// Sequence number of a decision in its run. It is the range key of the log's table.
pub const SEQ: &str = "SEQ";
/// The instant from which the entry of the log counts as absent: epoch seconds.
const LOG_EXPIRES_AT: &str = "LOG_EXPIRES_AT";
pub const FINGERPRINT: &str = "FINGERPRINT";
pub const AMOUNT: &str = "AMOUNT";
pub const COUNT: &str = "COUNT";

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
    let mut attributes = from_decision(&record.decision);
    attributes.extend(item([
        (MESSAGE_ID, S(record.message_id.clone())),
        (FINGERPRINT, S(record.fingerprint.clone())),
        (EXPIRES_AT, epoch_seconds(record.expires_at)),
    ]));
    if let Some(log) = &record.decision.log {
        attributes.extend(item([
            (RUN_ID, S(log.run_id.clone())),
            (SEQ, N(log.seq.to_string())),
            (LOG_EXPIRES_AT, epoch_seconds(log.expires_at)),
        ]));
    }
    if record.is_pending() {
        attributes.insert(UNPUBLISHED.to_owned(), Bool(true));
    }
    attributes
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
    let decision = to_decision(&reader, to_log_position(&reader)?)?;
    Ok(CorrelationRecord {
        decision,
        message_id: reader.string(MESSAGE_ID)?,
        fingerprint: reader.string(FINGERPRINT)?,
        publication: publication(item),
        expires_at: reader.get(EXPIRES_AT, epoch)?,
    })
}

fn to_log_position(reader: &Reader<'_>) -> Result<Option<LogPosition>, StoreError> {
    // Records of decisions that were made while the log was off have none.
    let Some(run_id) = reader.optional(RUN_ID, |value| value.as_s().ok().cloned())? else { return Ok(None) };
    Ok(Some(LogPosition { run_id, seq: reader.get(SEQ, number)?, expires_at: reader.get(LOG_EXPIRES_AT, epoch)? }))
}

fn publication(item: &Item) -> Publication {
    let is_pending = item.get(UNPUBLISHED).is_some_and(|value| value.as_bool() == Ok(&true));
    if is_pending { Publication::Pending } else { Publication::Confirmed }
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

pub const MISSING: &str = "is missing";
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

    pub fn corrupt(&self, name: &str, problem: &str) -> StoreError {
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
