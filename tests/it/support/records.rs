//! Correlation records and commits of one customer, for tests of stores and of redrive.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use loadgate::deciding::{Commit, CorrelationRecord, Publication, Writes};
use loadgate::domain::{
    EventKey, LimitOrigin, LimitUsage, LogPosition, PlanVersion, ShadowCodes, StoredDecision, Verdict, parse_time,
};

pub fn at(time: &str) -> DateTime<Utc> {
    parse_time(time).unwrap()
}

/// Returns an instant in the far future, because DynamoDB Local deletes expired records within seconds.
pub fn now() -> DateTime<Utc> {
    at("2126-01-05T10:00:00.123Z")
}

pub fn event(id: &str) -> EventKey {
    EventKey { customer_id: "528".to_owned(), event_id: id.to_owned() }
}

pub fn record(id: &str) -> CorrelationRecord {
    CorrelationRecord {
        decision: StoredDecision {
            key: event(id),
            verdict: Verdict::new(false, vec!["DAILY_AMOUNT".to_owned(), "DAILY_COUNT".to_owned()]).unwrap(),
            load_amount: "USD$3,318.47".to_owned(),
            time: "2018-12-31T23:59:59.5+01:00".to_owned(),
            decided_at: now(),
            shadow: ShadowCodes { broken: vec!["DAILY_COUNT".to_owned()], unjudged: vec!["LONG".to_owned()] },
            log: Some(LogPosition {
                run_id: "019b8d6c-5c00-7000-8000-0123456789ab".to_owned(),
                seq: 7,
                expires_at: now().trunc_subsecs(0) + TimeDelta::days(90),
            }),
            origin: LimitOrigin::Program {
                program_id: "gold".to_owned(),
                plan: PlanVersion { plan_id: "vip".to_owned(), version: 3 },
            },
            usage: vec![
                LimitUsage {
                    code: "DAILY_AMOUNT".to_owned(),
                    limit_id: Some("l-1".to_owned()),
                    used: u64::MAX,
                    limit: 500_000,
                    is_shadow: false,
                    resets_at: None,
                },
                LimitUsage {
                    code: "DAILY_COUNT".to_owned(),
                    limit_id: None,
                    used: 3,
                    limit: 3,
                    is_shadow: true,
                    resets_at: Some(DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1)),
                },
            ],
        },
        message_id: format!("message of {id}"),
        fingerprint: "0123456789abcdef".to_owned(),
        publication: Publication::Confirmed,
        expires_at: at("2126-01-06T10:00:00Z"),
    }
}

/// Returns the commit of a lone decline.
pub fn put(record: CorrelationRecord) -> Commit {
    let customer_id = record.decision.key.customer_id.clone();
    Commit { customer_id, writes: Writes::Record(Box::new(record)), now: now() }
}
