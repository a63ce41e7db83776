//! Records of changes of own limits, as items that are written once: `PK` is that of the limit's pointer, `SK` is `change/`
//! and the version, with leading zeros so that versions sort as numbers.

use aws_sdk_dynamodb::types::AttributeValue::{M, N, S};

use super::DynamoDb;
use super::error::store_error;
use super::item::{CUSTOMER_ID, Item, Reader, VERSION, item, number};
use super::limit_item::{PK, SK, from_definition, instant, pointer_key, to_definition, to_instant};
use crate::deciding::StoreError;
use crate::domain::{ChangeKind, ChangeRecord};
use crate::limits::ChangePage;

const KIND: &str = "KIND";
const CHANGED_AT: &str = "CHANGED_AT";
const CHANGED_BY: &str = "CHANGED_BY";
const BEFORE: &str = "BEFORE";
const AFTER: &str = "AFTER";

/// Keys of a limit's changes behind one of them.
const BEHIND: &str = "PK = :pk AND SK BETWEEN :first AND :last";

/// Converts a record to an item.
pub fn change_item(limit_id: &str, user_id: &str, change: &ChangeRecord) -> Item {
    let mut fields = pointer_key(limit_id);
    fields.extend(item([
        (SK, S(sort_key(change.version))),
        (CUSTOMER_ID, S(user_id.to_owned())),
        (VERSION, N(change.version.to_string())),
        (KIND, S(change.kind.name().to_owned())),
        (CHANGED_AT, instant(change.changed_at)),
        (CHANGED_BY, S(change.changed_by.clone())),
        (AFTER, M(from_definition(&change.after))),
    ]));
    fields.extend(change.before.as_ref().map(|before| (BEFORE.to_owned(), M(from_definition(before)))));
    fields
}

/// Returns the key of a change.
#[cfg(feature = "cli")]
pub fn change_key(limit_id: &str, version: u64) -> Item {
    let mut key = pointer_key(limit_id);
    key.insert(SK.to_owned(), S(sort_key(version)));
    key
}

fn sort_key(version: u64) -> String {
    format!("change/{version:020}")
}

fn to_change(item: &Item, limit_id: &str, table: &str) -> Result<ChangeRecord, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let user_id = reader.string(CUSTOMER_ID)?;
    let definition = |value: &aws_sdk_dynamodb::types::AttributeValue| {
        value.as_m().ok().and_then(|fields| to_definition(limit_id, &user_id, fields))
    };
    let kind = reader.string(KIND)?;
    Ok(ChangeRecord {
        version: reader.get(VERSION, number)?,
        kind: ChangeKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| reader.wrong(KIND))?,
        changed_at: reader.get(CHANGED_AT, to_instant)?,
        changed_by: reader.string(CHANGED_BY)?,
        before: reader.optional(BEFORE, definition)?,
        after: reader.get(AFTER, definition)?,
    })
}

impl DynamoDb {
    /// Reads changes of a limit, strongly consistent.
    pub(super) async fn query_changes(
        &self,
        table: &str,
        limit_id: &str,
        after: Option<u64>,
        max: u16,
    ) -> Result<ChangePage, StoreError> {
        let pk = pointer_key(limit_id).remove(PK).unwrap_or_else(|| S(String::new()));
        // One more than asked shows whether another page follows.
        let wanted = usize::from(max);
        let request = self
            .client
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression(BEHIND)
            .expression_attribute_values(":pk", pk)
            .expression_attribute_values(":first", S(sort_key(after.map_or(0, |after| after.saturating_add(1)))))
            .expression_attribute_values(":last", S(sort_key(u64::MAX)))
            .limit(i32::from(max) + 1);
        let answer = request.send().await.map_err(|error| store_error("Query", table, &error))?;
        let has_more = answer.last_evaluated_key.is_some();
        let items = answer.items.unwrap_or_default();
        let is_full = items.len() > wanted;
        let changes = items.iter().take(wanted).map(|item| to_change(item, limit_id, table));
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let next = changes.last().filter(|_| is_full || has_more).map(|last| last.version);
        Ok(ChangePage { changes, next })
    }
}
