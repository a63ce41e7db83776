//! Items of customers' own limits in DynamoDB: their shape, what is said about a corrupt one, and requests that get lost.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};
use loadgate::adapters::dynamodb::{customer_key, to_customer_limits};
use loadgate::adapters::{SystemClock, aws};
use loadgate::config::TableNames;
use loadgate::deciding::StoreError;
use loadgate::domain::{Millis, OwnLimit, OwnLimitStatus};
use loadgate::limits::{Applied, ApplyError, LimitApplier, LimitBook, LimitStore, VersionedLimit};

use super::{created, limit, progressed};
use crate::support::cloud::{Fault, Fresh, Proxy, fresh_names};

pub type Item = HashMap<String, AttributeValue>;

async fn client(fresh: &Fresh) -> Client {
    Client::new(&aws::load(Some(&fresh.url)).await)
}

pub fn item<const COUNT: usize>(attributes: [(&str, AttributeValue); COUNT]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub fn string(text: &str) -> AttributeValue {
    S(text.to_owned())
}

pub fn number(number: i64) -> AttributeValue {
    N(number.to_string())
}

pub async fn all_items(fresh: &Fresh) -> Vec<Item> {
    let table = fresh.names.limit.clone().unwrap();
    client(fresh).await.scan().table_name(table).send().await.unwrap().items.unwrap_or_default()
}

pub async fn put(fresh: &Fresh, item: Item) {
    let table = fresh.names.limit.clone().unwrap();
    client(fresh).await.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
}

fn applier<S>(store: S) -> LimitApplier<S, SystemClock> {
    LimitApplier { store, clock: SystemClock }
}

#[tokio::test]
async fn a_customer_has_one_item_and_a_limit_another() {
    let fresh = Fresh::embedded_with_limits().await;
    let definition = OwnLimit {
        brand_id: Some("brand".to_owned()),
        status: OwnLimitStatus::Canceled { at: Millis::new(30) },
        active_from: Millis::new(-10),
        active_until: Some(Millis::new(20)),
        ..limit("l-1", "u-1")
    };
    let applier = applier(fresh.store.clone());
    applier.apply(&created(3, definition.clone(), Some(5))).await.unwrap();
    let fields = item([
        ("TYPE", string("DEPOSIT")),
        ("PERIOD", string("DAY")),
        ("CURRENCY", string("USD")),
        ("VALUE", number(10_000)),
        ("STATUS", string("CANCELED")),
        ("CANCELED_AT", number(30)),
        ("ACTIVE_FROM", number(-10)),
        ("ACTIVE_UNTIL", number(20)),
        ("BRAND_ID", string("brand")),
        ("VERSION", number(1)),
    ]);
    let customer = item([
        ("PK", string("customer/u-1")),
        ("SK", string("limits")),
        ("VERSION", number(1)),
        ("LIMITS", M(item([("l-1", M(fields))]))),
    ]);
    let pointer = item([
        ("PK", string("limit/l-1")),
        ("SK", string("limit")),
        ("CUSTOMER_ID", string("u-1")),
        ("DEFINITION_MARK", number(3)),
        ("PROGRESS_MARK", number(3)),
        ("REPORTED", number(5)),
    ]);
    let items = all_items(&fresh).await;
    assert_eq!(items.len(), 3, "and the record of the change");
    assert!(items.contains(&customer) && items.contains(&pointer), "{items:?}");
    assert!(customer_key("u-1").iter().all(|(name, value)| customer.get(name) == Some(value)));
    let limits = to_customer_limits(&customer, "t").unwrap();
    let known = VersionedLimit { limit: definition, version: 1 };
    assert_eq!((limits.version, limits.limits["l-1"].clone()), (1, known));

    // Attributes that loadgate does not know stay.
    for known in [customer, pointer] {
        put(&fresh, known.into_iter().chain(item([("OTHER", string("stays"))])).collect()).await;
    }
    applier.apply(&created(4, limit("l-1", "u-1"), Some(6))).await.unwrap();
    applier.apply(&progressed(5, "l-1", "u-1", 7)).await.unwrap();
    let written_once = |item: &Item| matches!(&item["SK"], S(sk) if sk.starts_with("change/"));
    let (records, others): (Vec<Item>, Vec<Item>) = all_items(&fresh).await.into_iter().partition(written_once);
    assert!(others.len() == 2 && others.iter().all(|item| item["OTHER"] == string("stays")), "{others:?}");
    assert_eq!(records.len(), 2);
}

/// Limits that were stored before they had versions have version 1, and the next change makes a higher one.
#[tokio::test]
async fn limits_without_a_version_have_the_first_one() {
    let fresh = Fresh::embedded_with_limits().await;
    let applier = applier(fresh.store.clone());
    for limit_id in ["l-1", "l-2"] {
        applier.apply(&created(3, limit(limit_id, "u-1"), None)).await.unwrap();
    }
    let items = all_items(&fresh).await;
    let mut customer = items.into_iter().find(|item| item["SK"] == string("limits")).unwrap();
    let Some(M(limits)) = customer.get_mut("LIMITS") else { panic!("{customer:?}") };
    for value in limits.values_mut() {
        let M(fields) = value else { panic!("{value:?}") };
        assert!(fields.remove("VERSION").is_some());
    }
    put(&fresh, customer).await;
    let versions = async || -> Vec<u64> {
        let listed = fresh.store.read_limits("u-1").await.unwrap();
        listed.iter().map(|listed| listed.known.version).collect()
    };
    assert_eq!(versions().await, [1, 1]);
    applier.apply(&created(4, limit("l-2", "u-1"), None)).await.unwrap();
    assert_eq!(versions().await, [1, 3]);
}

#[tokio::test]
async fn ids_that_look_like_keys_stay_apart() {
    let fresh = Fresh::embedded_with_limits().await;
    let applier = applier(fresh.store.clone());
    for (number, id) in (1..).zip(["x", "limit/x", "customer/x", "limits", "limit"]) {
        let event = created(number, limit(id, id), Some(number));
        assert_eq!(applier.apply(&event).await.unwrap(), Applied::Changed, "{id}");
    }
    assert_eq!(all_items(&fresh).await.len(), 15, "a customer, a pointer and a change each");
    assert_eq!(fresh.store.read_limits("limit/x").await.unwrap()[0].reported, 2);
}

#[tokio::test]
async fn a_corrupt_item_is_named_with_its_attribute() {
    let fresh = Fresh::embedded_with_limits().await;
    let table = fresh.names.limit.clone().unwrap();
    let applier = applier(fresh.store.clone());
    let event = created(3, limit("l-1", "u-1"), Some(5));
    applier.apply(&event).await.unwrap();
    let items = all_items(&fresh).await;
    let customer = items.iter().find(|item| item["SK"] == string("limits")).unwrap();
    let pointer = items.iter().find(|item| item["SK"] == string("limit")).unwrap();
    let fields = customer["LIMITS"].as_m().unwrap()["l-1"].as_m().unwrap();
    let with = |name: &str, value: Option<AttributeValue>, item: &Item| {
        let mut item = item.clone();
        item.remove(name);
        item.extend(value.map(|value| (name.to_owned(), value)));
        item
    };
    let with_fields = |fields: AttributeValue| with("LIMITS", Some(M(item([("l-1", fields)]))), customer);
    let mut wrong: Vec<(Item, &str)> = vec![
        (with("VERSION", None, customer), "VERSION"),
        (with("VERSION", Some(number(0)), customer), "VERSION"),
        (with("LIMITS", None, customer), "LIMITS"),
        (with("LIMITS", Some(string("x")), customer), "LIMITS"),
        (with_fields(string("x")), "LIMITS.l-1"),
        (with("CUSTOMER_ID", None, pointer), "CUSTOMER_ID"),
        (with("DEFINITION_MARK", Some(string("x")), pointer), "DEFINITION_MARK"),
        (with("PROGRESS_MARK", Some(number(-1)), pointer), "PROGRESS_MARK"),
        (with("REPORTED", None, pointer), "REPORTED"),
    ];
    for name in ["TYPE", "PERIOD", "CURRENCY", "VALUE", "STATUS", "ACTIVE_FROM"] {
        for value in [None, Some(number(-1_000_000_000_000_000)), Some(string("x"))] {
            wrong.push((with_fields(M(with(name, value, fields))), "LIMITS.l-1"));
        }
    }
    // A limit that is canceled at no known time, an end that is none, and a brand that is none.
    wrong.push((with_fields(M(with("STATUS", Some(string("CANCELED")), fields))), "LIMITS.l-1"));
    wrong.push((with_fields(M(with("ACTIVE_UNTIL", Some(string("x")), fields))), "LIMITS.l-1"));
    wrong.push((with_fields(M(with("BRAND_ID", Some(number(1)), fields))), "LIMITS.l-1"));
    // A version above that of the customer's limits.
    for value in [number(0), number(2), string("x")] {
        wrong.push((with_fields(M(with("VERSION", Some(value), fields))), "LIMITS.l-1"));
    }
    for (item, attribute) in wrong {
        put(&fresh, item.clone()).await;
        let key = |name: &str| item[name].as_s().unwrap().clone();
        let place = format!("{attribute} of the item PK '{}', SK '{}' in table {table} ", key("PK"), key("SK"));
        let error = applier.apply(&progressed(9, "l-1", "u-1", 1)).await.unwrap_err();
        let ApplyError::Store(StoreError::Corrupt(cause)) = &error else { panic!("{error:?}") };
        assert!(cause.what.starts_with(&place) && cause.what.ends_with("correct the item by hand"), "{}", cause.what);
        let listed = fresh.store.read_limits("u-1").await;
        assert!(matches!(listed, Err(StoreError::Corrupt(_))), "{item:?} {listed:?}");
        put(&fresh, customer.clone()).await;
        put(&fresh, pointer.clone()).await;
    }
    // A limit without its pointer.
    let delete = client(&fresh).await.delete_item().table_name(&table);
    delete.key("PK", string("limit/l-1")).key("SK", string("limit")).send().await.unwrap();
    let error = fresh.store.read_limits("u-1").await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)) && error.to_string().contains("PK 'limit/l-1'"), "{error}");
}

#[tokio::test]
async fn a_store_without_the_table_says_how_to_name_it() {
    let store = Fresh::embedded().await.store.clone();
    let errors = [
        store.read("l", "u").await.map(drop).unwrap_err(),
        store.read_limits("u").await.map(drop).unwrap_err(),
        store.connect_limits().await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Misconfigured(_)), "{error:?}");
        assert!(error.to_string().contains("set LOADGATE_LIMIT_TABLE, or give --limit-table"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_table_is_found_when_the_store_is_opened() {
    let fresh = Fresh::embedded_with_limits().await;
    fresh.store.connect_limits().await.unwrap();
    let sdk = aws::load(Some(&fresh.url)).await;
    let names = TableNames { limit: Some("no-such-table".to_owned()), ..fresh_names() };
    let missing = loadgate::adapters::dynamodb::DynamoDb::new(&sdk, names);
    assert!(matches!(missing.connect_limits().await, Err(StoreError::Misconfigured(_))));
}

/// The client repeats a request that got no answer. The first one has been processed.
#[tokio::test]
async fn an_event_counts_once_when_its_answer_is_lost() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let applier = applier(fresh.through(&proxy.url).await);
    for (round, lost) in (0..).zip([1, 2, 3, 4]) {
        let [first, second] = [2 * round + 1, 2 * round + 2];
        proxy.fail("TransactWriteItems", Fault::LoseAnswer, lost);
        assert_eq!(applier.apply(&created(first, limit("l", "u"), Some(1))).await.unwrap(), Applied::Changed);
        proxy.fail("UpdateItem", Fault::LoseAnswer, lost);
        assert_eq!(applier.apply(&progressed(second, "l", "u", 9)).await.unwrap(), Applied::Changed);
        let stored = fresh.store.read("l", "u").await.unwrap();
        assert_eq!((stored.customer.version, stored.pointer.unwrap().progress_mark), (round + 1, Some(second)));
    }
}

#[tokio::test]
async fn keys_that_dynamodb_leaves_out_are_read_again() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let applier = applier(fresh.through(&proxy.url).await);
    for (number, key) in (1..).zip(["customer/u", "limit/l", "customer/u", "limit/l"]) {
        proxy.fail("BatchGetItem", Fault::LeaveOut(key), 1);
        assert_eq!(applier.apply(&created(number, limit("l", "u"), None)).await.unwrap(), Applied::Changed);
        proxy.fail("BatchGetItem", Fault::LeaveOut(key), 1);
        assert_eq!(applier.apply(&created(number, limit("l", "u"), None)).await.unwrap(), Applied::Outdated);
    }
    assert_eq!(fresh.store.read("l", "u").await.unwrap().customer.version, 4);
    proxy.fail("BatchGetItem", Fault::LeaveOut("limit/l"), 2);
    let listed = applier.store.read_limits("u").await;
    assert!(matches!(listed, Err(StoreError::Throttled(_))), "{listed:?}");
}

/// The request's token, which the SDK adds, makes DynamoDB recognise the repeated request, so that nothing is read again.
#[tokio::test]
async fn a_repeated_transaction_is_recognised() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let applier = applier(fresh.through(&proxy.url).await);
    proxy.fail("TransactWriteItems", Fault::LoseAnswer, 1);
    applier.apply(&created(1, limit("l", "u"), Some(1))).await.unwrap();
    let expected = [("BatchGetItem".to_owned(), 1), ("TransactWriteItems".to_owned(), 2)];
    assert_eq!(proxy.counts().into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_table_has_its_keys_and_time_to_live() {
    let fresh = Fresh::embedded_with_limits().await;
    let (client, table) = (client(&fresh).await, fresh.names.limit.clone().unwrap());
    let described = client.describe_table().table_name(&table).send().await.unwrap().table.unwrap();
    let keys: Vec<_> =
        described.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str())).collect();
    assert_eq!(keys, [("PK", "HASH"), ("SK", "RANGE")]);
    let ttl = client.describe_time_to_live().table_name(&table).send().await.unwrap().time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), Some("EXPIRES_AT"));
}

/// The requests of a report and of a definition, as the service charges them.
#[tokio::test]
async fn a_report_writes_the_pointer_alone() {
    let fresh = Fresh::embedded_with_limits().await;
    let proxy = Proxy::before(&fresh.url).await;
    let applier = applier(fresh.through(&proxy.url).await);
    applier.apply(&created(1, limit("l", "u"), Some(1))).await.unwrap();
    assert_eq!(
        proxy.counts().into_iter().collect::<Vec<_>>(),
        [("BatchGetItem".to_owned(), 1), ("TransactWriteItems".to_owned(), 1)]
    );
    applier.apply(&progressed(2, "l", "u", 2)).await.unwrap();
    assert_eq!(
        proxy.counts().into_iter().collect::<Vec<_>>(),
        [("BatchGetItem".to_owned(), 1), ("UpdateItem".to_owned(), 1)]
    );
    applier.apply(&progressed(2, "l", "u", 2)).await.unwrap();
    assert_eq!(proxy.counts().into_iter().collect::<Vec<_>>(), [("BatchGetItem".to_owned(), 1)]);
    assert_eq!(fresh.store.read("l", "u").await.unwrap().customer.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `make tools`; `make test` runs it"]
async fn a_lossy_network_changes_nothing_in_dynamodb() {
    let fresh = Fresh::with_limits_in_dynamodb_local().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut book, mut events) = (LimitBook::default(), Vec::new());
    for number in 1..=150 {
        let user = format!("u-{}", rng.u8(0..4));
        let limit_id = format!("{user}-{}", rng.u8(0..3));
        let definition = limit(&limit_id, &user);
        let event =
            if rng.bool() { created(number, definition, None) } else { progressed(number, &limit_id, &user, number) };
        book.apply(&event).unwrap();
        events.extend([event.clone(), event]);
    }
    rng.shuffle(&mut events);
    let mut runs = Vec::new();
    for seed in 0..3 {
        let proxy = Proxy::before(&fresh.url).await;
        proxy.be_lossy(seed, 40);
        let (applier, events) = (applier(fresh.through(&proxy.url).await), events.clone());
        // The appliers run on threads of their own.
        runs.push((proxy, tokio::spawn(async move { applier.apply_all(events).await })));
    }
    for (proxy, run) in runs {
        for result in run.await.unwrap() {
            result.unwrap();
        }
        assert!(proxy.lost() > 10, "{}", proxy.lost());
    }
    for user in (0..4).map(|user| format!("u-{user}")) {
        let listed = fresh.store.read_limits(&user).await.unwrap();
        let expected: Vec<_> = book.definitions().filter(|limit| limit.user_id == user).collect();
        assert_eq!(listed.iter().map(|listed| &listed.known.limit).collect::<Vec<_>>(), expected);
        assert!(listed.iter().all(|it| book.get(&it.known.limit.limit_id).unwrap().reported == it.reported));
    }
}
