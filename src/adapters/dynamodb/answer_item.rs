//! Answers that are kept for repeated requests: `PK` is `answer/` and the route, `SK` the caller's key. DynamoDB deletes
//! them by the table's time to live.

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use chrono::{DateTime, TimeDelta};

use super::DynamoDb;
use super::commit::epoch_seconds;
use super::error::unbuilt;
use super::item::{EXPIRES_AT, FINGERPRINT, Item, Reader, item, number};
use super::limit_item::{PK, SK};
use crate::deciding::StoreError;
use crate::limits::{ANSWER_KEPT, AnswerStore, KeptAnswer, RequestKey};

const STATUS: &str = "STATUS";
const LOCATION: &str = "LOCATION";
const ETAG: &str = "ETAG";
const BODY: &str = "BODY";

/// Condition: no answer is kept under the key, or it has expired.
const KEY_IS_FREE: &str = "attribute_not_exists(PK) OR EXPIRES_AT <= :now";

fn answer_key(key: &RequestKey) -> Item {
    item([(PK, S(format!("answer/{}", key.route))), (SK, S(key.key.clone()))])
}

/// Returns the put of an answer, under a key that is free.
pub fn put_answer(table: &str, answer: &KeptAnswer) -> Result<TransactWriteItem, StoreError> {
    let mut fields = answer_key(&answer.key);
    fields.extend(item([
        (FINGERPRINT, S(answer.fingerprint.clone())),
        (STATUS, N(answer.status.to_string())),
        (BODY, S(answer.body.clone())),
        (EXPIRES_AT, epoch_seconds(answer.expires_at())),
    ]));
    let headers = [(LOCATION, &answer.location), (ETAG, &answer.etag)];
    fields.extend(headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), S(value.clone()?)))));
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(fields))
        .condition_expression(KEY_IS_FREE)
        .expression_attribute_values(":now", epoch_seconds(answer.answered_at));
    Ok(TransactWriteItem::builder().put(put.build().map_err(unbuilt)?).build())
}

impl AnswerStore for DynamoDb {
    async fn read_answer(&self, key: &RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        let table = self.limit_table()?;
        let item = self.get_limit_item(answer_key(key)).await?.value;
        item.map(|item| to_answer(&item, key, table)).transpose()
    }
}

fn to_answer(item: &Item, key: &RequestKey, table: &str) -> Result<KeptAnswer, StoreError> {
    let reader = Reader { item, table, keys: [PK, SK] };
    let text = |value: &aws_sdk_dynamodb::types::AttributeValue| value.as_s().ok().cloned();
    let expires_at = DateTime::from_timestamp(reader.get(EXPIRES_AT, number)?, 0);
    let answered_at = expires_at.and_then(|at| at.checked_sub_signed(ANSWER_KEPT.max(TimeDelta::zero())));
    Ok(KeptAnswer {
        key: key.clone(),
        fingerprint: reader.string(FINGERPRINT)?,
        status: reader.get(STATUS, number)?,
        location: reader.optional(LOCATION, text)?,
        etag: reader.optional(ETAG, text)?,
        body: reader.string(BODY)?,
        answered_at: answered_at.ok_or_else(|| reader.wrong(EXPIRES_AT))?,
    })
}
