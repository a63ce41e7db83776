//! Conversion between customers' own limits and DynamoDB items.
//!
//! | item | `PK` | `SK` | attributes |
//! |---|---|---|---|
//! | a customer's limits | `customer/` and its id | `limits` | `VERSION`; `LIMITS`: a map from limit ids to definitions, each with its own `VERSION`; both are absent for a customer that never had one. Also its plan and programme: `plan_item.rs` |
//! | a limit's pointer | `limit/` and its id | `limit` | `CUSTOMER_ID`, `DEFINITION_MARK`, `PROGRESS_MARK`, `REPORTED` |
//!
//! Instants are milliseconds since 1970; amounts are hundredths of the currency.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};

use super::item::{CUSTOMER_ID, Item, Reader, VERSION, item, number};
use crate::deciding::StoreError;
use crate::domain::{Cents, Currency, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod};
use crate::limits::{CustomerLimits, LimitPointer, VersionedLimit};

pub const PK: &str = "PK";
pub const SK: &str = "SK";
pub const LIMITS: &str = "LIMITS";
pub const DEFINITION_MARK: &str = "DEFINITION_MARK";
pub const PROGRESS_MARK: &str = "PROGRESS_MARK";
pub const REPORTED: &str = "REPORTED";

const CUSTOMER_PREFIX: &str = "customer/";
const LIMIT_PREFIX: &str = "limit/";
const CUSTOMER_SK: &str = "limits";
const LIMIT_SK: &str = "limit";

const BRAND_ID: &str = "BRAND_ID";
const TYPE: &str = "TYPE";
const PERIOD: &str = "PERIOD";
const CURRENCY: &str = "CURRENCY";
const VALUE: &str = "VALUE";
const STATUS: &str = "STATUS";
const CANCELED_AT: &str = "CANCELED_AT";
const ACTIVE_FROM: &str = "ACTIVE_FROM";
const ACTIVE_UNTIL: &str = "ACTIVE_UNTIL";

/// Returns the key of the item with a customer's own limits.
pub fn customer_key(customer_id: &str) -> Item {
    item([(PK, S(format!("{CUSTOMER_PREFIX}{customer_id}"))), (SK, S(CUSTOMER_SK.to_owned()))])
}

/// Returns the customer in the key of an item with a customer's own limits.
pub fn customer_of(item: &Item) -> Option<&str> {
    item.get(PK)?.as_s().ok()?.strip_prefix(CUSTOMER_PREFIX)
}

/// Returns the key of a limit's pointer.
pub fn pointer_key(limit_id: &str) -> Item {
    item([(PK, S(format!("{LIMIT_PREFIX}{limit_id}"))), (SK, S(LIMIT_SK.to_owned()))])
}

/// Version of a limit that was stored before limits had one. The next change of its customer's item makes a higher one.
const FIRST_VERSION: u64 = 1;

/// Converts limits to the `LIMITS` attribute of a customer's item.
pub fn from_limits(limits: &BTreeMap<String, VersionedLimit>) -> AttributeValue {
    M(limits.iter().map(|(limit_id, known)| (limit_id.clone(), M(from_limit(known)))).collect())
}

fn from_limit(VersionedLimit { limit, version }: &VersionedLimit) -> Item {
    let word = |word: &str| S(word.to_owned());
    let instant = |at: Millis| N(at.get().to_string());
    let mut fields = item([
        (TYPE, word(limit.kind.name())),
        (PERIOD, word(limit.period.name())),
        (CURRENCY, word(limit.currency.code())),
        (VALUE, N(limit.value.get().to_string())),
        (STATUS, word(limit.status.name())),
        (ACTIVE_FROM, instant(limit.active_from)),
        (VERSION, N(version.to_string())),
    ]);
    let canceled_at = match limit.status {
        OwnLimitStatus::Canceled { at } => Some(at),
        OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => None,
    };
    let optional = [
        (CANCELED_AT, canceled_at.map(instant)),
        (ACTIVE_UNTIL, limit.active_until.map(instant)),
        (BRAND_ID, limit.brand_id.clone().map(S)),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    fields
}

/// Reads a customer's limits from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_customer_limits(item: &Item, table: &str) -> Result<CustomerLimits, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let user_id = customer_of(item).ok_or_else(|| reader.wrong(PK))?.to_owned();
    if !item.contains_key(VERSION) && !item.contains_key(LIMITS) {
        // The customer has a link or a programme alone.
        return Ok(CustomerLimits::default());
    }
    let version = reader.version()?;
    let definitions = reader.get(LIMITS, |value| value.as_m().ok().cloned())?;
    let limits = definitions.iter().map(|(limit_id, value)| {
        let known = value.as_m().ok().and_then(|fields| {
            Some(VersionedLimit {
                limit: to_limit(limit_id, &user_id, fields)?,
                version: limit_version(fields, version)?,
            })
        });
        known.map(|known| (limit_id.clone(), known)).ok_or_else(|| reader.wrong(&format!("{LIMITS}.{limit_id}")))
    });
    Ok(CustomerLimits { version, limits: limits.collect::<Result<_, _>>()? })
}

/// Returns a limit's version: at most that of its customer's limits.
fn limit_version(fields: &Item, customer_version: u64) -> Option<u64> {
    let Some(version) = fields.get(VERSION) else { return Some(FIRST_VERSION) };
    number(version).filter(|version| (FIRST_VERSION..=customer_version).contains(version))
}

fn to_limit(limit_id: &str, user_id: &str, fields: &Item) -> Option<OwnLimit> {
    let text = |name| fields.get(name)?.as_s().ok();
    let instant = |value: &AttributeValue| Some(Millis::new(number(value)?)).filter(|at| at.instant().is_some());
    let canceled = || Some(OwnLimitStatus::Canceled { at: instant(fields.get(CANCELED_AT)?)? });
    let open = [OwnLimitStatus::Active, OwnLimitStatus::Future, OwnLimitStatus::InCooldown];
    let (kind, period, status) = (text(TYPE)?, text(PERIOD)?, text(STATUS)?);
    Some(OwnLimit {
        limit_id: limit_id.to_owned(),
        user_id: user_id.to_owned(),
        brand_id: match fields.get(BRAND_ID) {
            Some(brand_id) => Some(brand_id.as_s().ok()?.clone()),
            None => None,
        },
        kind: OwnLimitKind::ALL.into_iter().find(|known| known.name() == kind)?,
        period: OwnPeriod::ALL.into_iter().find(|known| known.name() == period)?,
        currency: Currency::parse(text(CURRENCY)?)?,
        value: Cents::new(number(fields.get(VALUE)?)?),
        status: match open.into_iter().find(|known| known.name() == status) {
            Some(status) => status,
            None => canceled().filter(|canceled| canceled.name() == status)?,
        },
        active_from: instant(fields.get(ACTIVE_FROM)?)?,
        active_until: match fields.get(ACTIVE_UNTIL) {
            Some(until) => Some(instant(until)?),
            None => None,
        },
    })
}

/// Reads a limit's pointer from an item of this table.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first attribute that is missing or invalid.
pub fn to_pointer(item: &Item, table: &str) -> Result<LimitPointer, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let progress_mark = reader.optional(PROGRESS_MARK, number)?;
    Ok(LimitPointer {
        user_id: reader.string(CUSTOMER_ID)?,
        definition_mark: reader.optional(DEFINITION_MARK, number)?,
        progress_mark,
        // A mark without its report would show no progress as the reported one.
        reported: if progress_mark.is_some() { reader.get(REPORTED, number)? } else { 0 },
    })
}
