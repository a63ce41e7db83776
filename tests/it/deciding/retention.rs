//! Expiry of usage rows.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::S;
use chrono::{DateTime, TimeDelta, Utc};
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::{DynamoDb, Item};
use loadgate::deciding::{Commit, Fence, FenceWrite, Store, UsageChange, UsageRow, Writes};
use loadgate::domain::{Cents, Day, Week, WeekUsage};

use crate::support::cloud::Fresh;
use crate::support::records::{at, now, record};

const CUSTOMER: &str = "528";

fn monday(text: &str) -> Week {
    Day::of(at(text)).week()
}

/// Commits a change of a week's row.
async fn commit(store: &DynamoDb, id: &str, week: Week, version: u64, fence: Option<u64>) {
    let usage = WeekUsage::default().with_load(week.monday(), Cents::new(version));
    let after = UsageRow { usage, version, fenced_changes: fence.unwrap_or_default(), ..UsageRow::default() };
    let fence = fence.map(|version| FenceWrite::Change(Fence { version, ..Fence::default() }));
    let usage = vec![UsageChange { week, after }];
    let writes = Writes::Transaction { records: vec![record(id)], usage, checks: vec![], fence };
    let commit = Commit { customer_id: CUSTOMER.to_owned(), writes, now: now() };
    store.commit(&commit).await.unwrap();
}

/// Returns the item of a row, or of the fence.
async fn item(fresh: &Fresh, date: &str) -> Item {
    let client = Client::new(&aws::load(Some(&fresh.url)).await);
    let get = client.get_item().table_name(&fresh.names.load).key("CUSTOMER_ID", S(CUSTOMER.to_owned()));
    get.key("DATE", S(date.to_owned())).consistent_read(true).send().await.unwrap().item.unwrap()
}

fn expires_at(item: &Item) -> Option<DateTime<Utc>> {
    let seconds = item.get("EXPIRES_AT")?.as_n().unwrap().parse().unwrap();
    DateTime::from_timestamp(seconds, 0)
}

async fn a_row_expires_a_time_after_its_week_or_its_last_change(fresh: Fresh) {
    let store = fresh.store.clone().keeping_usage_for(Some(TimeDelta::days(62)));
    commit(&store, "1", monday("2018-12-31T00:00:00Z"), 1, None).await;
    let changed = now() + TimeDelta::days(62);
    assert_eq!(expires_at(&item(&fresh, "2018-12-31").await).unwrap().timestamp(), changed.timestamp());
    commit(&store, "2", monday("2126-01-07T00:00:00Z"), 1, None).await;
    let week_ended = at("2126-01-14T00:00:00Z") + TimeDelta::days(62);
    assert_eq!(expires_at(&item(&fresh, "2126-01-07").await), Some(week_ended));
}

async fn rows_are_kept_for_ever_by_default(fresh: Fresh) {
    commit(&fresh.store, "1", monday("2018-12-31T00:00:00Z"), 1, None).await;
    assert_eq!(expires_at(&item(&fresh, "2018-12-31").await), None);
}

async fn without_a_retention_any_change_takes_the_expiry_of_a_row_away(fresh: Fresh) {
    let expiring = fresh.store.clone().keeping_usage_for(Some(TimeDelta::days(62)));
    for (week, date, fence) in
        [("2018-12-31T00:00:00Z", "2018-12-31", None), ("2019-01-07T00:00:00Z", "2019-01-07", Some(1))]
    {
        commit(&expiring, &format!("{date} 1"), monday(week), 1, None).await;
        assert!(expires_at(&item(&fresh, date).await).is_some());
        commit(&fresh.store, &format!("{date} 2"), monday(week), 2, fence).await;
        assert_eq!(expires_at(&item(&fresh, date).await), None, "{date}");
    }
}

async fn rows_of_a_customer_with_a_fence_do_not_expire(fresh: Fresh) {
    let store = fresh.store.clone().keeping_usage_for(Some(TimeDelta::days(62)));
    let week = monday("2018-12-31T00:00:00Z");
    commit(&store, "1", week, 1, None).await;
    assert!(expires_at(&item(&fresh, "2018-12-31").await).is_some());
    commit(&store, "2", week, 2, Some(1)).await;
    for date in ["2018-12-31", "FENCE"] {
        assert_eq!(expires_at(&item(&fresh, date).await), None, "{date}");
    }
    // A writer that has read the customer before its fence.
    let usage = WeekUsage::default().with_load(week.monday(), Cents::new(9));
    let after = UsageRow { usage, version: 3, fenced_changes: 1, ..UsageRow::default() };
    let usage = vec![UsageChange { week, after }];
    let writes = Writes::Transaction { records: vec![record("3")], usage, checks: vec![], fence: None };
    store.commit(&Commit { customer_id: CUSTOMER.to_owned(), writes, now: now() }).await.unwrap();
    assert_eq!(expires_at(&item(&fresh, "2018-12-31").await), None);
}

macro_rules! on_dynamodb {
    ($($case:ident),* $(,)?) => {
        mod dynamodb_local {
            $(#[tokio::test] #[ignore = "needs `make tools`; `make test` runs it"] async fn $case() {
                super::$case(super::Fresh::in_dynamodb_local().await).await;
            })*
        }
        mod embedded {
            $(#[tokio::test] async fn $case() { super::$case(super::Fresh::embedded().await).await; })*
        }
    };
}

on_dynamodb![
    a_row_expires_a_time_after_its_week_or_its_last_change,
    rows_are_kept_for_ever_by_default,
    without_a_retention_any_change_takes_the_expiry_of_a_row_away,
    rows_of_a_customer_with_a_fence_do_not_expire,
];
