//! The limits that apply to a customer before its own.

use loadgate::domain::{LimitOrigin, PlanVersion};

fn version(plan_id: &str) -> PlanVersion {
    PlanVersion { plan_id: plan_id.to_owned(), version: 7 }
}

#[test]
fn a_link_comes_before_the_programme_and_that_before_the_deployment() {
    let (link, default) = (version("linked"), version("default"));
    let plan = || LimitOrigin::Plan(version("linked"));
    let program = LimitOrigin::Program { program_id: "gold".to_owned(), plan: version("default") };
    let table = [
        // link, programme, its default plan: origin
        (None, None, None, LimitOrigin::Deployment),
        (None, Some("gold"), None, LimitOrigin::Deployment),
        (None, Some("gold"), Some(&default), program),
        (Some(&link), None, None, plan()),
        (Some(&link), Some("gold"), None, plan()),
        (Some(&link), Some("gold"), Some(&default), plan()),
        // A default plan of no programme is nobody's.
        (None, None, Some(&default), LimitOrigin::Deployment),
    ];
    for (link, program_id, default, expected) in table {
        assert_eq!(LimitOrigin::resolve(link, program_id, default), expected, "{link:?} {program_id:?} {default:?}");
    }
}

#[test]
fn an_origin_names_its_plan_and_programme() {
    let program = LimitOrigin::Program { program_id: "gold".to_owned(), plan: version("p") };
    assert_eq!((program.plan(), program.program_id()), (Some(&version("p")), Some("gold")));
    let plan = LimitOrigin::Plan(version("p"));
    assert_eq!((plan.plan(), plan.program_id()), (Some(&version("p")), None));
    assert_eq!((LimitOrigin::Deployment.plan(), LimitOrigin::Deployment.program_id()), (None, None));
}
