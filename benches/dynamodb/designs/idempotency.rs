//! An idempotency record in two steps, as common libraries keep it. A conditional put records that the event is in
//! progress. A conditional update counts the load if every limit has room for it. Another update completes the
//! record.
//!
//! The count is not written together with the record. A consumer that ends between the two leaves a record in
//! progress. When that record has expired, the event is decided again, and the load counts twice: an event may be
//! decided more than once.

use std::io::{Error, Result};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::S;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use loadgate::adapters::SystemClock;
use loadgate::adapters::dynamodb::{Item, from_record, to_record};
use loadgate::deciding::{Clock, CorrelationRecord, Delivery, Outcome, Snapshot, UsageRow};
use loadgate::domain::{Cents, Day, LoadTotal, Measure, WeekUsage, Window, Zone};

use super::{Decision, Design, Store, TOTAL, TTL, event_key, number, published, week_key};

const EVENT_IS_NEW: &str = "attribute_not_exists(EVENT_ID) OR EXPIRES_AT <= :now";
const ALL_OLD: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

pub(crate) struct Idempotency(pub(crate) Store);

impl Design for Idempotency {
    async fn handle(&self, batch: &[Delivery]) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for delivery in batch {
            decisions.extend(match self.begin(delivery).await? {
                Some(seen) => self.judge(delivery, &seen)?,
                None => self.decide(delivery).await?,
            });
        }
        Ok(decisions)
    }
}

impl Idempotency {
    /// Records that the event is in progress. Returns the existing record if the event has been seen.
    async fn begin(&self, delivery: &Delivery) -> Result<Option<Item>> {
        let now = SystemClock.now();
        let put = self.0.client.put_item().table_name(&self.0.names.correlation).set_item(Some(event_key(delivery)));
        let put = put.item("STATUS", S("INPROGRESS".to_owned())).item("EXPIRES_AT", number((now + TTL).timestamp()));
        let put = put.condition_expression(EVENT_IS_NEW).expression_attribute_values(":now", number(now.timestamp()));
        let put = put.return_values_on_condition_check_failure(ALL_OLD).return_consumed_capacity(TOTAL);
        match put.send().await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) => Ok(None),
            Err(PutItemError::ConditionalCheckFailedException(refused)) => Ok(refused.item),
            Err(error) => Err(Error::other(error)),
        }
    }

    /// Returns the stored decision to the same message, and no decision to a duplicate.
    fn judge(&self, delivery: &Delivery, seen: &Item) -> Result<Vec<Decision>> {
        let record = to_record(seen, &self.0.names.correlation);
        let snapshot = Snapshot { records: [(delivery.event(), record)].into(), ..Snapshot::default() };
        self.0.plan(delivery, &snapshot).map(|plan| published(&plan))
    }

    async fn decide(&self, delivery: &Delivery) -> Result<Vec<Decision>> {
        let (is_counted, row) = self.count(delivery).await?;
        // The count is the decision. The plan only provides the record of it.
        let usage = usage_of(&row.unwrap_or_default());
        let before = if is_counted { without(usage, delivery) } else { usage };
        let row = UsageRow { usage: before, version: 1, ..UsageRow::default() };
        let plan =
            self.0.plan(delivery, &Snapshot { usage: [(delivery.week(), Ok(row))].into(), ..Snapshot::default() })?;
        let Some(record) = plan.outcomes.first().and_then(Outcome::record) else { return Ok(vec![]) };
        if record.decision.verdict.is_accepted() != is_counted {
            return Err(Error::other(format!("the condition and the rule disagree about {:?}", record.decision)));
        }
        self.complete(delivery, record).await?;
        Ok(published(&plan))
    }

    /// Counts the load if every limit has room for it. Returns true if the load was counted, and the row after it.
    async fn count(&self, delivery: &Delivery) -> Result<(bool, Option<Item>)> {
        let update = self.0.client.update_item().table_name(&self.0.names.load).set_key(Some(week_key(delivery)));
        let [day, week] = [Window::Day(Zone::UTC), Window::Week(Zone::UTC)].map(|window| name(&window, delivery));
        let add = format!("ADD {day}_AMOUNT :amount, {day}_COUNT :one, {week}_AMOUNT :amount, {week}_COUNT :one");
        let mut update = update.update_expression(add).return_values(ReturnValue::AllNew);
        update = update.expression_attribute_values(":amount", number(delivery.attempt.amount.get()));
        update = update.expression_attribute_values(":one", number(1));
        let mut conditions = Vec::new();
        for (place, limit) in self.0.limits.iter().enumerate() {
            let (kind, added) = match limit.measure {
                Measure::Amount => ("AMOUNT", delivery.attempt.amount.get()),
                Measure::Count => ("COUNT", 1),
            };
            let (used, left) = (format!("{}_{kind}", name(&limit.window, delivery)), limit.max.checked_sub(added));
            let or_nothing = if left.is_some() { format!("attribute_not_exists({used}) OR ") } else { String::new() };
            conditions.push(format!("({or_nothing}{used} <= :left{place})"));
            let left = left.map_or(number(-1), number);
            update = update.expression_attribute_values(format!(":left{place}"), left);
        }
        let update = update.condition_expression(conditions.join(" AND "));
        let update = update.return_values_on_condition_check_failure(ALL_OLD).return_consumed_capacity(TOTAL);
        match update.send().await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(answer) => Ok((true, answer.attributes)),
            Err(UpdateItemError::ConditionalCheckFailedException(refused)) => Ok((false, refused.item)),
            Err(error) => Err(Error::other(error)),
        }
    }

    async fn complete(&self, delivery: &Delivery, record: &CorrelationRecord) -> Result<()> {
        let key = event_key(delivery);
        let update = self.0.client.update_item().table_name(&self.0.names.correlation).set_key(Some(key.clone()));
        let mut update = update.expression_attribute_names("#STATUS", "STATUS");
        update = update.expression_attribute_values(":STATUS", S("COMPLETED".to_owned()));
        let mut set = vec!["#STATUS = :STATUS".to_owned()];
        for (attribute, value) in from_record(record).into_iter().filter(|(attribute, _)| !key.contains_key(attribute))
        {
            set.push(format!("#{attribute} = :{attribute}"));
            update = update.expression_attribute_values(format!(":{attribute}"), value);
            update = update.expression_attribute_names(format!("#{attribute}"), attribute);
        }
        let update = update.update_expression(format!("SET {}", set.join(", "))).return_consumed_capacity(TOTAL);
        update.send().await.map_err(Error::other).map(drop)
    }
}

/// Returns the prefix of a window's attribute names.
fn name(window: &Window, delivery: &Delivery) -> String {
    match window {
        Window::Day(_) => format!("DAY{}", Day::of(delivery.attempt.time).days_since_monday()),
        _ => "WEEK".to_owned(),
    }
}

/// Returns the week's usage from a row's attributes.
fn usage_of(row: &Item) -> WeekUsage {
    let get = |name: String| row.get(&name).and_then(|value| value.as_n().ok()?.parse::<u64>().ok()).unwrap_or(0);
    let mut usage = WeekUsage::default();
    for day in 0..7 {
        let count = u32::try_from(get(format!("DAY{day}_COUNT"))).unwrap_or(u32::MAX);
        usage.set_day(day, LoadTotal { amount: Cents::new(get(format!("DAY{day}_AMOUNT"))), count });
    }
    usage
}

/// Returns the usage before the load was counted.
fn without(mut usage: WeekUsage, delivery: &Delivery) -> WeekUsage {
    let day = Day::of(delivery.attempt.time);
    let LoadTotal { amount, count } = usage.day(day);
    let amount = Cents::new(amount.get().saturating_sub(delivery.attempt.amount.get()));
    usage.set_day(day.days_since_monday(), LoadTotal { amount, count: count.saturating_sub(1) });
    usage
}
