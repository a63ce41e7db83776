//! Services for the functions: Amazon's DynamoDB Local, and queues that respond at once and count messages.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use loadgate::adapters::aws;
use loadgate::adapters::dynamodb::tables::Tables;
use loadgate::config::TableNames;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::local::dynamodb_local;

/// Paths of the file with all root certificates on common systems, among them Lambda's. Some systems also have a
/// folder of certificate files, which would be read as well.
const ROOT_CERTIFICATES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// Tables and queues for one function.
pub(crate) struct Cloud {
    pub(crate) environment: Vec<(&'static str, String)>,
    published: Arc<AtomicU64>,
}

impl Cloud {
    /// Creates the tables and starts the queues. The names of the tables contain `name`.
    pub(crate) async fn new(name: &str) -> Result<Cloud> {
        let dynamodb = dynamodb_local();
        let names = TableNames {
            correlation: format!("{name}-correlation"),
            load: format!("{name}-load"),
            limit: None,
            log: None,
        };
        let tables = Tables::new(&aws::load(Some(dynamodb)).await, names.clone());
        tables.create().await.map_err(Error::other)?;
        let published = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sqs = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&published));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut environment = vec![
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_SESSION_TOKEN", "test".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.to_owned()),
            ("AWS_ENDPOINT_URL_SQS", sqs.clone()),
            ("LOADGATE_CORRELATION_TABLE", names.correlation),
            ("LOADGATE_LOAD_TABLE", names.load),
            ("LOADGATE_DECISIONS_QUEUE_URL", format!("{sqs}/1/decisions.fifo")),
            ("LOADGATE_DEAD_LETTER_QUEUE_URL", format!("{sqs}/1/dead-letters.fifo")),
        ];
        let roots = ROOT_CERTIFICATES.iter().find(|path| Path::new(path).exists());
        environment.extend(roots.map(|path| ("SSL_CERT_FILE", (*path).to_owned())));
        Ok(Cloud { environment, published })
    }

    /// Returns the number of published decisions.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }
}

/// Responds as SQS does, to the requests that the functions make.
async fn answer(
    State(published): State<Arc<AtomicU64>>,
    headers: HeaderMap,
    body: String,
) -> std::result::Result<String, StatusCode> {
    let request: Value = serde_json::from_str(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let action = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let is_decision = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("/decisions.fifo"));
    let sent = |count: usize| published.fetch_add(if is_decision { count as u64 } else { 0 }, Ordering::Relaxed);
    match action.rsplit('.').next() {
        Some("GetQueueAttributes") => {
            Ok(json!({ "Attributes": { "QueueArn": "arn:aws:sqs:us-east-1:1:x.fifo" } }).to_string())
        }
        Some("SendMessage") => {
            sent(1);
            Ok(json!({ "MessageId": "0", "MD5OfMessageBody": "0", "SequenceNumber": "0" }).to_string())
        }
        Some("SendMessageBatch") => {
            let entries = request["Entries"].as_array().ok_or(StatusCode::BAD_REQUEST)?;
            sent(entries.len());
            let taken = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "0", "MD5OfMessageBody": "0" });
            let taken: Vec<Value> = entries.iter().map(taken).collect();
            Ok(json!({ "Successful": taken, "Failed": [] }).to_string())
        }
        _ => Err(StatusCode::NOT_FOUND),
    }
}
