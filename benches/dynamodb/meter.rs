//! A proxy in front of a server. It counts requests, and the consumed capacity in the responses.
//!
//! Every design is measured here, so that none reports its own figures.

use std::collections::BTreeMap;
use std::io::Result;
use std::ops::{AddAssign, Div};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Total cost of some requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) write_units: f64,
    pub(crate) read_units: f64,
    pub(crate) requests: f64,
    /// Writes whose condition did not hold. DynamoDB charges for them, but no response contains the charge.
    pub(crate) refused: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.write_units += other.write_units;
        self.read_units += other.read_units;
        self.requests += other.requests;
        self.refused += other.refused;
    }
}

impl Div<f64> for Cost {
    type Output = Cost;

    fn div(self, by: f64) -> Cost {
        let Cost { write_units, read_units, requests, refused } = self;
        Cost {
            write_units: write_units / by,
            read_units: read_units / by,
            requests: requests / by,
            refused: refused / by,
        }
    }
}

/// Costs by operation.
pub(crate) type Costs = BTreeMap<String, Cost>;

/// A counting proxy.
#[derive(Clone)]
pub(crate) struct Meter {
    pub(crate) url: String,
    costs: Arc<Mutex<Costs>>,
}

impl Meter {
    /// Starts a counting proxy in front of a server.
    pub(crate) async fn before(url: &str) -> Result<Meter> {
        let target = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let meter = Meter { url: format!("http://{}", listener.local_addr()?), costs: Arc::default() };
        let shared = meter.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, meter) = (target.clone(), shared.clone());
                tokio::spawn(async move { meter.serve(client, &target).await });
            }
        });
        Ok(meter)
    }

    /// Returns the costs since the last call, by operation.
    pub(crate) fn read(&self) -> Costs {
        std::mem::take(&mut *self.costs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn serve(&self, mut client: TcpStream, target: &str) -> Option<()> {
        let mut server = TcpStream::connect(target).await.ok()?;
        loop {
            let request = Message::read(&mut client).await?;
            server.write_all(&request.bytes).await.ok()?;
            let answer = Message::read(&mut server).await?;
            let operation = request.header("x-amz-target")?.rsplit('.').next()?.to_owned();
            let cost = Cost::of(&operation, &answer.json()?);
            *self.costs.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += cost;
            client.write_all(&answer.bytes).await.ok()?;
        }
    }
}

impl Cost {
    fn of(operation: &str, answer: &Value) -> Cost {
        let capacity = answer.get("ConsumedCapacity");
        let tables = capacity.and_then(Value::as_array).map_or(capacity.map(std::slice::from_ref), |all| Some(all));
        let units = tables.unwrap_or_default().iter().filter_map(|table| table.get("CapacityUnits")?.as_f64()).sum();
        let is_refused = answer.get("__type").and_then(Value::as_str).is_some_and(|kind| {
            kind.ends_with("ConditionalCheckFailedException") || kind.ends_with("TransactionCanceledException")
        });
        let cost = Cost { requests: 1.0, refused: if is_refused { 1.0 } else { 0.0 }, ..Cost::default() };
        if operation.contains("Get") { Cost { read_units: units, ..cost } } else { Cost { write_units: units, ..cost } }
    }
}

/// One HTTP message with a content length.
struct Message {
    bytes: Vec<u8>,
    /// Offset of the body.
    body: usize,
}

impl Message {
    async fn read(stream: &mut TcpStream) -> Option<Message> {
        let mut bytes = Vec::new();
        let body = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            read_some(stream, &mut bytes).await?;
        };
        let mut message = Message { bytes, body };
        let length: usize = message.header("content-length")?.parse().ok()?;
        while message.bytes.len() < body + length {
            read_some(stream, &mut message.bytes).await?;
        }
        Some(message)
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(self.bytes.get(..self.body)?).into_owned();
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.bytes.get(self.body..)?).ok()
    }
}

async fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}
