//! The OpenAPI document: committed, generated and served are the same, and describe the answers.

use std::collections::BTreeSet;

use axum::http::Method;
use loadgate::adapters::MemoryStore;
use loadgate::runtime::http::openapi;
use serde_json::Value;

use super::{SetClock, ask, own_decider, router_of};

/// Returns a file of docs/.
fn docs(name: &str) -> String {
    std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the committed document.
fn committed() -> Value {
    serde_json::from_str(&docs("openapi.json")).unwrap()
}

#[tokio::test]
async fn the_committed_the_generated_and_the_served_document_are_the_same() {
    assert_eq!(openapi(), docs("openapi.json"), "`loadgate api --openapi > docs/openapi.json` writes it");
    let router = router_of(&own_decider(MemoryStore::default(), &SetClock::at("2026-01-06T12:00:00Z")));
    let served = ask(&router, Method::GET, "/openapi.json", "").await;
    assert_eq!((served.status.as_u16(), served.header("content-type")), (200, "application/json"));
    assert_eq!(served.text, openapi());
    let document = committed();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
}

/// Returns the names of an object's members.
fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn every_answer_has_the_fields_of_its_schema() {
    let clock = SetClock::at("2026-01-06T12:00:00Z");
    let decider = own_decider(MemoryStore::default(), &clock);
    let router = router_of(&decider);
    let applier = loadgate::limits::LimitApplier { store: decider.store.clone(), clock };
    applier.apply(&crate::limits::created(1, crate::limits::limit("l", "u"), None)).await.unwrap();
    super::load(&decider, "u", "1", "$1.00", "2026-01-06T12:00:00Z").await;
    let limits = r#"{"limit":[{"code":"DAY","measure":"amount","window":"day","zone":"Europe/London","max":"9.00"}]}"#;
    ask(&router, Method::PUT, "/limit-plans/p", limits).await;
    ask(&router, Method::PUT, "/customers/v/plan", r#"{"planId":"p","version":1}"#).await;
    ask(&router, Method::PUT, "/programs/g/default-plan", r#"{"planId":"p","version":1}"#).await;
    let document = committed();
    let schema = |name: &str| names(&document["components"]["schemas"][name]["properties"]);
    let answers = [
        (Method::GET, "/user-limits/l", "", "Limit"),
        (Method::GET, "/user-limits/user/u", "/0", "Limit"),
        (Method::GET, "/customers/u/usage", "", "CustomerUsage"),
        (Method::GET, "/customers/u/usage", "/usage/0", "Usage"),
        (Method::GET, "/customers/u/decisions", "", "DecisionList"),
        (Method::GET, "/customers/u/decisions", "/decisions/0", "Decision"),
        (Method::GET, "/customers/u/decisions", "/decisions/0/usage/3", "Usage"),
        (Method::POST, "/customers/u/check", "", "Check"),
        (Method::POST, "/customers/u/check", "/usage/0", "Usage"),
        (Method::GET, "/limit-plans", "", "PlanList"),
        (Method::GET, "/limit-plans", "/plans/0", "PlanVersion"),
        (Method::GET, "/limit-plans/p", "", "Plan"),
        (Method::GET, "/customers/v/plan", "", "Link"),
        (Method::GET, "/programs/g/default-plan", "", "DefaultPlan"),
        (Method::PUT, "/programs/g/customers/u", "", "Enrollment"),
        (Method::GET, "/user-limits/l/changes", "", "ChangeList"),
        (Method::GET, "/user-limits/l/changes", "/changes/0", "Change"),
        (Method::GET, "/user-limits/l/changes", "/changes/0/to", "LimitState"),
        (Method::DELETE, "/user-limits/l", "/pending", "Pending"),
        (Method::GET, "/nowhere", "", "Problem"),
    ];
    for (method, path, pointer, name) in answers {
        let answer = ask(&router, method, path, r#"{"load_amount":"1"}"#).await.json();
        assert_eq!(names(answer.pointer(pointer).unwrap()), schema(name), "{path}{pointer}");
        let required = &document["components"]["schemas"][name]["required"];
        // Two of the fields of a pending change are instants, which a stored one may lack.
        let least = if name == "Pending" { 1 } else { schema(name).len().div_ceil(2) };
        assert!(required.as_array().unwrap().len() >= least, "{name}: {required}");
    }
}

#[tokio::test]
async fn every_documented_request_has_a_handler_and_a_place_in_the_guide() {
    let router = router_of(&own_decider(MemoryStore::default(), &SetClock::at("2026-01-06T12:00:00Z")));
    let document = committed();
    let (mut count, guide) = (0, docs("api.md"));
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in names(item) {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = ask(&router, method.clone(), path, r#"{"load_amount":"1"}"#).await;
            let unknown = ["UNKNOWN_LIMIT", "UNKNOWN_PLAN", "UNKNOWN_PROGRAM", "UNKNOWN_LINK", "UNKNOWN_JOB"];
            // A body that is another request's is refused by the handler alone.
            let codes = [&unknown[..], &["MISSING_FIELD", "UNKNOWN_FIELD", "BAD_VALUE"]].concat();
            let is_handled =
                answer.status.is_success() || codes.contains(&answer.json()["code"].as_str().unwrap_or_default());
            assert!(is_handled, "{method} {path}: {answer:?}");
            assert!(guide.contains(&format!("`{method} {path}")), "docs/api.md lacks {method} {path}");
            count += 1;
        }
    }
    assert_eq!(count, 29);
}

#[test]
fn the_guide_lists_every_code_and_no_other() {
    let document = committed();
    let code = &document["components"]["schemas"]["ProblemCode"];
    let variants = code["oneOf"].as_array().or(code["enum"].as_array()).unwrap();
    let name = |variant: &Value| {
        variant.as_str().or(variant["const"].as_str()).or(variant["enum"][0].as_str()).unwrap().to_owned()
    };
    let codes: BTreeSet<String> = variants.iter().map(name).collect();
    let row = regex::Regex::new(r"(?m)^\| [0-9]{3} \| `([A-Z0-9_]+)` \|").unwrap();
    let guide = docs("api.md");
    let listed: BTreeSet<String> = row.captures_iter(&guide).map(|row| row[1].to_owned()).collect();
    assert_eq!(listed, codes);
}
