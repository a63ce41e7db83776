//! Conversion between customers' own limits and DynamoDB items.
//!
//! | item | `PK` | `SK` | attributes |
//! |---|---|---|---|
//! | a customer's limits | `customer/` and its id | `limits` | `VERSION`; `LIMITS`: a map from limit ids to definitions, each with its own `VERSION`; both are absent for a customer that never had one. Also its plan and programme: `plan_item.rs` |
//! | a change of a limit | that of the pointer | `change/` and the version | see `change_item.rs` |
//! | a limit's pointer | `limit/` and its id | `limit` | `CUSTOMER_ID`, `DEFINITION_MARK`, `PROGRESS_MARK`, `REPORTED` |
//!
//! Instants are milliseconds since 1970; amounts are hundredths of the currency.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, L, M, N, S};

use super::item::{CUSTOMER_ID, Item, Reader, VERSION, item, number};
use crate::deciding::StoreError;
use crate::domain::{Cents, Currency, Millis, OwnLimit, OwnLimitKind, OwnLimitStatus, OwnPeriod, PendingChange, Raise};
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
/// Increases that have come into force: a list of maps.
const RAISES: &str = "RAISES";
const FROM: &str = "FROM";
/// The change that waits: a map. Without a `VALUE` it is the removal of the limit.
const PENDING: &str = "PENDING";
const REQUESTED_AT: &str = "REQUESTED_AT";
const APPLIES_AT: &str = "APPLIES_AT";
const NEEDS_CONFIRMATION: &str = "NEEDS_CONFIRMATION";

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
    let mut fields = from_definition(limit);
    fields.insert(VERSION.to_owned(), N(version.to_string()));
    fields
}

/// Converts an instant.
pub fn instant(at: Millis) -> AttributeValue {
    N(at.get().to_string())
}

/// Converts a limit to a map without its id, its customer and its version.
pub fn from_definition(limit: &OwnLimit) -> Item {
    let word = |word: &str| S(word.to_owned());
    let mut fields = item([
        (TYPE, word(limit.kind.name())),
        (PERIOD, word(limit.period.name())),
        (CURRENCY, word(limit.currency.code())),
        (VALUE, N(limit.value.get().to_string())),
        (STATUS, word(limit.status.name())),
        (ACTIVE_FROM, instant(limit.active_from)),
    ]);
    let canceled_at = match limit.status {
        OwnLimitStatus::Canceled { at } => Some(at),
        OwnLimitStatus::Active | OwnLimitStatus::Future | OwnLimitStatus::InCooldown => None,
    };
    let optional = [
        (CANCELED_AT, canceled_at.map(instant)),
        (ACTIVE_UNTIL, limit.active_until.map(instant)),
        (BRAND_ID, limit.brand_id.clone().map(S)),
        (RAISES, (!limit.raises.is_empty()).then(|| L(limit.raises.iter().map(from_raise).collect()))),
        (PENDING, limit.pending.map(|pending| M(from_pending(pending)))),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    fields
}

fn from_raise(raise: &Raise) -> AttributeValue {
    M(item([(FROM, instant(raise.from)), (VALUE, N(raise.value.get().to_string()))]))
}

fn from_pending(pending: PendingChange) -> Item {
    let mut fields = item([
        (REQUESTED_AT, instant(pending.requested_at)),
        (APPLIES_AT, instant(pending.applies_at)),
        (NEEDS_CONFIRMATION, Bool(pending.needs_confirmation)),
    ]);
    fields.extend(pending.value.map(|value| (VALUE.to_owned(), N(value.get().to_string()))));
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
                limit: to_definition(limit_id, &user_id, fields)?,
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

/// Returns the instant of a value; `None` if it is not one of the years 0 to 9999.
pub fn to_instant(value: &AttributeValue) -> Option<Millis> {
    Some(Millis::new(number(value)?)).filter(|at| at.instant().is_some())
}

/// Reads a limit from a map. `None` if an attribute is missing or invalid.
pub fn to_definition(limit_id: &str, user_id: &str, fields: &Item) -> Option<OwnLimit> {
    let text = |name| fields.get(name)?.as_s().ok();
    let canceled = || Some(OwnLimitStatus::Canceled { at: to_instant(fields.get(CANCELED_AT)?)? });
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
        active_from: to_instant(fields.get(ACTIVE_FROM)?)?,
        active_until: match fields.get(ACTIVE_UNTIL) {
            Some(until) => Some(to_instant(until)?),
            None => None,
        },
        raises: match fields.get(RAISES) {
            Some(raises) => raises.as_l().ok()?.iter().map(to_raise).collect::<Option<_>>()?,
            None => vec![],
        },
        pending: match fields.get(PENDING) {
            Some(pending) => Some(to_pending(pending.as_m().ok()?)?),
            None => None,
        },
    })
}

fn to_raise(value: &AttributeValue) -> Option<Raise> {
    let fields = value.as_m().ok()?;
    Some(Raise { from: to_instant(fields.get(FROM)?)?, value: Cents::new(number(fields.get(VALUE)?)?) })
}

fn to_pending(fields: &Item) -> Option<PendingChange> {
    Some(PendingChange {
        value: match fields.get(VALUE) {
            Some(value) => Some(Cents::new(number(value)?)),
            None => None,
        },
        requested_at: to_instant(fields.get(REQUESTED_AT)?)?,
        applies_at: to_instant(fields.get(APPLIES_AT)?)?,
        needs_confirmation: *fields.get(NEEDS_CONFIRMATION)?.as_bool().ok()?,
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
