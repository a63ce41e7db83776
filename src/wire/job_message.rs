//! Messages of the queue of assignments, as JSON.
//!
//! ```json
//! {"jobId":"42","page":0}
//! {"jobId":"42","chunk":7,"customers":["c-1","c-2"]}
//! {"jobId":"42","finish":true}
//! ```

use serde::{Deserialize, Serialize};

use crate::domain::{CHUNK_CUSTOMERS_MAX, JobMessage, JobTask};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    job_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunk: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finish: Option<bool>,
}

/// Returns the message as JSON. Every character is one that SQS takes: it refuses control characters, which JSON escapes, and
/// the two characters U+FFFE and U+FFFF, which it does not (the SQS API reference, `SendMessage`).
pub fn job_message(message: &JobMessage) -> String {
    let (page, chunk, customers, finish) = match &message.task {
        JobTask::Page(page) => (Some(*page), None, None, None),
        JobTask::Chunk { chunk, customers } => (None, Some(*chunk), Some(customers.clone()), None),
        JobTask::Finish => (None, None, None, Some(true)),
    };
    let body = Body { job_id: message.number.to_string(), page, chunk, customers, finish };
    // Text and numbers always serialise.
    let json = serde_json::to_string(&body).unwrap_or_default();
    json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// Parses a message. `None` for anything but one step of a job.
pub fn parse_job_message(json: &str) -> Option<JobMessage> {
    let Body { job_id, page, chunk, customers, finish } = serde_json::from_str(json).ok()?;
    let task = match (page, chunk, customers, finish) {
        (Some(page), None, None, None) => JobTask::Page(page),
        (None, Some(chunk), Some(customers), None) if customers.len() <= CHUNK_CUSTOMERS_MAX => {
            JobTask::Chunk { chunk, customers }
        }
        (None, None, None, Some(true)) => JobTask::Finish,
        _ => return None,
    };
    Some(JobMessage { number: parse_job_id(&job_id)?, task })
}

/// Parses the id of a job: its number, without leading zeros.
pub fn parse_job_id(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}
