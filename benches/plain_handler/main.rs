//! The baseline of the Lambda benchmark: a handler that a developer could write in an afternoon, with the same
//! libraries.
//!
//! It handles one message after another, each with one read, two writes and one sent message. It applies the same
//! limits, but gives none of the guarantees. A crash between two of its requests, or a second writer, gives a
//! customer too much or loses a decision.
#![allow(missing_docs, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::time::SystemTime;

use aws_config::BehaviorVersion;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::types::AttributeValue::{self, Bool, N, S};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

const DAILY_CENTS_MAX: i64 = 5_000_00;
const WEEKLY_CENTS_MAX: i64 = 20_000_00;
const DAILY_COUNT_MAX: i64 = 3;

type Item = HashMap<String, AttributeValue>;

#[derive(Deserialize)]
struct Attempt {
    id: String,
    customer_id: String,
    load_amount: String,
    time: String,
}

struct Handler {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    records: String,
    usage: String,
    decisions: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Ok(()); // `cargo bench` has started it, but only the benchmark `lambda` uses it.
    }
    let tls = Provider::Rustls(CryptoMode::Ring);
    let client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client).load().await;
    let handler = Handler {
        dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
        sqs: aws_sdk_sqs::Client::new(&sdk),
        records: std::env::var("LOADGATE_CORRELATION_TABLE")?,
        usage: std::env::var("LOADGATE_LOAD_TABLE")?,
        decisions: std::env::var("LOADGATE_DECISIONS_QUEUE_URL")?,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| handler.handle(event.payload))).await
}

impl Handler {
    async fn handle(&self, event: SqsEvent) -> Result<SqsBatchResponse, Error> {
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            if let Err(error) = self.decide(&message).await {
                tracing::error!(error, "a message failed");
                response.add_failure(message.message_id.unwrap_or_default());
            }
        }
        Ok(response)
    }

    async fn decide(&self, message: &SqsMessage) -> Result<(), Error> {
        let attempt: Attempt = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
        let cents: i64 = attempt.load_amount.trim_start_matches('$').replace(['.', ','], "").parse()?;
        let day = DateTime::parse_from_rfc3339(&attempt.time)?.to_utc().date_naive();
        let monday = day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()));
        let key = Item::from([
            ("CUSTOMER_ID".to_owned(), S(attempt.customer_id.clone())),
            ("DATE".to_owned(), S(monday.to_string())),
        ]);
        let read = self.dynamodb.get_item().table_name(&self.usage).set_key(Some(key.clone())).send().await?;
        let mut usage = read.item.unwrap_or(key);
        let counted = |name: &str| {
            let number = usage.get(name).and_then(|value| value.as_n().ok());
            number.and_then(|number| number.parse::<i64>().ok()).unwrap_or_default()
        };
        let (daily_cents, daily_count) = (format!("{day}_CENTS"), format!("{day}_COUNT"));
        let after = [
            ("WEEK_CENTS".to_owned(), counted("WEEK_CENTS") + cents, WEEKLY_CENTS_MAX),
            (daily_cents.clone(), counted(&daily_cents) + cents, DAILY_CENTS_MAX),
            (daily_count.clone(), counted(&daily_count) + 1, DAILY_COUNT_MAX),
        ];
        let accepted = after.iter().all(|(_, number, max)| number <= max);
        if accepted {
            usage.extend(after.map(|(name, number, _)| (name, N(number.to_string()))));
        }
        self.store(&attempt, accepted, usage).await?;
        self.publish(&attempt, accepted).await
    }

    async fn store(&self, attempt: &Attempt, accepted: bool, usage: Item) -> Result<(), Error> {
        let expires_at = (DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::hours(24)).timestamp();
        let record = Item::from([
            ("CUSTOMER_ID".to_owned(), S(attempt.customer_id.clone())),
            ("EVENT_ID".to_owned(), S(attempt.id.clone())),
            ("ACCEPTED".to_owned(), Bool(accepted)),
            ("EXPIRES_AT".to_owned(), N(expires_at.to_string())),
        ]);
        self.dynamodb.put_item().table_name(&self.records).set_item(Some(record)).send().await?;
        self.dynamodb.put_item().table_name(&self.usage).set_item(Some(usage)).send().await?;
        Ok(())
    }

    async fn publish(&self, attempt: &Attempt, accepted: bool) -> Result<(), Error> {
        let Attempt { id, customer_id, .. } = attempt;
        let body = serde_json::json!({ "id": id, "customer_id": customer_id, "accepted": accepted });
        let request = self.sqs.send_message().queue_url(&self.decisions).message_body(body.to_string());
        request.message_group_id(customer_id).message_deduplication_id(id).send().await?;
        Ok(())
    }
}
