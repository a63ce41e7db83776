//! Items of plans, programmes and links in DynamoDB: their shape, what is said about a corrupt one, and older records.

use aws_sdk_dynamodb::types::AttributeValue::{self, M, N, S};
use loadgate::adapters::dynamodb::{from_record, to_record};
use loadgate::deciding::{Consistency, Lookup, Store, StoreError};
use loadgate::domain::LimitOrigin;
use loadgate::limits::{
    Author, Enrollment, Link, LinkStore, Membership, PlanStore, Program, ProgramStore, roster_shard,
};

use super::plan_stores::{membership, plan, version};
use super::stored_items::{all_items, item, number, put, string};
use crate::support::cloud::Fresh;
use crate::support::records::record;

fn reference(plan_id: &str, version: i64) -> AttributeValue {
    M(item([("ID", string(plan_id)), ("VERSION", number(version))]))
}

async fn enroll(fresh: &Fresh, before: Membership, after: Option<&str>) {
    let after = after.map(str::to_owned);
    fresh.store.enroll(&Enrollment { customer_id: "u-1".to_owned(), before, after }).await.unwrap();
}

#[tokio::test]
async fn each_thing_has_an_item_of_its_own() {
    let fresh = Fresh::embedded_with_limits().await;
    let store = &fresh.store;
    store.add_plan_version(&plan("p", 1, 100)).await.unwrap();
    store.write_program("g/x", &Program { version: 0, default_plan: Some(version("p", 1)) }).await.unwrap();
    enroll(&fresh, Membership::default(), Some("g/x")).await;
    let by = Some(Author("ann".to_owned()));
    let link = Link {
        number: store.draw_number().await.unwrap(),
        plan: Some(version("p", 1)),
        linked_at: Some(plan("p", 1, 1).created_at),
        linked_by: by,
    };
    store.write_link("u-1", 0, &link).await.unwrap();
    let text = r#"{"limit":[{"code":"DAY","measure":"amount","window":"day","max":"1.00"}]}"#;
    let shard = roster_shard("u-1");
    let roster = format!("roster/{shard:02}/g/x");
    let expected = [
        item([("PK", string("plans")), ("SK", string("p")), ("VERSION", number(1))]),
        item([
            ("PK", string("plan/p")),
            ("SK", string("version/0000000001")),
            ("LIMITS", string(text)),
            ("CREATED_AT", number(1_700_000_000_000)),
            ("CREATED_BY", string("ann")),
        ]),
        item([
            ("PK", string("program/g/x")),
            ("SK", string("program")),
            ("VERSION", number(1)),
            ("DEFAULT_PLAN", reference("p", 1)),
        ]),
        item([("PK", string(&roster)), ("SK", string("u-1"))]),
        item([("PK", string("counter")), ("SK", string("links")), ("NUMBER", number(1))]),
        item([
            ("PK", string("customer/u-1")),
            ("SK", string("limits")),
            ("PROGRAM_ID", string("g/x")),
            ("PROGRAM_VERSION", number(1)),
            ("PLAN", reference("p", 1)),
            ("LINK_NUMBER", number(1)),
            ("LINKED_AT", number(1_700_000_000_000)),
            ("LINKED_BY", string("ann")),
        ]),
    ];
    let items = all_items(&fresh).await;
    assert_eq!(items.len(), expected.len(), "{items:?}");
    for expected in &expected {
        assert!(items.contains(expected), "{expected:?} is not in {items:?}");
    }

    // Attributes that loadgate does not know stay, and an unlink leaves the number.
    let customer = expected[5].clone();
    put(&fresh, customer.into_iter().chain(item([("OTHER", string("stays"))])).collect()).await;
    store.write_link("u-1", 1, &Link { number: 2, plan: None, ..link }).await.unwrap();
    enroll(&fresh, membership(Some("g/x"), 1), None).await;
    let items = all_items(&fresh).await;
    let customer = items.iter().find(|item| item["PK"] == string("customer/u-1")).unwrap();
    let left = item([
        ("PK", string("customer/u-1")),
        ("SK", string("limits")),
        ("PROGRAM_VERSION", number(2)),
        ("LINK_NUMBER", number(2)),
        ("LINKED_AT", number(1_700_000_000_000)),
        ("LINKED_BY", string("ann")),
        ("OTHER", string("stays")),
    ]);
    assert_eq!(*customer, left);
    assert!(!items.iter().any(|item| item["PK"] == string(&roster)), "the roster's entry is gone");
}

#[tokio::test]
async fn a_roster_s_shards_are_filled_evenly_and_never_change() {
    assert_eq!(["u-1", "u-2", "", "528", "é"].map(roster_shard), [12, 10, 15, 15, 13]);
    let mut counts = [0_u32; 16];
    for number in 0..16_000 {
        counts[usize::from(roster_shard(&format!("customer-{number}")))] += 1;
    }
    assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn a_corrupt_item_is_named_with_its_attribute() {
    let fresh = Fresh::embedded_with_limits().await;
    let customer = |name: &str, value: AttributeValue| {
        item([("PK", string("customer/u-1")), ("SK", string("limits")), (name, value)])
    };
    let place = "of the item PK 'customer/u-1', SK 'limits' in table";
    for (name, value) in [
        ("PLAN", string("p")),
        ("PLAN", reference("p", 0)),
        ("PLAN", M(item([("ID", string("p"))]))),
        ("PROGRAM_ID", number(1)),
        ("VERSION", number(1)),
    ] {
        put(&fresh, customer(name, value)).await;
        let wanted = Lookup { settings: ["u-1".to_owned()].into(), ..Lookup::default() };
        let read = Store::read(&fresh.store, &wanted, Consistency::Strong).await.unwrap();
        let error = read.settings["u-1"].clone().unwrap_err();
        let attribute = if name == "VERSION" { "LIMITS" } else { name };
        assert!(matches!(error, StoreError::Corrupt(_)) && error.to_string().contains(place), "{error}");
        assert!(error.to_string().starts_with(attribute), "{error}");
    }
    put(&fresh, customer("LINK_NUMBER", string("x"))).await;
    assert!(fresh.store.link("u-1").await.unwrap_err().to_string().starts_with("LINK_NUMBER of the item PK"));
    put(&fresh, customer("PROGRAM_VERSION", string("x"))).await;
    let error = fresh.store.program_of("u-1").await.unwrap_err();
    assert!(error.to_string().starts_with("PROGRAM_VERSION of the item PK"), "{error}");
    for text in ["", "{}", "{\"limit\":[]}", "[[limit]]"] {
        let plan = [("PK", string("plan/p")), ("SK", string("version/0000000001")), ("LIMITS", string(text))];
        put(&fresh, item(plan)).await;
        let error = fresh.store.read_plan(&version("p", 1)).await.unwrap_err();
        let expected = "LIMITS of the item PK 'plan/p', SK 'version/0000000001' in table";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let missing = fresh.store.read_plan(&version("p", 2)).await.unwrap_err().to_string();
    assert!(missing.starts_with("the item PK 'plan/p', SK 'version/0000000002' in table limits-"), "{missing}");
    put(&fresh, item([("PK", string("counter")), ("SK", string("links")), ("NUMBER", number(-5))])).await;
    let error = fresh.store.draw_number().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

#[test]
fn records_keep_the_origin_of_their_limits_and_older_ones_have_the_deployment_s() {
    let origins = [
        LimitOrigin::Deployment,
        LimitOrigin::Plan(version("p", 3)),
        LimitOrigin::Program { program_id: "gold".to_owned(), plan: version("p", 3) },
    ];
    for origin in origins {
        let mut known = record("1");
        known.decision.origin = origin.clone();
        let item = from_record(&known);
        assert_eq!(to_record(&item, "t").unwrap(), known);
        let attributes = ["PLAN", "PROGRAM_ID"].map(|name| item.contains_key(name));
        assert_eq!(attributes, [origin.plan().is_some(), origin.program_id().is_some()]);
    }
    let mut item = from_record(&record("1"));
    assert!(item.remove("PLAN").is_some(), "the record's limits are those of a programme");
    assert!(to_record(&item, "t").unwrap_err().to_string().starts_with("PLAN of the item"));
    item.remove("PROGRAM_ID");
    assert_eq!(to_record(&item, "t").unwrap().decision.origin, LimitOrigin::Deployment);
    item.insert("PLAN".to_owned(), N("1".to_owned()));
    assert!(to_record(&item, "t").is_err());
    item.insert("PLAN".to_owned(), S("p".to_owned()));
    assert!(to_record(&item, "t").is_err());
}
