//! SQS events, as Lambda passes them to a function.

use serde_json::{Value, json};

/// Contents of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) name: &'static str,
    pub(crate) messages: u64,
    pub(crate) customers: u64,
}

impl Batch {
    /// Returns an event with such a batch. Each `number` has customers of its own, so that no customer's usage grows
    /// over the run.
    pub(crate) fn event(self, number: u64) -> String {
        let records: Vec<Value> = (0..self.messages).map(|message| self.record(number, message)).collect();
        json!({ "Records": records }).to_string()
    }

    fn record(self, number: u64, message: u64) -> Value {
        let customer = format!("{number}-{}", message % self.customers);
        let cents = (number * 7 + message * 131) % 100;
        let body = json!({
            "id": format!("{number}-{message}"),
            "customer_id": customer,
            "load_amount": format!("${}.{cents:02}", 100 + message),
            "time": format!("2000-01-{:02}T{message:02}:00:00Z", 3 + number % 5),
        });
        json!({
            "messageId": format!("{number:08x}-7030-48c6-ba11-{message:012x}"),
            "receiptHandle": "AQEBDpQEmMR8XBfQTWWb70TYo+IufmGbET16FdD6XNEcnFdcHRS01LmJ9PsY+lWoeWshUpAMBRPdg5IPzyG2",
            "body": body.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1767607200041",
                "SequenceNumber": "18890000000000000256",
                "MessageGroupId": customer,
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "MessageDeduplicationId": format!("{number}-{message}"),
                "ApproximateFirstReceiveTimestamp": "1767607200058",
            },
            "messageAttributes": {},
            "md5OfBody": "f556c901aea78cf57a23145267690082",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:loadgate-input.fifo",
            "awsRegion": "us-east-1",
        })
    }
}
